"""What a rule says of its check: a state, the last value, or something measured over a time.

Each thing that can be measured is a key with its band, so that a rule reads as it is said and the
aggregation is always written down: ``{average: "> 80%", over: 10m}``. A text stands for the two
that need nothing else: ``critical`` is a state, ``"> 90%"`` a band on the last value.

What was refused: a small query language, which nobody can read at night and PromQL already is; and
a default aggregation, since "CPU > 80 %" is three different rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Final, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from opsbook.base import quantities
from opsbook.base.quantities import Band, format_duration
from opsbook.book.fields import BandText, Duration, Part, State, Whole
from opsbook.book.refs import CheckId

STATES: Final = ("warning", "critical", "nodata")
STATISTICS: Final = ("average", "minimum", "maximum", "p50", "p95", "sum", "count")
"""Of the values in a time; ``count`` is how many there are."""
GROWTHS: Final = ("rate", "increase", "change")
"""Between a value and one from before."""
MEASURES: Final = ("state", "last", *STATISTICS, *GROWTHS, "drop")
SAME_HOUR: Final = "same_hour"
WEEKS: Final = 4
FEWEST_WEEKS: Final = 2
"""Of fewer weeks nobody can say what is usual."""
_LOOKS_BACK: Final = 3


class Condition(Part):
    """When a rule fires: exactly one measure, and what belongs to it.

    A text stands for a `state` or for a band on the `last` value. Every other measure is taken
    `over` a time, but for `drop`, which compares an hour with the same one of past weeks. That one
    measure is there, with what it needs and nothing else, is for `validate` to say: there, several
    mistakes are told at once and each at its key.
    """

    also_called: ClassVar[Mapping[str, str]] = {
        "avg": "average", "mean": "average", "min": "minimum", "max": "maximum",
        "median": "p50", "total": "sum", "growth": "increase", "window": "over",
        "range": "over", "within": "over",
    }  # fmt: skip
    """What others call these keys, so that whoever writes that is told ours."""

    state: Literal["warning", "critical", "nodata"] | None = None
    """A state of the check; warning means warning or worse."""
    last: BandText | None = None
    """The last value is in this band."""
    average: BandText | None = None
    """The average of the values is in this band."""
    minimum: BandText | None = None
    """The smallest of the values is in this band: with > all of them are."""
    maximum: BandText | None = None
    """The largest of the values is in this band: with < all of them are."""
    p50: BandText | None = None
    """The value that half of them do not exceed is in this band."""
    p95: BandText | None = None
    """The value that 95 of 100 of them do not exceed is in this band."""
    sum: BandText | None = None
    """The sum of the values is in this band."""
    count: BandText | None = None
    """How many looks brought a value, such as "< 3"."""
    rate: BandText | None = None
    """How fast a counter grows, such as "> 10/min"; one that begins again is known to do so."""
    increase: BandText | None = None
    """How much a counter has grown, in its own unit."""
    change: BandText | None = None
    """How far the value is from that of before: "> 20%" or "< -20%" of it, or in its own unit."""
    drop: BandText | None = None
    """How far this hour's average is below what is usual, such as "> 40%"."""
    over: Duration | None = None
    """The time whose values are measured, up to the look."""
    at_least: Whole | None = Field(default=None, ge=1, le=100_000)
    """How many values there must be in it; with fewer nobody can tell."""
    against: Literal["same_hour"] | None = None
    """What is usual, for drop: the same weekday and hour of past weeks, holidays left out."""
    weeks: Whole | None = Field(default=None, ge=FEWEST_WEEKS, le=12)
    """How many weeks back, for drop; 4 if left out. Their median is what is usual."""
    usual: BandText | None = None
    """What must be usual for drop to mean anything, such as ">= 50": else nobody can tell."""

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        """Take a text for what it stands for."""
        if isinstance(value, (Mapping, Condition)):
            return value
        if value in STATES:
            return {"state": value}
        try:
            return {"last": quantities.parse_band(value)}
        except ValueError:
            raise PydanticCustomError(
                "condition", "{why}",
                {"why": f"{value!r} is no condition; write warning, critical, nodata, "
                        'a band such as "> 90%", or a measure: {average: "> 90%", over: 10m}'},
            ) from None  # fmt: skip

    @classmethod
    def of(cls, value: Any) -> Condition:
        """Return what a book's value says; pydantic's error for what says nothing."""
        return cls.model_validate(value)

    @property
    def said(self) -> tuple[str, ...]:
        """The measures that are written, of which a rule has one."""
        return tuple(name for name in MEASURES if getattr(self, name) is not None)

    @property
    def measure(self) -> str:
        """What is measured."""
        return self.said[0]

    @property
    def band(self) -> Band | None:
        """The band that what is measured is compared with; none for a state."""
        found = getattr(self, self.measure)
        return found if isinstance(found, Band) else None

    @property
    def weeks_back(self) -> int:
        """How many weeks a drop is compared with."""
        return self.weeks if self.weeks is not None else WEEKS

    @property
    def needed(self) -> int:
        """How many values there must be: two for what lies between two, else one or as said."""
        fewest = 2 if self.measure in {"rate", "increase"} else 1
        return max(fewest, self.at_least or 1)

    def grace(self, every: timedelta) -> timedelta:
        """How much older than `over` the value may be that stood then.

        Looks are not on the second, and one may have failed; of a check that has not looked for
        longer, nobody can say what its value was.
        """
        over = self.over or timedelta(0)
        return min(over / 2, _LOOKS_BACK * every)

    def reach(self, every: timedelta) -> timedelta:
        """How far back the check's own looks are needed, of one that looks `every` so often."""
        if self.measure == "drop":
            return timedelta(hours=1)
        if self.over is None:
            return timedelta(0)
        begun = self.measure in GROWTHS or self.measure == "count"
        return self.over + (self.grace(every) if begun else timedelta(0))

    def holds(self, state: State, value: float | None, unit: str = "") -> bool:
        """Whether one look meets a condition on a state or on the last value.

        ``warning`` means warning or worse. Missing data never counts as worse: a rule that should
        fire on silence says ``nodata``, and a band needs a value to compare.
        """
        if self.last is not None:
            return state != "nodata" and value is not None and self.last.holds(value, unit)
        return state == self.state or (self.state == "warning" and state == "critical")

    def describe(self, traffic: Traffic | None = None) -> str:
        """When it fires, and with which traffic, to be read after "when the check is"."""
        if traffic is not None:
            return f"{self.describe()}, while {traffic}"
        measure, band = self.measure, self.band
        if measure in {"state", "last"}:
            return str(band or self.state)
        if measure == "drop":
            usual = f" (where {self.usual} is usual)" if self.usual is not None else ""
            return f"down by {band} against the same hour of {self.weeks_back} weeks{usual}"
        how = {
            "average": f"{band} on average",
            "minimum": f"{band} at its lowest",
            "maximum": f"{band} at its highest",
            "sum": f"{band} in sum",
            "count": f"seen with {band} values",
            "rate": f"growing at {band}",
            "increase": f"grown by {band}",
            "change": f"changed by {band}",
        }
        over = format_duration(self.over) if self.over is not None else "?"
        least = f" (of at least {self.at_least} values)" if self.at_least is not None else ""
        return f"{how.get(measure, f'{band} at {measure}')} over {over}{least}"

    def __str__(self) -> str:
        return self.describe()


class Traffic(Part):
    """Which check must show how much, so that a share of very little pages nobody."""

    check: CheckId
    """The check whose last value says how much there is."""
    is_: BandText = Field(alias="is")
    """The band it must be in, such as ">= 50"; while it is not, nobody can tell."""

    def reach(self, every: timedelta) -> timedelta:
        """How old its last look may be, of a check that looks `every` so often."""
        return _LOOKS_BACK * every

    def __str__(self) -> str:
        return f"{self.check} is {self.is_}"
