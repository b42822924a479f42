"""What a rule measures and whether that meets it: values in, an explanation out.

`explain` is the one place that decides, so that what a page says of a rule is what the rule did.
What cannot be told is said with its reason, and never guessed: neither an alert nor its end may
come of missing data.

A statistic is the very one that a check may have of its looks, and a counter that becomes smaller
has begun again at 0, as Prometheus' ``rate`` has it. What is otherwise there: growth is counted
from the value that stood when the time began and is not stretched to its ends, so that three
restarts are an increase of 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from statistics import median
from typing import Any, Final

from opsbook.alerts.baseline import Baseline
from opsbook.alerts.series import EMPTY, Series
from opsbook.base.quantities import (
    RATES,
    Band,
    Quantity,
    QuantityError,
    format_duration,
    format_quantity,
)
from opsbook.book.fields import State
from opsbook.book.measures import FEWEST_WEEKS, GROWTHS, STATISTICS, Condition
from opsbook.book.sections.alerts import Rule
from opsbook.checks.recent import statistic


def N_(sentence: str) -> str:  # noqa: N802  gettext's own name for it
    """Mark a sentence for translation; whoever shows it says it."""
    return sentence


@dataclass(frozen=True, slots=True)
class Flow:
    """The last look at the check that says how much traffic there is."""

    longest: timedelta
    """How old that look may be."""
    looked: bool = False
    """Whether there was one."""
    value: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """What was there before an observation, as far as its rule asks for it."""

    every: timedelta = timedelta(minutes=1)
    series: Series = EMPTY
    baseline: Baseline | None = None
    flow: Flow | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a rule needs to know of an observation."""

    at: datetime
    state: State
    value: float | None = None
    unit: str = ""
    past: Past = Past()


@dataclass(frozen=True, slots=True)
class Part:
    """A sentence with its values, which are durations, quantities, bands, moments and numbers."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template % {name: _plain(value) for name, value in self.values.items()}


@dataclass(frozen=True, slots=True)
class Explained:
    """Whether a rule's condition holds (`None`: nobody can tell), of what value, and why."""

    meets: bool | None
    value: float | None = None
    unit: str = ""
    parts: tuple[Part, ...] = ()

    def __str__(self) -> str:
        return "; ".join(str(part) for part in self.parts)


def explain(rule: Rule, seen: Seen) -> Explained:
    """Say what `rule` makes of an observation: what was measured, how, and against which limit."""
    when = rule.when
    if when is None:
        return Explained(None)
    found = _measured(when, seen)
    if found.meets is None or rule.traffic is None:
        return found
    why = _quiet(rule.traffic.is_, rule.traffic.check, seen)
    if why is None:
        return found
    return Explained(None, found.value, found.unit, (*found.parts, why))


def _measured(when: Condition, seen: Seen) -> Explained:
    band = when.band
    if band is None:
        return _state(when, seen)
    if when.measure != "count" and (seen.state == "nodata" or seen.value is None):
        return Explained(None, parts=(Part(NO_VALUE),))
    if when.measure == "last":
        value = Quantity(seen.value or 0.0, seen.unit)
        return _against(band, value, Part(LAST, {"value": value}))
    if when.measure in STATISTICS:
        return _statistic(when, band, seen)
    if when.measure in GROWTHS:
        return _growth(when, band, seen)
    return _drop(when, band, seen)


def _state(when: Condition, seen: Seen) -> Explained:
    told = Part(STATE, {"state": seen.state})
    if seen.state == "nodata" and when.state != "nodata":
        return Explained(None, parts=(told,))
    return Explained(when.holds(seen.state, None), parts=(told, Part(FIRES, {"when": when.state})))


def _against(band: Band, value: Quantity, told: Part) -> Explained:
    """Compare what was measured with the band; what cannot be compared cannot be told.

    Neither can a sum that no number holds any more. The book's validation refuses a unit that is
    known to be wrong beforehand.
    """
    limit = Part(LIMIT, {"band": band})
    if not math.isfinite(value.value):
        return Explained(None, parts=(told, Part(TOO_LARGE)))
    try:
        meets = band.holds(value.value, value.unit)
    except QuantityError:
        odd = Part(OTHER_UNIT, {"band": band, "unit": value.unit or "plain numbers"})
        return Explained(None, value.value, value.unit, (told, odd))
    return Explained(meets, value.value, value.unit, (told, limit))


def _statistic(when: Condition, band: Band, seen: Seen) -> Explained:
    """A statistic of the values that came after `over` ago, up to this look's own.

    How many there are is known only of a check that was looked at since then: one that has just
    begun, or begun again, would have too few at once.
    """
    over = when.over or timedelta(0)
    values = seen.past.series.values_in(seen.at - over, seen.at)
    unit = seen.past.series.unit
    if when.measure == "count":
        began = seen.at - over
        if not seen.past.series.has_look(began - when.grace(seen.past.every), began):
            return Explained(None, parts=(Part(NOT_LOOKED, {"over": over}),))
        told = Part(COUNT, {"n": len(values), "over": over})
        return _against(band, Quantity(float(len(values))), told)
    if len(values) < when.needed:
        return _too_few(when, len(values))
    value = Quantity(STATISTIC[when.measure](values), unit)
    told = Part(OVER[when.measure], {"over": over, "value": value, "n": len(values)})
    return _against(band, value, told)


def _too_few(when: Condition, count: int) -> Explained:
    values = {"n": count, "over": when.over, "least": when.needed}
    return Explained(None, parts=(Part(TOO_FEW, values),))


def _growth(when: Condition, band: Band, seen: Seen) -> Explained:
    """What became of the value since the one that stood `over` ago.

    That is the newest of then or before, see `Condition.grace`. A counter that was first seen later
    is counted from there; a change has to be one from then.
    """
    over, series = when.over or timedelta(0), seen.past.series
    then = seen.at - over
    began = series.index_at(then, then - when.grace(seen.past.every))
    if when.measure == "change":
        if began is None:
            return Explained(None, parts=(Part(NOTHING_THEN, {"over": over}),))
        return _change(when, band, series.values[began], seen)
    times, values = series.between(began, then, seen.at)
    if len(values) < when.needed:
        return _too_few(when, len(values))
    grown = increase(values)
    if when.measure == "increase":
        value = Quantity(grown, series.unit)
        told = Part(
            INCREASE,
            {"over": over, "value": value, "n": len(values),
             "first": Quantity(values[0], series.unit), "last": Quantity(values[-1], series.unit)},
        )  # fmt: skip
        return _against(band, value, told)
    seconds = (times[-1] - times[0]) / 1_000_000
    if seconds <= 0:
        return _too_few(when, 1)
    rate = Quantity(grown / seconds, "/s")
    unit = band.limit.unit if band.limit.unit in RATES else "/s"
    shown = Quantity(rate.in_unit(unit), unit)
    told = Part(RATE, {"over": over, "value": shown, "n": len(values)})
    return _against(band, shown, told)


def _change(when: Condition, band: Band, before: float, seen: Seen) -> Explained:
    """In percent of what it was, or in the value's own unit, as the band has it."""
    last, unit = seen.value or 0.0, seen.past.series.unit
    values: dict[str, Any] = {
        "over": when.over, "before": Quantity(before, unit), "last": Quantity(last, unit),
    }  # fmt: skip
    if band.limit.unit != "%":
        value = Quantity(last - before, unit)
        return _against(band, value, Part(CHANGE, {**values, "value": value}))
    if before == 0:
        return Explained(None, parts=(Part(WAS_ZERO, {"over": when.over}),))
    value = Quantity((last - before) / abs(before) * 100, "%")
    return _against(band, value, Part(CHANGE, {**values, "value": value}))


def _drop(when: Condition, band: Band, seen: Seen) -> Explained:
    """How far the average of this hour is below the median of the same hours of past weeks."""
    baseline, series = seen.past.baseline, seen.past.series
    if baseline is None:
        return Explained(None, parts=(Part(NO_HISTORY, {"n": 0, "weeks": when.weeks_back}),))
    if baseline.holiday:
        return Explained(None, parts=(Part(HOLIDAY),))
    values = series.values_in(baseline.start, seen.at, closed=True)
    if len(values) < baseline.fewest:
        told = Part(YOUNG_HOUR, {"n": len(values), "least": baseline.fewest})
        return Explained(None, parts=(told,))
    weeks = baseline.comparable(series.unit)
    if len(weeks) < FEWEST_WEEKS:
        told = Part(NO_HISTORY, {"n": len(weeks), "weeks": when.weeks_back})
        return Explained(None, parts=(told,))
    usual = Quantity(median(weeks), series.unit)
    if when.usual is not None and not _lies_in(when.usual, usual):
        told = Part(TOO_LITTLE_USUAL, {"usual": usual, "band": when.usual})
        return Explained(None, parts=(told,))
    if usual.value <= 0:
        return Explained(None, parts=(Part(NOTHING_USUAL, {"usual": usual}),))
    now = Quantity(statistic("average", values), series.unit)
    value = Quantity((usual.value - now.value) / usual.value * 100, "%")
    told = Part(
        DROP,
        {"value": value, "now": now, "n": len(values), "usual": usual, "weeks": len(weeks)},
    )
    return _against(band, value, told)


def _quiet(band: Band, check: str, seen: Seen) -> Part | None:
    """Why nobody can tell for want of traffic; `None` where there is enough."""
    flow = seen.past.flow or Flow(timedelta(0))
    if not flow.looked:
        return Part(OLD_FLOW, {"check": check, "over": flow.longest})
    if flow.value is None:
        return Part(NO_FLOW, {"check": check})
    value = Quantity(flow.value, flow.unit)
    if _lies_in(band, value):
        return None
    return Part(LITTLE_FLOW, {"check": check, "value": value, "band": band})


def _lies_in(band: Band, value: Quantity) -> bool:
    try:
        return band.holds(value.value, value.unit)
    except QuantityError:
        return False


def half(values: Sequence[float]) -> float:
    """The smallest value that at least half of them do not exceed, by nearest rank as the p95."""
    return sorted(values)[-(-len(values) // 2) - 1]


def increase(values: Sequence[float]) -> float:
    """How much a counter grew from the first value to the last, beginnings at 0 counted."""
    grown = values[-1] - values[0]
    before = values[0]
    for value in values:
        if value < before:
            grown += before
        before = value
    return grown


STATISTIC: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "average": partial(statistic, "average"),
    "minimum": partial(statistic, "minimum"),
    "maximum": partial(statistic, "maximum"),
    "p50": half,
    "p95": partial(statistic, "p95"),
    "sum": partial(statistic, "sum"),
}

STATE: Final = N_("the check is %(state)s")
FIRES: Final = N_("it fires at %(when)s")
LAST: Final = N_("the last value is %(value)s")
LIMIT: Final = N_("it fires at %(band)s")
COUNT: Final = N_("values over %(over)s: %(n)s")
OVER: Final = {
    "average": N_("the average over %(over)s is %(value)s (values: %(n)s)"),
    "minimum": N_("the minimum over %(over)s is %(value)s (values: %(n)s)"),
    "maximum": N_("the maximum over %(over)s is %(value)s (values: %(n)s)"),
    "p50": N_("p50 over %(over)s is %(value)s (values: %(n)s)"),
    "p95": N_("p95 over %(over)s is %(value)s (values: %(n)s)"),
    "sum": N_("the sum over %(over)s is %(value)s (values: %(n)s)"),
}
RATE: Final = N_("it grew at %(value)s over %(over)s (values: %(n)s)")
INCREASE: Final = N_(
    "it grew by %(value)s over %(over)s, from %(first)s to %(last)s (values: %(n)s)"
)
CHANGE: Final = N_("it changed by %(value)s over %(over)s, from %(before)s to %(last)s")
DROP: Final = N_(
    "this hour's average is %(now)s (values: %(n)s), %(value)s below the usual %(usual)s "
    "(weeks: %(weeks)s)"
)
NO_VALUE: Final = N_("the look brought no value")
TOO_LARGE: Final = N_("no number is large enough for it")
OTHER_UNIT: Final = N_("a value in %(unit)s cannot be compared with %(band)s")
NOT_LOOKED: Final = N_("it was not looked at for all of the last %(over)s")
TOO_FEW: Final = N_("too few values over %(over)s: %(n)s of at least %(least)s")
NOTHING_THEN: Final = N_("nothing is known of the value %(over)s before")
WAS_ZERO: Final = N_("the value was 0 %(over)s before, of which there is no share")
HOLIDAY: Final = N_("today is a holiday, and usual is what other days have")
YOUNG_HOUR: Final = N_("this hour has too few values so far: %(n)s of at least %(least)s")
NO_HISTORY: Final = N_("the same hour can be compared in %(n)s of %(weeks)s weeks; 2 are needed")
TOO_LITTLE_USUAL: Final = N_("usual is %(usual)s at this hour, and the rule wants %(band)s")
NOTHING_USUAL: Final = N_("usual is %(usual)s at this hour, of which there is no share")
NO_FLOW: Final = N_("nothing is known of the traffic: %(check)s has no value")
OLD_FLOW: Final = N_("nothing is known of the traffic: no look at %(check)s within %(over)s")
LITTLE_FLOW: Final = N_("too little traffic: %(check)s is %(value)s, and the rule wants %(band)s")


def _plain(value: Any) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Quantity):
        return format_quantity(value.value, value.unit)
    return str(value)
