"""Today: one sentence, then what needs me, what waits, how it is, who is on duty, what is next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from opsbook import people
from opsbook.base import events
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.routines import store as routines
from opsbook.web import (
    health,
    incidents,
    pages,
    readings,
    revisions,
    sayings,
    sendings,
    sentences,
    store,
    unanswered,
    waiting,
    ways,
    words,
)
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)

MOST_BAD: Final = 6
MOST_ROUTINES: Final = 5
FAILED_FOR: Final = timedelta(days=2)
TOPICS: Final = "incidents checks runs approvals pages parked books alerts silences webhooks"


@router.get("/")
async def today(visit: Visitor) -> Response:
    """Show the day."""
    values = await pages.read(visit, lambda tx: _read(tx, visit))
    return pages.show(visit, "today/page.html", values, topics=TOPICS)


def _read(tx: Transaction, visit: Visit) -> dict[str, Any]:
    names = sentences.Names(tx, visit.speech, visit.kept.app.library)
    found = incidents.active(tx, visit, names)
    mine = [one for one in found if one["state"] == "open" and one["may_answer"]]
    waits = waiting.listed(tx, visit)
    for_me = [one for one in waits if one.mine]
    rows: list[readings.Row] = []
    bad: list[readings.Row] = []
    services: list[dict[str, Any]] = []
    for book in visit.books("checks:read"):
        seen = readings.rows(tx, visit.speech, visit.now, book)
        rows += seen
        services += _services(visit, book, seen)
        shown = [one for one in seen if one.state not in readings.QUIET][:MOST_BAD]
        bad += readings.with_sparks(tx, visit.speech, visit.now, book, shown)
    counted = Counter(one.state for one in rows)
    troubles = _troubles(tx, visit, names)
    alone = unanswered.read(tx, visit)
    not_fine = sum(one.state not in readings.QUIET for one in rows)
    return {
        "sentence": _sentence(visit, mine, for_me, rows, troubles, alone),
        "troubles": troubles,
        "mine": mine,
        "others": [one for one in found if one not in mine],
        "alerts": alone,
        "waits": for_me,
        "waits_others": [one for one in waits if not one.mine][:MOST_BAD],
        "checks": {
            "total": len(rows),
            "counts": [(state, counted[state]) for state in readings.WEIGHT if counted[state]],
            "services": services,
            "bad": sorted(bad, key=lambda one: _weight(one.state))[:MOST_BAD],
            "more": max(0, not_fine - MOST_BAD),
        },
        "duty": _duty(tx, visit),
        "routines": _routines(tx, visit),
    }


def _sentence(
    visit: Visit, mine: Sequence[dict[str, Any]], waits: Sequence[waiting.Wait],
    rows: Sequence[readings.Row], troubles: Sequence[dict[str, Any]], alone: unanswered.Unanswered,
) -> str:  # fmt: skip
    """Say the day in one sentence: who needs me first, then how it is."""
    say, say_n = visit.speech.say, visit.speech.say_n
    parts = []
    if mine:
        parts.append(say_n("%(n)s incident needs you.", "%(n)s incidents need you.", len(mine)))
    if waits:
        parts.append(say_n("%(n)s thing waits for you.", "%(n)s things wait for you.", len(waits)))
    if alone.urgent:
        parts.append(alone.sentence(visit.speech))
    if any(not one["mild"] for one in troubles):
        parts.append(say("Opsbook itself is in trouble."))
    bad = sum(one.state not in readings.QUIET for one in rows)
    if not visit.books("checks:read"):
        parts.append(say("Your account has no role that shows checks."))
    elif not rows:
        parts.append(say("Nothing is watched yet."))
    elif bad:
        parts.append(say_n("%(n)s check is not ok.", "%(n)s checks are not ok.", bad))
    elif not parts:
        fine = sum(one.state == "ok" for one in rows)
        told = say_n("%(n)s check is fine.", "%(n)s checks are fine.", fine)
        parts.append(told if fine else say("The first looks are under way."))
    if alone.total and not alone.urgent:
        parts.append(alone.sentence(visit.speech))
    if not mine and not waits and not alone.urgent:
        parts += [*_stuck(visit), *_mute(visit, troubles)] or [say("Nothing needs you.")]
    return " ".join(parts)


def _stuck(visit: Visit) -> list[str]:
    """Say of each book whose source cannot run that somebody has to mend it.

    A revision that was rejected needs nobody: it does not run because somebody decided so.
    """
    found = []
    for book in visit.books("book:read"):
        wrong, title = visit.kept.app.library.trouble(book.id), words.text(visit.speech, book.title)
        if wrong is not None and wrong.kind == "broken":
            found.append(visit.speech.say("The last edit of %(book)s does not run.", book=title))
        elif wrong is not None and wrong.kind != "rejected":
            found.append(visit.speech.say("The source of %(book)s is not what runs.", book=title))
    return found


def _mute(visit: Visit, troubles: Sequence[dict[str, Any]]) -> list[str]:
    """Say to whoever can mend it that somebody or something is not reached."""
    n = sum(one.get("mute", False) for one in troubles)
    said = visit.speech.say_n(
        "%(n)s receiver is not reached.", "%(n)s receivers are not reached.", n
    )
    return [said] if n and visit.books("book:write") else []


def _troubles(tx: Transaction, visit: Visit, names: sentences.Names) -> list[dict[str, Any]]:
    """Return what is wrong with Opsbook itself: it must be louder than what it watches."""
    say = visit.speech.say
    found: list[dict[str, Any]] = []

    def trouble(
        title: str, text: Any, *, mild: bool = False, link: str = "", word: str = "",
        mute: bool = False,
    ) -> None:  # fmt: skip
        found.append(
            {"title": title, "text": text, "mild": mild, "link": link, "link_word": word,
             "mute": mute}
        )  # fmt: skip

    for loop in health.failing(visit.kept.app):
        told: Any = say("%(n)s times in a row: %(error)s.", n=loop.failures, error=loop.error)
        if loop.last_ok is not None:
            since = words.moment(visit.speech, loop.last_ok, visit.now, visit.zone)
            told = visit.html("%(said)s Last worked %(since)s.", said=told, since=since)
        trouble(say("“%(loop)s” fails and is tried again.", loop=loop.name), told)
    for row in events.list_parked(tx)[:3]:
        told = say(
            "%(consumer)s could not handle %(kind)s of %(subject)s (%(n)s tries): %(error)s",
            consumer=row["consumer"], kind=row["kind"], subject=row["subject"],
            n=row["attempts"], error=row["error"],
        )  # fmt: skip
        trouble(say("An event is stuck and is tried again."), told)
    for run_id, why in list(visit.kept.app.engine.trouble.items())[:3]:
        trouble(
            say("Run %(id)s cannot move on and is tried again.", id=run_id), why,
            link=f"/runs/{run_id}", word=say("run %(id)s", id=run_id),
        )  # fmt: skip
    books = {book.id for book in visit.books("incidents:read")}
    for row in store.failed_pages(tx, visit.now - FAILED_FOR):
        if row["book"] not in books:
            continue
        told = say(
            "%(title)s: %(channel)s failed after %(n)s tries: %(error)s",
            title=row["title"], channel=row["channel"], n=row["attempts"], error=row["error"],
        )  # fmt: skip
        who = names.person(row["book"], row["person"])
        trouble(
            say("A page did not reach %(who)s.", who=who), told,
            mild=True, link=row["path"], word=say("Open what it was about"),
        )  # fmt: skip
    for one in sendings.failing_hooks(tx, visit.books("book:read"), visit.now):
        trouble(
            say("The webhook “%(hook)s” is not reached.", hook=_named(visit, one)),
            _failing(visit, one), mild=True, mute=True,
            link=sendings.hook_path(one.book, one.to), word=say("Open the webhook"),
        )  # fmt: skip
    for one in sendings.failing_pages(tx, visit.books("incidents:read")):
        who = names.person(one.book, one.to)
        who = _named(visit, one) if who == one.to else who
        trouble(
            say("%(who)s is not reached by %(channel)s.", who=who, channel=one.channel),
            _failing(visit, one), mild=True, mute=True,
        )  # fmt: skip
    for book in visit.books("book:read"):
        wrong = visit.kept.app.library.trouble(book.id)
        if wrong is not None:
            said = [str(one) for one in wrong.problems[:3]]
            said = said or [sayings.told(visit.speech, wrong.message)]
            trouble(
                revisions.trouble_title(visit.speech, book, wrong), Markup("<br>").join(said),
                mild=True, link=f"/book/{book.id}", word=say("Open the book"),
            )  # fmt: skip
    if not visit.kept.app.lease.held:
        trouble(
            say("Another server decides."),
            say("This one shows pages and stands by; it takes over when the other falls silent."),
            mild=True,
        )
    return found


def _named(visit: Visit, one: sendings.Failing) -> str:
    book = next(book for book in visit.kept.app.library.books() if book.id == one.book)
    return ways.listener(visit, book, one.to)


def _failing(visit: Visit, one: sendings.Failing) -> Markup:
    """Say since when a way out fails, what came of the last try, and what is to be done."""
    say, speech = visit.html, visit.speech
    book = next(book for book in visit.kept.app.library.books() if book.id == one.book)
    zone = ZoneInfo(book.timezone)
    since = words.moment(speech, one.since, visit.now, zone, words.FOR)
    told = [say("For %(since)s: %(error)s", since=since, error=sayings.told(speech, one.error))]
    if one.waiting and one.next_at is not None:
        when = words.moment(speech, one.next_at, visit.now, zone, words.TO_COME)
        n = one.waiting
        told.append(
            visit.speech.html_n(
                "%(n)s message waits; tried again %(when)s.",
                "%(n)s messages wait; tried again %(when)s.", n, when=when,
            )
        )  # fmt: skip
    if one.lost:
        told.append(
            visit.speech.html_n(
                "%(n)s message was given up.", "%(n)s messages were given up.", one.lost
            )
        )
    told.append(
        say("Look whether the receiver runs, and at its address in the book.")
        if not one.channel
        else say("Look at the address of this contact or channel in the book.")
    )
    return Markup(" ").join(told)


def _services(visit: Visit, book: Book, rows: Sequence[readings.Row]) -> list[dict[str, Any]]:
    """Return each service with its worst check's state and what its checks saw, in one line."""
    found = []
    for name in [*book.services, None]:
        mine = [one for one in rows if book.checks[one.id].service == name]
        if not mine:
            continue
        title = words.text(visit.speech, book.services[name].title) if name else ""
        worst: str = min((one.state for one in mine), key=_weight)
        found.append(
            {
                "title": title or visit.speech.say("Others"),
                "state": worst,
                "checks": mine,
            }
        )
    return found


def _weight(state: str) -> int:
    return readings.WEIGHT.get(state, 3)


def _duty(tx: Transaction, visit: Visit) -> list[dict[str, str]]:
    """Return who is called, by team."""
    found = []
    for book in visit.books("incidents:read"):
        duty = people.duty(tx, book, visit.now)
        for team in book.teams.values():
            named = [
                words.text(visit.speech, book.people[one].name)
                for one in duty.of(team.id, visit.now)
                if one in book.people
            ]
            if named:
                title = words.text(visit.speech, team.title) if team.title else team.id
                found.append({"team": title, "first": named[0], "then": ", ".join(named[1:3])})
    return found


def _routines(tx: Transaction, visit: Visit) -> list[dict[str, Any]]:
    """Return what the calendar starts next."""
    found: list[dict[str, Any]] = []
    for book in visit.books("runs:read"):
        zone = ZoneInfo(book.timezone)
        planned = {row["routine"]: row for row in routines.states(tx, book.id)}
        runs = [row["last_run_id"] for row in planned.values() if row["last_run_id"]]
        last = store.states_of(tx, runs)
        for routine in book.routines.values():
            row: dict[str, Any] = planned.get(routine.id) or {"next_at": None, "last_run_id": 0}
            at = row["next_at"] or book.schedule(routine.id).next_after(visit.now)
            found.append(
                {
                    "title": words.text(visit.speech, routine.title),
                    "path": f"/book/{book.id}/runbooks/{routine.runbook}",
                    "at": at,
                    "when": words.clock_time(visit.speech, at, visit.now, zone),
                    "last": last.get(row["last_run_id"]),
                    "zone": zone,
                }
            )
    return sorted(found, key=lambda one: one["at"])[:MOST_ROUTINES]
