"""``checks``: one look at the world on an interval, and the bands that judge what it saw.

What a kind of check needs to know (a URL, a path) is not written here: `Check.spec` is an instance
of the model that the kind brought with the `Vocabulary`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, Field, SerializeAsAny

from opsbook.base.quantities import Quantity
from opsbook.book.fields import BandText, Duration, Flag, Id, Part, QuantityText, State, Whole
from opsbook.book.refs import CheckId, HoursId, ServiceId
from opsbook.book.sections.elements import Element

Statistic = Literal["last", "p95", "average", "maximum", "minimum", "sum"]
"""What a check's value is made of: the last look alone, or several looks."""


class Bands(Part):
    """Where a value is normal, worth a warning, and critical.

    A value in no band is ``ok``, unless `between` says that what is outside of `normal` is worth a
    warning already.
    """

    normal: BandText | None = None
    """Where the value should lie, such as "< 500ms" or "30%..70%"."""
    warning: BandText | None = None
    """Where it is worth a warning."""
    critical: BandText | None = None
    """Where somebody is needed."""
    between: Literal["ok", "warning"] = "ok"
    """What a value outside of normal is that reaches neither of the other two."""

    def state(self, value: float, unit: str = "") -> State:
        """The state of a value measured in `unit`; raises QuantityError if it cannot compare."""
        if self.critical is not None and self.critical.holds(value, unit):
            return "critical"
        if self.warning is not None and self.warning.holds(value, unit):
            return "warning"
        if self.normal is not None and not self.normal.holds(value, unit):
            return self.between
        return "ok"


class Flapping(Part):
    """From how many changes of its state on a check is not to be believed, and until when."""

    high: QuantityText = Quantity(50.0, "%")
    """It flaps from this share of changes on, such as 50%; later changes count for more."""
    low: QuantityText = Quantity(25.0, "%")
    """It is steady again at this share."""
    looks: Whole = Field(default=21, ge=3, le=200)
    """How many of the last looks are compared."""
    off: Flag = False
    """true: its changes are not counted."""


class Check(Element):
    """A check as the book has it; `unit` overrides the unit the kind would give the value."""

    kind: Id
    """How it looks: host, http, tcp, tls, log, file, …"""
    service: ServiceId | None = None
    """What it looks after."""
    every: Duration = timedelta(minutes=1)
    """How often it looks."""
    timeout: Duration = timedelta(seconds=10)
    """How long one look may take."""
    unit: str | None = Field(default=None, max_length=24)
    """The unit of its values, where the kind does not say."""
    bands: Bands = Bands()
    """From which value on it is worth a warning or critical."""
    statistic: Statistic = "last"
    """What of the values of several looks is judged, instead of the last alone."""
    over: Duration | None = None
    """The time whose looks are taken together."""
    at_least: Whole = Field(default=1, ge=1, le=100_000)
    """How many looks with a value there must be in that time; with fewer there is no data."""
    depends_on: tuple[CheckId, ...] = ()
    """Checks whose failure explains that of this one, which then pages nobody."""
    active: HoursId | None = None
    """The hours in which it looks; always, if left out."""
    flapping: Flapping = Flapping()
    """When its state changes too often to be believed."""
    spec: SerializeAsAny[BaseModel]
    """The fields of its kind."""

    @property
    def value_unit(self) -> str | None:
        """The unit of this check's values where the book or the kind says it beforehand.

        A kind's model says it with a property of this name, so that a band in a unit that cannot be
        compared is found when the book is loaded and not at night.
        """
        known = self.unit if self.unit is not None else getattr(self.spec, "value_unit", None)
        return known if isinstance(known, str) else None


COMMON_FIELDS = frozenset(Check.model_fields) - {"id", "spec"}
"""The keys every check may have; every other key belongs to the kind."""
