"""``checks``: one look at the world on an interval, and the bands that judge what it saw.

What a kind of check needs to know (a URL, a path) is not written here: `Check.spec` is an instance
of the model that the kind brought with the `Vocabulary`.
"""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, Field, SerializeAsAny

from opsbook.book.fields import BandText, Duration, Id, Named, Part, State
from opsbook.book.texts import Text


class Bands(Part):
    """Where a value is worth a warning, and where it is critical."""

    warning: BandText | None = None
    critical: BandText | None = None

    def state(self, value: float, unit: str = "") -> State:
        """The state of a value measured in `unit`; raises QuantityError if it cannot compare."""
        if self.critical is not None and self.critical.holds(value, unit):
            return "critical"
        if self.warning is not None and self.warning.holds(value, unit):
            return "warning"
        return "ok"


class Check(Named):
    """A check as the book has it; `unit` overrides the unit the kind would give the value."""

    kind: Id
    title: Text
    service: Id | None = None
    every: Duration = timedelta(minutes=1)
    timeout: Duration = timedelta(seconds=10)
    unit: str | None = Field(default=None, max_length=24)
    bands: Bands = Bands()
    spec: SerializeAsAny[BaseModel]

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
