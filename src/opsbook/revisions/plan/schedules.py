"""When things come: every schedule of the book, by the next times it means before and after.

A schedule can move without a letter of it being changed: by the book's time zone, or by a holiday.
So it is the times that are compared, for whatever field is marked as a schedule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from opsbook.book import Book
from opsbook.book.times import IsSchedule
from opsbook.book.walk import marked
from opsbook.calendar import Schedule, ScheduleError
from opsbook.revisions.plan.model import N_, Change
from opsbook.revisions.plan.pair import Pair
from opsbook.revisions.plan.values import Path, dotted

AHEAD = 5
"""How many of the next times are compared: enough to see another weekday or another hour."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A schedule of the book with its next times; none for one that never comes again."""

    text: str
    zone: ZoneInfo
    times: tuple[datetime, ...]

    @property
    def next(self) -> datetime | None:
        """The next time."""
        return self.times[0] if self.times else None


def changes(pair: Pair) -> Iterator[Change]:
    """Yield each schedule that comes at other times, is new or is gone."""
    if pair.old.timezone != pair.new.timezone:
        yield pair.tell(
            "book", "timezone",
            N_("The book's time zone is %(after)s instead of %(before)s."),
            {"before": pair.old.timezone, "after": pair.new.timezone}, keys=["*"], soon=True,
        )  # fmt: skip
    for section in type(pair.new).model_fields:
        before, after = getattr(pair.old, section), getattr(pair.new, section)
        if isinstance(after, Mapping):
            for id in after if _calendar_moved(pair) else pair.differing(section):
                if isinstance(after.get(id), BaseModel):
                    yield from _element(pair, section, id, before.get(id), after[id])
            for id, one in pair.removed(section):
                if isinstance(one, BaseModel):
                    yield from _gone(pair, section, id, one)


def _element(pair: Pair, section: str, id: str, before: Any, after: BaseModel) -> Iterator[Change]:
    if before is not None and before == after and not _calendar_moved(pair):
        return
    was = dict(_schedules(before)) if before is not None else {}
    now = dict(_schedules(after))
    for path, text in now.items():
        if path not in was:
            yield from _came(pair, section, id, path, _timed(pair.new, after, text, pair.now))
            continue
        old = _timed(pair.old, before, was[path], pair.now)
        new = _timed(pair.new, after, text, pair.now)
        if (old.text, old.zone.key, old.times) != (new.text, new.zone.key, new.times):
            yield _moved(pair, section, id, path, old, new)
    for path, text in was.items():
        if path not in now:
            old = _timed(pair.old, before, text, pair.now)
            yield pair.tell(
                section, id, N_("%(id)s has no %(key)s any more; next was %(before)s (%(zone)s)."),
                {"key": dotted(path), **_next(pair, old, "before")}, keys=[dotted(path)],
                soon=pair.is_soon(old.next),
            )  # fmt: skip


def _moved(pair: Pair, section: str, id: str, path: Path, old: Timed, new: Timed) -> Change:
    same = old.next == new.next and old.zone.key == new.zone.key
    known = {"key": dotted(path), **_next(pair, new, "after")}
    keys = [dotted(path), *(["timezone"] if old.zone.key != new.zone.key else [])]
    if same:
        return pair.tell(
            section, id,
            N_("%(id)s: %(key)s is “%(text)s” instead of “%(was)s”; next as before on %(after)s "
               "(%(zone)s)."),
            {**known, "text": new.text, "was": old.text}, keys=keys, at=path,
        )  # fmt: skip
    known |= {"text": new.text, "was": old.text, **_next(pair, old, "before")}
    known["zone"] = new.zone.key
    if old.zone.key != new.zone.key:
        template = N_(
            "%(id)s: %(text)s (%(zone)s) instead of %(was)s (%(before_zone)s); "
            "next on %(after)s instead of %(before)s."
        )
        known["before_zone"] = old.zone.key
    else:
        known["before"] = _short(known["before"], known["after"])
        template = (
            N_(
                "%(id)s: %(text)s instead of %(was)s; "
                "next on %(after)s instead of %(before)s (%(zone)s)."
            )
            if old.text != new.text
            else N_("%(id)s: next on %(after)s instead of %(before)s (%(zone)s).")
        )
    soon = pair.is_soon(old.next, new.next)
    return pair.tell(section, id, template, known, keys=keys, at=path, soon=soon)


def _came(pair: Pair, section: str, id: str, path: Path, new: Timed) -> Iterator[Change]:
    whole = id not in getattr(pair.old, section)
    runbook = str(getattr(getattr(pair.new, section)[id], "runbook", ""))
    if whole and section == "routines":
        yield pair.tell(
            section, id, N_("%(id)s is new: next on %(after)s (%(zone)s), starts %(runbook)s."),
            {"runbook": runbook, **_next(pair, new, "after")}, kind="added", keys=["*"],
            soon=pair.is_soon(new.next),
        )  # fmt: skip
        return
    yield pair.tell(
        section, id, N_("%(id)s: %(key)s is new: next on %(after)s (%(zone)s)."),
        {"key": dotted(path), **_next(pair, new, "after")}, keys=[dotted(path)], at=path,
        soon=pair.is_soon(new.next),
    )  # fmt: skip


def _gone(pair: Pair, section: str, id: str, one: BaseModel) -> Iterator[Change]:
    for path, text in _schedules(one):
        old = _timed(pair.old, one, text, pair.now)
        yield pair.tell(
            section, id, N_("%(id)s is gone: %(key)s would have come on %(before)s (%(zone)s)."),
            {"key": dotted(path), **_next(pair, old, "before")}, kind="removed", keys=["*"],
            soon=pair.is_soon(old.next),
        )  # fmt: skip


def _schedules(one: BaseModel) -> Iterator[tuple[Path, str]]:
    for found in marked(one):
        if isinstance(found.mark, IsSchedule):
            yield found.path, found.value


def _calendar_moved(pair: Pair) -> bool:
    return pair.old.timezone != pair.new.timezone or pair.old.holidays != pair.new.holidays


def _timed(book: Book, one: Any, text: str, now: datetime) -> Timed:
    zone = ZoneInfo(getattr(one, "timezone", None) or book.timezone)
    schedule = Schedule.parse(text, zone, book.days)
    times: list[datetime] = []
    at = now
    for _ in range(AHEAD):
        try:
            at = schedule.next_after(at)
        except ScheduleError:
            break
        times.append(at)
    return Timed(text, zone, tuple(times))


def _next(pair: Pair, timed: Timed, name: str) -> dict[str, str]:
    told = pair.clock(timed.next, timed.zone) if timed.next is not None else "never"
    return {name: told, "zone": timed.zone.key}


def _short(before: str, after: str) -> str:
    """A moment as the hour alone where the other one is on the same day."""
    day, _, hour = before.rpartition(" ")
    return hour if day and after.startswith(f"{day} ") else before
