"""Time intervals: Alertmanager's ranges as a book's, and back.

The ranges are the same; a time of day is one text in a book (``09:00-17:00``) and two in
Alertmanager, whose zone is UTC where none is said, and a book's own zone is the book's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final
from zoneinfo import available_timezones

from pydantic_core import PydanticCustomError

from opsbook.alerts.exchange.findings import Finding
from opsbook.alerts.exchange.layout import Noted
from opsbook.alerts.exchange.reading import At
from opsbook.book import Book, intervals
from opsbook.book.intervals import WEEKDAYS, Span
from opsbook.book.positions import dotted
from opsbook.book.sections.routing import TimeRange
from opsbook.calendar import Hours
from opsbook.calendar.hours import Period

_KEYS: Final = ("times", "weekdays", "days_of_month", "months", "years", "location")
_READERS: Final[Mapping[str, Callable[[Any], Span]]] = {
    "weekdays": intervals.weekdays,
    "days_of_month": intervals.days_of_month,
    "months": intervals.months,
    "years": intervals.years,
}
_DAY: Final = 24 * 60


def read(at: At, zone: str | None) -> dict[str, Any]:
    """Return one named interval as a book writes it; `zone` is the book's own."""
    said = at.note.get("zones")
    said = said if isinstance(said, list) else []
    ranges = [_range(one, None if n in said else zone)
              for n, one in enumerate(at.each("time_intervals"))]  # fmt: skip
    if not ranges:
        remedy = "write at least one range under time_intervals:"
        at.say("error", "", "has no ranges, so that it never holds", remedy)
    return {"ranges": ranges}


def _range(at: At, zone: str | None) -> dict[str, Any]:
    at.only(_KEYS)
    found: dict[str, Any] = {}
    times = [_times(one) for one in at.each("times")]
    if times:
        found["times"] = [one for one in times if one]
    for name, reader in _READERS.items():
        texts = []
        for n, text in at.texts_at(name):
            try:
                texts.append(str(reader(text)))
            except PydanticCustomError as error:
                where = at.place(name, n)
                at.sheet.say("error", where, f"{dotted(where)}: {error.message()}")
        if texts:
            found[name] = [int(one) if one.isdigit() else one for one in texts]
    location = at.text("location") or "UTC"
    if location == "Local":
        told = "means the zone of the machine that Alertmanager runs on"
        at.say("error", "location", told, "write that zone, such as Asia/Seoul")
    elif location not in available_timezones():
        told = f"{location!r} is not a time zone"
        at.say("error", "location", told, "write one such as Asia/Seoul or UTC")
    elif location != zone:
        found["timezone"] = location
    return found


def _times(at: At) -> str:
    at.only(("start_time", "end_time"))
    text = f"{at.text('start_time')}-{at.text('end_time')}"
    try:
        return str(intervals.times(text))
    except PydanticCustomError:
        told = f"from {at.text('start_time')!r} to {at.text('end_time')!r} is no time range"
        at.say("error", "", told, "write start_time: '09:00' and a later end_time: '17:00'")
        return ""


def says(hours: str, ranges: list[dict[str, Any]], zone: str | None) -> bool:
    """Whether ranges, as a book writes them, are still what opening hours come to."""
    place = next((one["timezone"] for one in ranges if "timezone" in one), zone or "UTC")
    try:
        parsed = Hours.parse(hours, place)
    except ValueError:
        return False
    written = list(_of_hours(parsed.periods, place)) or [{"location": place}]
    told = [{name: one for name, one in each.items() if name != "location"} for each in written]
    for each in told:
        if "times" in each:
            each["times"] = [f"{one['start_time']}-{one['end_time']}" for one in each["times"]]
    plain = [{name: one for name, one in each.items() if name != "timezone"} for each in ranges]
    return plain == told and len({one.get("timezone") for one in ranges}) <= 1


def for_alertmanager(book: Book, used: Collection[str], findings: list[Finding]) -> list[Any]:
    """Return every interval, and of the hours those that are `used` by a route."""
    written: list[Any] = []
    for id, interval in book.time_intervals.items():
        note: dict[str, Any] = {}
        if interval.title is not None:
            note["title"] = _plain(interval.title)
        ours = [n for n, one in enumerate(interval.ranges) if one.timezone == book.timezone]
        if ours:
            note["zones"] = ours  # said although it is the book's own
        ranges = [_written(one, book.timezone) for one in interval.ranges]
        written.append(Noted({"name": id, "time_intervals": ranges}, note or None))
    for id, hours in book.hours.items():
        if id not in used or id in book.time_intervals:
            continue
        parsed = Hours.parse(hours.open, book.timezone, book.days)
        ranges = list(_of_hours(parsed.periods, book.timezone)) or [{"location": book.timezone}]
        if any(one.skip or one.business for one in parsed.periods):
            place = book.positions.key(("hours", id))
            told = f"hours.{id}: Alertmanager knows no holidays; in it these hours hold on them too"
            at = (place.file, place.line, place.column) if place else ("book.yaml", 1, 1)
            remedy = "mute the holidays there by intervals with days_of_month and months"
            findings.append(Finding(*at, "changed", told, remedy))
        note = {"hours": hours.open}  # read back while the ranges say the same
        if hours.title is not None:
            note["title"] = _plain(hours.title)
        written.append(Noted({"name": id, "time_intervals": ranges}, note))
    return written


def _plain(text: Any) -> Any:
    by = dict(text.by_language)
    return by[""] if set(by) == {""} else by


def _written(one: TimeRange, zone: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if one.times:
        found["times"] = [
            {"start_time": str(span).partition("-")[0], "end_time": str(span).partition("-")[2]}
            for span in one.times
        ]
    for name in _READERS:
        if spans := getattr(one, name):
            found[name] = [str(span) for span in spans]
    found["location"] = one.timezone or zone
    return found


def _of_hours(periods: tuple[Period, ...], zone: str) -> Iterator[dict[str, Any]]:
    """The ranges of opening hours; a period over midnight becomes two."""
    for period in periods:
        days = (1, 2, 3, 4, 5) if period.business else period.days
        end = min(period.end, _DAY)
        if end > period.start:
            yield _hours(period.start, end, days, zone)
        if period.end > _DAY:
            yield _hours(0, period.end - _DAY, [(day + 1) % 7 for day in days], zone)


def _hours(start: int, end: int, days: Any, zone: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if (start, end) != (0, _DAY):
        found["times"] = [{"start_time": _clock(start), "end_time": _clock(end)}]
    if len(set(days)) < len(WEEKDAYS):
        found["weekdays"] = [WEEKDAYS[day] for day in sorted(days)]
    found["location"] = zone
    return found


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
