"""Alerts: what fires, in the groups it is told in; and of one, why it is shown and who hears of it.

The reasons come from the stages that tell alerts (`alerts.pipeline.explain`), asked again: what the
page says is what would happen now, and with an open draft what would happen with that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.responses import Response

from opsbook.alerts import silences
from opsbook.alerts import store as rows
from opsbook.alerts.pipeline import explain, muting, view
from opsbook.alerts.pipeline import store as pipeline
from opsbook.alerts.pipeline.explain import Way
from opsbook.alerts.pipeline.memory import Memory
from opsbook.alerts.pipeline.model import RULES, Alert
from opsbook.audit import entries
from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.book import Book
from opsbook.book.matchers import Matcher, MatcherError, Matchers, parse_all
from opsbook.checks import store as checks
from opsbook.incidents import store as incidents
from opsbook.revisions import drafts
from opsbook.web import (
    alertrows,
    alertstore,
    pages,
    readings,
    sayings,
    sendings,
    sentences,
    store,
    ways,
    words,
)
from opsbook.web.i18n import N_, Speech
from opsbook.web.knowing import memory_of
from opsbook.web.numbers import Before, Number
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)
EACH: Final = 30
MOST: Final = 200
"""Rows of alerts that fire, on one page."""
IN_GROUP: Final = 10
SOME: Final = 10
"""Alerts from which on there is a filter."""
LONGEST_FILTER: Final = 2_000
SHOWN_VALUE: Final = 300
TOPICS: Final = "alerts silences books checks"
WHY: Final[Mapping[str, str]] = {
    "inhibited": N_("another alert explains it"),
    "behind": N_("the check it depends on has failed"),
    "inactive": N_("it is outside of the hours of its route"),
    "muted": N_("these are the quiet hours of its route"),
    "silenced": N_("it is silenced"),
}


@router.get("/alerts")
async def listed(visit: Visitor, before: Before = None, match: str = "") -> Response:
    """Show what fires, what is kept quiet and by what, and what is over."""
    books = visit.readable("alerts")
    memory = await memory_of(visit.kept.app)
    wanted, wrong = _wanted(visit, match)

    def read(tx: Transaction) -> dict[str, Any]:
        names = [book.id for book in books]
        groups = [
            group for book in books
            for group in _groups(visit, memory, book, checks.behind(tx, book.id), wanted)
        ]  # fmt: skip
        alone, together = _limited(visit, groups, whole=bool(wanted))
        shown = [one for group in (*alone, *together) for one in group["alerts"]]
        alertrows.complete(tx, visit, shown)
        answering = [book.id for book in visit.books("incidents:read")]
        return {
            "groups": groups,
            "alone": alone,
            "together": together,
            "past": [] if wanted else store.past_alerts(tx, names, limit=EACH, before=before),
            "pending": alertstore.pending(tx, names, EACH),
            "pending_count": alertstore.pending_count(tx, names),
            "open": alertstore.waiting_incidents(tx, answering),
        }  # fmt: skip

    found = await pages.read(visit, read)
    groups, past, pending = found["groups"], found["past"], found["pending"]
    count = sum(one["count"] for one in groups)
    quiet = sum(one["quiet"] for one in groups)
    alone, together = found["alone"], found["together"]
    shown = sum(len(one["alerts"]) for one in (*alone, *together))
    linked = sum(one["more"] for one in together if one["match"])
    values = {
        "alone": [one["alerts"][0] | {"zone": one["zone"]} for one in alone if one["alerts"]],
        "groups": together,
        "alone_first": not together
        or (bool(alone) and alone[0]["weight"] <= together[0]["weight"]),
        "past": [alertrows.of_row(visit, one) for one in past],
        "pending": [alertrows.of_row(visit, one) for one in pending],
        "pending_more": found["pending_count"] - len(pending),
        "sentence": _sentence(visit.speech, count, quiet, found["open"], wanted=bool(wanted)),
        "answer": found["open"],
        "more": count - shown - linked,
        "match": match, "wrong": wrong, "filter": bool(match) or count > SOME,
        "older": past[-1]["id"] if len(past) == EACH else None,
    }  # fmt: skip
    return pages.show(visit, "alerts/list.html", values, topics=f"{TOPICS} incidents")


def _wanted(visit: Visit, match: str) -> tuple[Matchers, str]:
    """Return the labels that a filter asks for, or what is wrong with it."""
    try:
        return parse_all(match[:LONGEST_FILTER]), ""
    except MatcherError as error:
        return (), sayings.told(visit.speech, str(error))


def _sentence(speech: Speech, count: int, quiet: int, open_: int, *, wanted: bool) -> str:
    """Say what fires and what is to be done about it."""
    if not count:
        return speech.say("No such alert fires.") if wanted else speech.say("No alert fires.")
    told = [speech.say_n("%(n)s alert fires.", "%(n)s alerts fire.", count)]
    if quiet:
        told.append(
            speech.say_n("%(n)s of them is kept quiet.", "%(n)s of them are kept quiet.", quiet)
        )
    if open_:
        told.append(
            speech.say_n(
                "%(n)s incident waits for an answer.", "%(n)s incidents wait for an answer.", open_
            )
        )
    elif not wanted:
        told.append(speech.say("No incident waits for an answer."))
    return " ".join(told)


def _groups(
    visit: Visit, memory: Memory, book: Book, behind: Mapping[str, str], wanted: Matchers
) -> list[dict[str, Any]]:
    """Return a book's groups, those with something to hear first, the worst of them first.

    An alert on several routes is in several groups and shown in the first; it is one alert.
    """
    if book.id not in memory.books:
        return []
    look = memory.look(book.id, visit.now, behind)
    weight = {severity: place for place, severity in enumerate(book.severities)}
    found = []
    seen: set[str] = set()
    for group, alerts in view.groups(memory, book.id, visit.now):
        mine = []
        for one in alerts:
            if one.fingerprint in seen or not view.passes(wanted, one.labels):
                continue
            seen.add(one.fingerprint)
            quiet = muting.quiet(one, group.node, look)
            mine.append(
                (quiet is not None, weight.get(one.severity, 99), one.starts_at, one, quiet)
            )
        if not mine:
            continue
        mine.sort(key=lambda one: one[:3])
        found.append(
            {
                "alerts": mine, "labels": group.labels,
                "receiver": ways.receiver(visit, book, group.node),
                "alone": group.node.group_by is None, "weight": mine[0][:2], "count": len(mine),
                "quiet": sum(one[0] for one in mine), "zone": ZoneInfo(book.timezone),
                "book": book.id,
            }
        )  # fmt: skip
    return sorted(found, key=lambda one: one["weight"])


def _limited(
    visit: Visit, groups: list[dict[str, Any]], *, whole: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the groups of one and the others, with as many rows as somebody can read.

    Each group shows its worst first; how many more there are is said, with what lists them.
    """
    left = MOST
    alone: list[dict[str, Any]] = []
    together: list[dict[str, Any]] = []
    for group in groups:
        of_group = left if whole else min(left, IN_GROUP)
        chosen = group["alerts"][:of_group]
        left -= len(chosen)
        group["alerts"] = [
            alertrows.of_memory(visit, one, quiet, group["labels"])
            for _, _, _, one, quiet in chosen
        ]
        group["more"] = group["count"] - len(chosen)
        group["match"] = _narrowed(group["labels"]) if group["more"] else ""
        if chosen:
            (alone if group["alone"] else together).append(group)
    return alone, together


def _narrowed(labels: Mapping[str, str]) -> str:
    """Return a filter for these labels; empty where a matcher cannot hold one of them."""
    try:
        return ",".join(str(Matcher(name, "=", value)) for name, value in sorted(labels.items()))
    except MatcherError:
        return ""


@router.get("/alerts/{alert_id}")
async def detail(visit: Visitor, alert_id: Number, draft: Before = None) -> Response:
    """Show one alert: what it says, why it is shown, and its way to whoever hears of it."""
    memory = await memory_of(visit.kept.app)

    def read(tx: Transaction) -> dict[str, Any]:
        row, book = _find(tx, visit, alert_id)
        names = sentences.Names(tx, visit.speech, visit.kept.app.library)
        known = silences.list_of(tx, book.id, visit.now)
        zone = ZoneInfo(book.timezone)
        alert = pipeline.of_row(row)
        behind = checks.behind(tx, book.id)
        course: tuple[Way, ...] = ()
        if book.id in memory.books and row["state"] == "firing":
            course = explain.explained(memory, alert, visit.now, behind).ways
        heard = sendings.heard(tx, memory, book, alert, course)
        story = _story(tx, visit, memory, book, alert, heard.values())
        return {
            "heard": heard,
            "row": row, "book": book, "behind": behind,
            "incidents": incidents.of_alerts(tx, [alert_id])
            if visit.may("incidents:read", book)
            else [],
            "silences": {one.uuid: one for one in known},
            "story": sentences.story(visit.speech, story, names, zone, visit.now),
            "drafts": _drafts(tx, visit, book),
        }  # fmt: skip

    found = await pages.read(visit, read)
    row, book = found["row"], found["book"]
    memory, with_draft, broken = await _with_draft(visit, memory, book, draft)
    alert = pipeline.of_row(row)
    over = row["state"] == "resolved"
    course: tuple[Way, ...] = ()
    if row["state"] == "firing" and book.id in memory.books:
        course = explain.explained(memory, alert, visit.now, found["behind"]).ways
    rule = book.rules.get(row["rule"])
    values = {
        "one": {
            **alertrows.of_row(visit, row), "book": book.id,
            "message": _said(row),
            "reading": alertrows.reading(visit.speech, row) if row["check_id"] else "",
            "all_labels": _pairs(row["labels"]),
            "annotations": _pairs(row["annotations"] or {}),
            "link": row["link"] if row["link"].startswith(("http://", "https://")) else "",
            "received": row["received"], "seen_at": row["seen_at"], "ends_at": row["ends_at"],
            "own": row["source"] == RULES, "reason": row["reason"],
        },
        "rule": _rule(visit, book, rule) if rule is not None else None,
        "ways": [
            ways.shown(visit, memory, memory.books[book.id], one, found["silences"], found["heard"])
            for one in course
        ],
        "over": over,
        "quiet": bool(course) and all(one.quiet is not None for one in course),
        "source": _source(visit, book, row["source"]),
        "sentence": _standing(
            visit, row, course, found["incidents"],
            sees=visit.may("incidents:read", book),
        ),
        "incidents": [
            {"id": one["id"], "title": words.text(visit.speech, one["title"]),
             "state": one["state"], "severity": one["severity"]}
            for one in found["incidents"]
        ],
        "story": found["story"],
        "drafts": found["drafts"],
        "with_draft": with_draft,
        "broken": broken,
        "may_silence": visit.may("silences:write", book),
    }  # fmt: skip
    topics = f"{TOPICS} alert:{alert_id} incidents"
    return pages.show(visit, "alerts/detail.html", values, topics=topics)


def _story(
    tx: Transaction, visit: Visit, memory: Memory, book: Book, alert: Alert,
    heard: Iterable[sendings.Heard],
) -> list[dict[str, Any]]:  # fmt: skip
    """Return what became of an alert: its own entries, its incident's, and what was sent of it.

    Of the incident only what is about calling and answering: what its runbook did is on its page.
    """
    threads = []
    if visit.may("incidents:read", book):
        threads = [f"incident:{one}" for one in alertstore.incidents_ever(tx, alert.id)]
    told = [
        one for one in entries.timeline(tx, f"alert:{alert.id}", threads)
        if one["thread"] not in threads or one["action"].startswith(("incident.", "page."))
    ]  # fmt: skip
    told += sendings.story(tx, memory, book, alert, heard)
    return sorted(told, key=lambda one: one["at"])


def _find(tx: Transaction, visit: Visit, alert_id: int) -> tuple[dict[str, Any], Book]:
    row = rows.get(tx, alert_id)
    book = next(
        (one for one in visit.books("alerts:read") if row is not None and one.id == row["book"]),
        None,
    )
    if row is None or book is None:
        raise NotFound(f"There is no alert {alert_id}.")
    return row, book


def _rule(visit: Visit, book: Book, rule: Any) -> dict[str, Any]:
    when = words.condition(visit.speech, rule.when) if rule.when is not None else rule.watches
    return {
        "id": rule.id, "title": words.text(visit.speech, rule.title or rule.summary),
        "when": when, "hold": words.length(visit.speech, rule.for_) if rule.for_ else "",
        "where": book.where("rules", rule.id), "ref": rule.ref, "runbook": rule.runbook,
        "check": rule.check,
        "check_title": readings.title(visit.speech, book, rule.check) if rule.check else "",
    }  # fmt: skip


def _said(row: Mapping[str, Any]) -> str:
    """Return what an alert from outside says beside its title, which is often the same."""
    said = "" if row["message"] in dict(row["summary"]).values() else row["message"]
    return ways.cut(said, 400)


def _source(visit: Visit, book: Book, source: str) -> str:
    """Return what the door is called that an alert came in at."""
    found = book.intakes.get(source)
    return (words.text(visit.speech, found.title) or source) if found is not None else source


def _pairs(values: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return names and values in order, and of a long value the whole behind its beginning."""
    found = []
    for name, value in sorted(values.items()):
        short = ways.cut(value, SHOWN_VALUE)
        found.append((ways.cut(name, SHOWN_VALUE), short, value if short != value else ""))
    return found


def _standing(
    visit: Visit, row: Mapping[str, Any], told: Sequence[Way], answers: Any, *, sees: bool
) -> str:
    """Say in one sentence how it stands, and what is to be done.

    `answers` are its active incidents, as far as the visitor `sees` any.
    """
    speech = visit.speech
    if row["state"] == "pending":
        return speech.say("Its condition is met, and not yet for long enough to fire.")
    if row["state"] == "cleared":
        return speech.say("It was gone before it fired.")
    if row["state"] == "resolved":
        return speech.say("It is over. There is nothing to do.")
    open_ = next((one for one in answers if one["state"] == "open"), None)
    if open_ is not None:
        return speech.say(
            "It fires, and nobody has answered its incident yet: acknowledge incident %(id)s.",
            id=open_["id"],
        )
    if answers:
        return speech.say("It fires; somebody looks after its incident already.")
    quiet = next((way.quiet for way in told if way.quiet is not None), None)
    if quiet is not None and all(way.quiet is not None for way in told):
        why = speech.say(WHY[quiet.why])
        return speech.say("It fires, and nobody is told of it now: %(why)s.", why=why)
    if any(way.node.as_ == "incident" for way in told):
        if sees:
            return speech.say("It fires, and no incident is open for it now.")
        return speech.say("It fires; those who answer incidents hear of it.")
    hears = len({each.listener.id for way in told for each in way.hears})
    if hears:
        return speech.say_n(
            "It fires; %(n)s receiver hears of it. Nobody has to acknowledge it.",
            "It fires; %(n)s receivers hear of it. Nobody has to acknowledge it.",
            hears,
        )
    return speech.say("It fires, and no route tells anybody of it.")


def _drafts(tx: Transaction, visit: Visit, book: Book) -> list[dict[str, Any]]:
    """Return the drafts of a book that the visitor may see, to ask what would be with them."""
    if not visit.may("book:write", book):
        return []
    return [{"id": row["id"]} for row in drafts.of_book(tx, book.id)]


async def _with_draft(
    visit: Visit, memory: Memory, book: Book, draft: int | None
) -> tuple[Memory, int | None, int | None]:
    """Return the memory as it would be with a draft's book, and that draft.

    As it is now where none is asked for; the last is the draft that would not run as it stands.
    """
    if draft is None or book.id not in memory.books or not visit.may("book:write", book):
        return memory, None, None
    other = await drafts.book_of(visit.kept.app.revisions, draft, book.id)
    if other is None or other.status != "active":
        return memory, None, draft
    return memory.with_book(other, visit.now), draft, None
