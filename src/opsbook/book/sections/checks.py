"""``checks``: one look at the world on an interval, and the bands that judge what it saw.

What a kind of check needs to know (a URL, a path) is not written here: `Check.spec` is an instance
of the model that the kind brought with the `Vocabulary`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, Field, SerializeAsAny

from opsbook.book.fields import BandText, Duration, Id, Part, State
from opsbook.book.refs import ServiceId
from opsbook.book.sections.elements import Element


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
