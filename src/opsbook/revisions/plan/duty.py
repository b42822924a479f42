"""Who is on duty from now on, and what becomes of people who are no longer in the book.

Both books are asked at moments close to each other, as the pager will ask them, instead of reading
rotations: an override, a holiday or a layer's hours change who is called just as well.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from opsbook import people
from opsbook.book import Book
from opsbook.revisions.plan.model import N_, Change
from opsbook.revisions.plan.pair import Pair

AHEAD = timedelta(days=14)
EVERY = timedelta(minutes=30)
"""A stretch of duty shorter than this, within a day like any other, may be overlooked."""
MINUTE = timedelta(minutes=1)
MOST = 6
"""Stretches of one team that are told one by one."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time during which one person is called first, and by the other book another one."""

    start: datetime
    end: datetime
    before: str
    after: str


def changes(pair: Pair) -> Iterator[Change]:
    """Yield who is called when, team by team, where that differs; then who is gone."""
    for id, team in pair.added("teams"):
        yield pair.tell(
            "teams", id, N_("%(id)s is a new team of %(members)s; on duty now: %(after)s."),
            {"members": ", ".join(team.members), "after": _first(pair.new, id, pair.now)},
            kind="added", keys=["*"], soon=True,
        )  # fmt: skip
    for id, _ in pair.removed("teams"):
        yield pair.tell(
            "teams", id, N_("The team %(id)s is gone; on duty now was %(before)s."),
            {"before": _first(pair.old, id, pair.now)}, kind="removed", keys=["*"], soon=True,
        )  # fmt: skip
    for id in pair.new.teams:
        if id in pair.old.teams and _may_differ(pair, id):
            yield from _team(pair, id)
    for id, _ in pair.removed("people"):
        yield _left(pair, id)


def stretches(old: Book, new: Book, team: str, now: datetime) -> list[Stretch]:
    """Return when another person is called first for a team, over the next two weeks."""

    def ask(at: datetime) -> tuple[str, str]:
        return _first(old, team, at), _first(new, team, at)

    begin = now.astimezone(UTC).replace(second=0, microsecond=0)
    first = begin - (begin - datetime.min.replace(tzinfo=UTC)) % EVERY
    moments = [begin, *(first + n * EVERY for n in range(1, AHEAD // EVERY + 1))]
    found: list[Stretch] = []
    since, called = moments[0], ask(moments[0])
    for earlier, later in itertools.pairwise(moments):
        here = ask(later)
        if here != called:
            edge = _edge(ask, called, earlier, later)
            found.append(Stretch(since, edge, *called))
            since, called = edge, here
    found.append(Stretch(since, moments[-1], *called))
    return [one for one in found if one.before != one.after]


def _edge(
    ask: Callable[[datetime], tuple[str, str]], called: tuple[str, str], low: datetime,
    high: datetime,
) -> datetime:  # fmt: skip
    """The minute at which the answer stops being ``called``, between two moments."""
    while high - low > MINUTE:
        middle = low + (high - low) // 2 // MINUTE * MINUTE
        low, high = (middle, high) if ask(middle) == called else (low, middle)
    return high


def _first(book: Book, team: str, at: datetime) -> str:
    return next(iter(people.Duty(book).of(team, at)), "nobody")


def _may_differ(pair: Pair, team: str) -> bool:
    """Whether anything that decides about a team's duty is not as it was."""
    old, new = pair.old, pair.new
    if old.teams[team] != new.teams[team]:
        return True
    rotation = new.teams[team].rotation
    return rotation is not None and (
        old.rotations.get(rotation) != new.rotations.get(rotation)
        or (old.timezone, old.holidays) != (new.timezone, new.holidays)
    )


def _team(pair: Pair, team: str) -> Iterator[Change]:
    found = stretches(pair.old, pair.new, team, pair.now)
    rotation = pair.new.teams[team].rotation
    path = ("rotations", rotation) if rotation is not None else ("teams", team)
    tell = functools.partial(pair.tell, "teams", team, where=pair.new.where(*path))
    last = pair.now + AHEAD - EVERY
    for one in found[:MOST]:
        values = {
            "before": one.before, "after": one.after,
            "start": pair.clock(one.start), "end": pair.clock(one.end),
        }  # fmt: skip
        now = one.start <= pair.now
        if now and one.end > last:
            template = N_("%(id)s: %(after)s is on duty instead of %(before)s from now on.")
        elif now:
            template = N_("%(id)s: %(after)s is on duty now instead of %(before)s, until %(end)s.")
        elif one.end > last:
            template = N_("%(id)s: %(after)s is on duty instead of %(before)s from %(start)s on.")
        else:
            template = N_(
                "%(id)s: %(after)s is on duty instead of %(before)s from %(start)s to %(end)s."
            )
        yield tell(template, values, soon=pair.is_soon(one.start))
    if len(found) > MOST:
        n = str(len(found) - MOST)
        yield tell(N_("%(id)s: duty differs in %(n)s more stretches within two weeks."), {"n": n})


def _left(pair: Pair, id: str) -> Change:
    """Somebody who is not in the book any more, with what was theirs at this moment."""
    teams = [team for team in pair.old.teams if _first(pair.old, team, pair.now) == id]
    mine = [str(one.id) for one in pair.running.incidents if one.answered_by == id]
    pages = pair.running.pages.get(id, 0)
    values = {"teams": ", ".join(teams), "incidents": ", ".join(mine), "pages": str(pages)}
    if teams and (mine or pages):
        template = N_(
            "%(id)s is no longer in the book, is on duty now for %(teams)s, has incidents "
            "(%(incidents)s) and %(pages)s pages that are not delivered yet."
        )
    elif teams:
        template = N_("%(id)s is no longer in the book and is on duty now for %(teams)s.")
    elif mine or pages:
        template = N_(
            "%(id)s is no longer in the book and has incidents (%(incidents)s) and %(pages)s pages "
            "that are not delivered yet."
        )
    else:
        template = N_("%(id)s is no longer in the book.")
    values["incidents"] = values["incidents"] or "–"
    return pair.tell(
        "people", id, template, values, kind="removed", keys=["*"],
        soon=bool(teams or mine or pages),
    )  # fmt: skip
