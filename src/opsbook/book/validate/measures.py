"""What a rule measures: one thing, with what it needs, over looks that there are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from opsbook.base.quantities import RATES, Band, format_duration
from opsbook.book.measures import GROWTHS, STATISTICS, Condition
from opsbook.book.positions import Path
from opsbook.book.problems import Problem
from opsbook.book.sections.alerts import Rule
from opsbook.book.sections.checks import Check
from opsbook.book.validate.bands import fits, misfit
from opsbook.book.validate.whole import Whole

BELONGS = {
    "over": (*STATISTICS, *GROWTHS),
    "at_least": ("average", "minimum", "maximum", "p50", "p95", "sum", "rate", "increase"),
    "against": ("drop",),
    "weeks": ("drop",),
    "usual": ("drop",),
}
"""Keys that say more of a measure, and of which."""
MOST_VALUES = 25_000
SLOWEST = timedelta(minutes=15)
WEEK = timedelta(days=7)


def measures(whole: Whole, path: Path, rule: Rule) -> Iterator[Problem]:
    """What is wrong with what a rule measures and with the traffic it wants."""
    check = whole.sections.checks.get(rule.check or "")
    if rule.when is not None:
        yield from _condition(whole, (*path, "when"), rule.when, check)
    if rule.traffic is not None:
        other = whole.sections.checks.get(rule.traffic.check)
        if other is not None and not fits(other, rule.traffic.is_):
            yield whole.problem((*path, "traffic", "is"), *misfit(other, rule.traffic.is_))


def _condition(whole: Whole, path: Path, when: Condition, check: Check | None) -> Iterator[Problem]:
    said = when.said
    if not said:
        told = "does not say what is measured"
        yield whole.at_key(path, told, 'add one measure, such as average: "> 80%" with over: 10m')
        return
    for name in said[1:]:
        told = f"cannot measure both {said[0]} and {name}"
        yield whole.at_key((*path, name), told, "keep one of them, and make two rules of it")
    if len(said) > 1:
        return
    yield from _company(whole, path, when)
    if check is None:
        return
    yield from _units(whole, path, when, check)
    if check.every:
        yield from (_hours if when.measure == "drop" else _time)(whole, path, when, check)


def _company(whole: Whole, path: Path, when: Condition) -> Iterator[Problem]:
    """A measure has the keys it needs, and no others."""
    measure = when.measure
    for name, measured in BELONGS.items():
        if getattr(when, name) is None or measure in measured:
            continue
        told = f"means nothing for {measure}"
        if name == "at_least" and measure == "drop":
            remedy = 'write usual: ">= 50" for how much must be usual, or remove it'
        elif name == "over" and measure == "drop":
            remedy = 'remove it, or write change: "< -20%" for a fall within that time'
        elif name == "over" and measure == "last":
            remedy = "say of what: average, minimum, maximum, p95 and so on instead of last"
        else:
            remedy = "remove it"
        yield whole.at_key((*path, name), told, remedy)
    if measure in BELONGS["over"] and when.over is None:
        told = f"does not say over which time the {measure} is taken"
        yield whole.at_key((*path, measure), told, "add over: with a time such as 10m")
    if measure == "drop" and when.against is None:
        told = "does not say against what it has dropped"
        remedy = "add against: same_hour, which is the same weekday and hour of past weeks"
        yield whole.at_key((*path, measure), told, remedy)


def _units(whole: Whole, path: Path, when: Condition, check: Check) -> Iterator[Problem]:
    """Bands are in a unit that what is measured can have."""
    band, measure = when.band, when.measure
    if band is None:
        return
    place = (*path, measure)
    if measure == "count":
        if not _plain(band):
            told = f"{str(band)!r} is no number of values"
            yield whole.problem(place, told, 'write a plain number, such as "< 3"')
    elif measure == "rate":
        if not band.limit.unit or band.limit.unit not in RATES:
            told = f"{str(band)!r} does not say how much in which time"
            yield whole.problem(place, told, 'write it as "> 10/min" or "> 2/s"')
        elif check.value_unit is not None and _is_measured(check.value_unit):
            told = f"a rate counts, and the check's values are in {check.value_unit}"
            remedy = "write increase: or change: with a quantity in that unit"
            yield whole.at_key(place, told, remedy)
    elif measure == "drop":
        if band.limit.unit != "%":
            told = f"{str(band)!r} is no share of what is usual"
            yield whole.problem(place, told, 'write a percentage, such as "> 40%"')
    elif not (measure == "change" and band.limit.unit == "%") and not fits(check, band):
        yield whole.problem(place if len(when.model_fields_set) > 1 else path, *misfit(check, band))
    if when.usual is not None and measure == "drop" and not fits(check, when.usual):
        yield whole.problem((*path, "usual"), *misfit(check, when.usual))


def _plain(band: Band) -> bool:
    return not band.limit.unit and (band.upto is None or not band.upto.unit)


def _is_measured(unit: str) -> bool:
    """Whether values in this unit are no counts, so that "10/min" of them says nothing."""
    return unit in {"%", "ms", "s", "d", "bytes", *RATES}


def _time(whole: Whole, path: Path, when: Condition, check: Check) -> Iterator[Problem]:
    """Enough looks fall into the time, all of them are still kept, and they are not too many."""
    if when.over is None:
        return
    over, every = format_duration(when.over), format_duration(check.every)
    place = (*path, "over")
    fewest = 2 if when.measure in GROWTHS else 1
    most = -(-when.over // check.every)
    reach, kept = when.reach(check.every), whole.sections.retention.observations
    if when.over < fewest * check.every:
        told = f"{over} is too short for a check that looks every {every}"
        remedy = (
            f"write {format_duration(fewest * check.every)} or more, or lower the check's every:"
        )
        yield whole.problem(place, told, remedy)
    elif reach > kept:
        told = f"looks of {format_duration(reach)} are needed and kept for {format_duration(kept)}"
        remedy = "write a shorter time, or raise observations: under retention:"
        yield whole.problem(place, told, remedy)
    elif most > MOST_VALUES:
        told = f"{over} has {most} looks every {every}, and at most {MOST_VALUES} are measured"
        yield whole.problem(place, told, "write a shorter time, or raise the check's every:")
    elif when.at_least is not None and when.at_least > most:
        told = f"{when.at_least} values never fall into {over}, of a look every {every}"
        remedy = f"write {most} or less, or a longer time in over:"
        yield whole.problem((*path, "at_least"), told, remedy)


def _hours(whole: Whole, path: Path, when: Condition, check: Check) -> Iterator[Problem]:
    """An hour has several looks, and the hours it is compared with are still kept."""
    if check.every > SLOWEST:
        told = f"an hour says little of a check that looks every {format_duration(check.every)}"
        remedy = "let the check look every 15m or more often, or write change: instead"
        yield whole.at_key((*path, "drop"), told, remedy)
    retention = whole.sections.retention
    if retention.observations < timedelta(hours=1):
        told = "looks of an hour are needed and kept for " + format_duration(retention.observations)
        yield whole.at_key((*path, "drop"), told, "raise observations: under retention:")
    kept = retention.rollups_1h
    if when.weeks_back * WEEK > kept:
        told = f"hours of {when.weeks_back} weeks are needed and kept for {format_duration(kept)}"
        remedy = "write fewer weeks:, or raise rollups_1h: under retention:"
        yield whole.at_key((*path, "weeks" if when.weeks else "drop"), told, remedy)
