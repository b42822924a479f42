"""How an element stands at this moment: its state, who is on turn, what comes next, what ran last.

Each answer is a few lines of HTML beside the element's fields. What the visitor may not read
(incidents and alerts, checks, runs) is left out, as everywhere.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from opsbook import people
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.notify.webhooks import store as deliveries
from opsbook.routines import store as routines
from opsbook.web import readings, sayings, sendings, words
from opsbook.web import store as pages
from opsbook.web.handbook import links, store
from opsbook.web.shown import Shown
from opsbook.web.visit import Visit

TURNS: Final = 6
AHEAD: Final = (timedelta(days=14), timedelta(days=90), timedelta(days=366))
MOST: Final = 12


@dataclass(frozen=True)
class Live:
    """What is true now: lines of a word and what it says, and the checks among it as rows."""

    lines: Sequence[tuple[str, Markup]] = ()
    checks: Sequence[readings.Row] = ()


@dataclass(frozen=True)
class Moment:
    """What every answer needs: the database, who looks, and which book."""

    tx: Transaction
    visit: Visit
    book: Book

    @functools.cached_property
    def duty(self) -> people.Duty:
        """Who is called, as it stands now."""
        return people.duty(self.tx, self.book, self.visit.now)

    @property
    def ui(self) -> Shown:
        """What shows states and times."""
        return Shown(self.visit, self.visit.kept.statics)

    @property
    def zone(self) -> ZoneInfo:
        """The book's zone."""
        return ZoneInfo(self.book.timezone)

    def link(self, section: str, id: str) -> Markup:
        """Return a link to an element."""
        title = links.title(self.visit.speech, self.book, section, id)
        return Markup('<a href="{}">{}</a>').format(links.path(self.book.id, section, id), title)

    def may(self, area: str) -> bool:
        """Whether the visitor may read an area of this book."""
        return self.visit.may(f"{area}:read", self.book)


def of(tx: Transaction, visit: Visit, book: Book, section: str, id: str) -> Live:
    """Return how an element stands; nothing for what has no state."""
    asked = ANSWERS.get(section)
    return asked(Moment(tx, visit, book), id) if asked is not None else Live()


def check(at: Moment, id: str) -> Live:
    """A check: the row as the Checks page has it."""
    return Live(checks=_rows(at, [id]))


def service(at: Moment, id: str) -> Live:
    """A service: its checks, and the incidents that its rules opened."""
    mine = [one.id for one in at.book.checks.values() if one.service == id]
    rules = [one.id for one in at.book.rules.values() if one.check in set(mine)]
    lines = _incidents(at, rules=rules) if rules else []
    return Live(lines, _rows(at, mine)[:MOST])


def rule(at: Moment, id: str) -> Live:
    """A rule: whether it fires, or when it last did."""
    if not at.may("incidents"):
        return Live()
    speech = at.visit.speech
    last = store.last_alert(at.tx, at.book.id, id)
    if last is None:
        return Live([(speech.say("Alert"), Markup("{}").format(speech.say("It never fired.")))])
    if last["state"] == "firing":
        since = at.ui.since(last["fired_at"], at.zone)
        told = Markup('<span class="state critical">{}</span> ').format(speech.say("firing"))
        told += speech.html("for %(span)s", span=since)
    else:
        told = speech.html("last fired %(ago)s", ago=at.ui.ago(last["fired_at"], at.zone))
    return Live([(speech.say("Alert"), told), *_incidents(at, rules=[id])])


def severity(at: Moment, id: str) -> Live:
    """A severity: its incidents that are not over."""
    return Live(_incidents(at, severity=id))


def person(at: Moment, id: str) -> Live:
    """A person: the teams they are on duty for now, and what comes after."""
    speech, lines = at.visit.speech, []
    for team in at.book.teams.values():
        if id not in team.members:
            continue
        first = at.duty.of(team.id, at.visit.now)[:1]
        told = speech.say("on duty now") if first == [id] else speech.say("not on duty now")
        shown = Markup("{}: {}").format(at.link("teams", team.id), told)
        if team.rotation is not None:
            turn = next((one for one in turns(at.duty, team.rotation, at.visit.now, 30)[1:]
                         if one[1] == id), None)  # fmt: skip
            if turn is not None and first != [id]:
                next_ = speech.html("next turn %(when)s", when=at.ui.ahead(turn[0], at.zone))
                shown += Markup(" · ") + next_
        lines.append((speech.say("On duty"), shown))
    return Live(lines)


def team(at: Moment, id: str) -> Live:
    """A team: who is on duty, who stands in, and the next hand-over."""
    speech, found = at.visit.speech, at.book.teams[id]
    named = at.duty.of(id, at.visit.now)
    lines = [(speech.say("On duty"), Markup("<b>{}</b>").format(at.link("people", named[0])))]
    if named[1:]:
        told = Markup(", ").join(at.link("people", one) for one in named[1:])
        lines.append((speech.say("Then"), told))
    if found.rotation is not None:
        later = turns(at.duty, found.rotation, at.visit.now, 2)[1:]
        lines += [(speech.say("Next hand-over"), _turn(at, *one)) for one in later]
    return Live(lines)


def rotation(at: Moment, id: str) -> Live:
    """A rotation: who is on turn, and the turns that come."""
    speech = at.visit.speech
    (_, now), *later = turns(at.duty, id, at.visit.now, TURNS + 1)
    lines = [(speech.say("On duty"), Markup("<b>{}</b>").format(at.link("people", now)))]
    if later:
        listed = Markup().join(Markup("<li>{}</li>").format(_turn(at, *one)) for one in later)
        lines.append((speech.say("Next"), Markup('<ol class="lines">{}</ol>').format(listed)))
    return Live(lines)


def routine(at: Moment, id: str) -> Live:
    """A routine: when it comes next, and how it went last."""
    speech = at.visit.speech
    row = routines.state(at.tx, at.book.id, id)
    due = row["next_at"] if row is not None else None
    due = due or at.book.schedule(id).next_after(at.visit.now)
    when = at.ui.ahead(due, at.zone)
    exact = words.clock_time(speech, due, at.visit.now, at.zone)
    lines = [(speech.say("Next"), Markup("{} · {}").format(when, exact))]
    if at.may("runs") and row is not None and row["last_run_id"]:
        last = pages.states_of(at.tx, [row["last_run_id"]]).get(row["last_run_id"])
        if last is not None:
            lines.append((speech.say("Last run"), _run(at, last)))
    return Live(lines)


def webhook(at: Moment, id: str) -> Live:
    """A webhook: whether it takes what it is sent, since when not, and what is tried when."""
    speech, last = at.visit.speech, deliveries.latest(at.tx, at.book.id).get(id)
    lines = []
    failing = sendings.failing_hooks(at.tx, [at.book], at.visit.now)
    wrong = next((one for one in failing if one.to == id), None)
    if wrong is not None:
        told = at.ui.state("alert", "untold") + speech.html(
            " for %(since)s: %(error)s",
            since=at.ui.since(wrong.since, at.zone),
            error=sayings.told(speech, wrong.error),
        )
        lines.append((speech.say("Receiver"), told))
        if wrong.next_at is not None:
            when = at.ui.ahead(wrong.next_at, at.zone)
            told = speech.html_n(
                "%(n)s message waits; tried again %(when)s.",
                "%(n)s messages wait; tried again %(when)s.", wrong.waiting, when=when,
            )  # fmt: skip
            lines.append((speech.say("Next try"), told))
        if wrong.lost:
            told = speech.html_n(
                "%(n)s message was given up.", "%(n)s messages were given up.", wrong.lost
            )
            lines.append((speech.say("Given up"), told))
    if last is None:
        told = Markup("{}").format(speech.say("Nothing was sent yet."))
    else:
        told = Markup("{} · {}").format(
            at.ui.state("page", last["state"]), at.ui.ago(last["created_at"], at.zone)
        )
    return Live([*lines, (speech.say("Last message"), told)])


ANSWERS: Final[Mapping[str, Callable[[Moment, str], Live]]] = {
    "checks": check, "services": service, "rules": rule, "severities": severity, "people": person,
    "teams": team, "rotations": rotation, "routines": routine, "webhooks": webhook,
}  # fmt: skip


def turns(duty: people.Duty, rotation: str, now: datetime, most: int) -> list[tuple[datetime, str]]:
    """Return who is on turn from when: the turn that holds now first, then at most `most` in all.

    How far to look is not known before: until there are enough, or a year has passed.
    """
    kept: list[tuple[datetime, str]] = []
    for ahead in AHEAD:
        found = [(one.start, one.person) for one in duty.shifts(rotation, now, now + ahead)]
        kept = found[:1] + [later for earlier, later in pairwise(found) if later[1] != earlier[1]]
        if len(kept) >= most:
            break
    return kept[:most]


def _turn(at: Moment, when: datetime, who: str) -> Markup:
    moment = words.clock_time(at.visit.speech, when, at.visit.now, at.zone)
    ahead = at.ui.ahead(when, at.zone)
    told = Markup('{} <span class="muted">{} · {}</span>')
    return told.format(at.link("people", who), moment, ahead)


def _incidents(
    at: Moment, *, rules: Sequence[str] | None = None, severity: str | None = None
) -> list[tuple[str, Markup]]:
    if not at.may("incidents"):
        return []
    speech = at.visit.speech
    rows = store.open_incidents(at.tx, at.book.id, rules=rules, severity=severity)
    word = speech.say("Open incidents")
    if not rows:
        return [(word, Markup("{}").format(speech.say("none")))]
    one = Markup('<li>{} <a href="/incidents/{}">{} · {}</a></li>')
    shown = [
        one.format(
            at.ui.glyph("incident", row["state"]),
            row["id"],
            row["severity"],
            words.text(speech, row["title"]),
        )
        for row in rows
    ]
    return [(word, Markup('<ul class="lines">{}</ul>').format(Markup().join(shown)))]


def _run(at: Moment, row: Mapping[str, Any]) -> Markup:
    told = at.visit.speech.say("run %(id)s", id=row["id"])
    return Markup('{} <a href="/runs/{}">{}</a> <span class="muted">{}</span>').format(
        at.ui.state("run", row["state"]), row["id"], told, at.ui.ago(row["created_at"], at.zone)
    )


def _rows(at: Moment, checks: Sequence[str]) -> list[readings.Row]:
    if not checks or not at.may("checks"):
        return []
    speech, now = at.visit.speech, at.visit.now
    rows = readings.rows(at.tx, speech, now, at.book, set(checks))
    shown = readings.with_sparks(at.tx, speech, now, at.book, rows[:MOST])
    return [*shown, *rows[MOST:]]
