"""Alerts: what fires, in the groups it is told in; and of one, why it is shown and who hears of it.

The reasons come from the stages that tell alerts (`alerts.pipeline.explain`), asked again: what the
page says is what would happen now, and with an open draft what would happen with that.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from opsbook.alerts.pipeline.model import RULES
from opsbook.alerts.pipeline.muting import Quiet
from opsbook.audit import entries
from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.book import Book
from opsbook.incidents import store as incidents
from opsbook.revisions import drafts
from opsbook.web import pages, sentences, words
from opsbook.web.i18n import N_, Speech
from opsbook.web.knowing import memory_of
from opsbook.web.numbers import Before, Number
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)
EACH: Final = 30
MOST: Final = 500
TOPICS: Final = "alerts silences books checks"
QUIET: Final[Mapping[str, str]] = {
    "inhibited": N_("kept quiet: another alert explains it"),
    "behind": N_("kept quiet: the check it depends on has failed"),
    "inactive": N_("kept quiet: outside of the hours of its route"),
    "muted": N_("kept quiet: in the quiet hours of its route"),
    "silenced": N_("silenced"),
}
STAGES: Final[Mapping[str, tuple[str, str]]] = {
    "inhibited": (N_("Inhibitions"), N_("No alert fires that keeps it quiet.")),
    "behind": (
        N_("What its check depends on"), N_("Nothing that its check depends on has failed."),
    ),
    "inactive": (N_("Hours of the route"), N_("The route tells at this time.")),
    "muted": (N_("Quiet hours of the route"), N_("No quiet hours now.")),
    "silenced": (N_("Silences"), N_("No silence matches.")),
}  # fmt: skip
TOLD: Final[Mapping[str, str]] = {
    "first": N_("is told now: nobody was told of this group yet"),
    "new": N_("is told now: something in the group is new"),
    "over": N_("is told now: something in the group is over"),
    "all over": N_("is told now: all of the group is over"),
    "again": N_("is told again now: it goes on for long"),
}


@router.get("/alerts")
async def listed(visit: Visitor, before: Before = None) -> Response:
    """Show what fires, what is kept quiet and by what, and what is over."""
    books = visit.readable("alerts")
    memory = await memory_of(visit.kept.app)

    def read(tx: Transaction) -> dict[str, Any]:
        names = [book.id for book in books]
        past = [
            _row(visit, one) for one in rows.recent(tx, limit=EACH, before=before)
            if one["book"] in names and one["state"] == "resolved"
        ]  # fmt: skip
        pending = [
            _row(visit, one) for one in rows.active(tx)
            if one["book"] in names and one["state"] == "pending"
        ]  # fmt: skip
        return {"past": past, "pending": pending, "behind": pipeline.behind(tx)}

    values = await pages.read(visit, read)
    groups = [group for book in books for group in _groups(visit, memory, book, values["behind"])]
    count = sum(len(one["alerts"]) for one in groups)
    quiet = sum(bool(each["quiet"]) for one in groups for each in one["alerts"])
    values |= {
        "alone": [one for one in groups if one["alone"]][:MOST],
        "groups": [one for one in groups if not one["alone"]][:MOST],
        "sentence": _sentence(visit.speech, count, quiet),
        "older": values["past"][-1]["id"] if len(values["past"]) == EACH else None,
        "may_silence": any(visit.may("silences:write", book) for book in books),
    }
    return pages.show(visit, "alerts/list.html", values, topics=TOPICS)


def _sentence(speech: Speech, count: int, quiet: int) -> str:
    if not count:
        return speech.say("No alert fires.")
    told = speech.say_n("%(n)s alert fires.", "%(n)s alerts fire.", count)
    if not quiet:
        return told
    held = speech.say_n("%(n)s of them is kept quiet.", "%(n)s of them are kept quiet.", quiet)
    return f"{told} {held}"


def _groups(
    visit: Visit, memory: Memory, book: Book, behind: Mapping[str, Mapping[str, str]]
) -> list[dict[str, Any]]:
    """Return a book's groups, those with something to hear first, the worst of them first."""
    if book.id not in memory.books:
        return []
    look = memory.look(book.id, visit.now, behind.get(book.id, {}))
    weight = {severity: place for place, severity in enumerate(book.severities)}
    found = []
    for group, alerts in view.groups(memory, book.id, visit.now):
        shown: list[dict[str, Any]] = []
        for one in alerts:
            quiet = muting.quiet(one, group.node, look)
            shown.append(
                {
                    "id": one.id, "title": words.text(visit.speech, one.summary),
                    "severity": one.severity, "since": one.starts_at, "quiet": _why(visit, quiet),
                    "labels": _labels(one.labels, group.labels), "source": one.source,
                    "state": "firing", "over": None, "lasted": "",
                }
            )  # fmt: skip
        worst = min((weight.get(one["severity"], 99) for one in shown), default=99)
        heard = any(not one["quiet"] for one in shown)
        found.append(
            {
                "alerts": shown, "labels": group.labels, "receiver": group.node.receiver,
                "alone": group.node.group_by is None, "weight": (not heard, worst),
                "zone": ZoneInfo(book.timezone), "book": book.id,
            }
        )  # fmt: skip
    return sorted(found, key=lambda one: one["weight"])


def _labels(labels: Mapping[str, str], without: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the labels that tell an alert apart, without what is said around it already."""
    said = {"alertname", "severity", "book", "rule", "check"}
    alone = len(without) == len(labels)
    return [
        (name, value)
        for name, value in sorted(labels.items())
        if name not in said and (alone or name not in without)
    ]


def _why(visit: Visit, quiet: Quiet | None) -> str:
    return visit.speech.say(QUIET[quiet.why]) if quiet is not None else ""


def _row(visit: Visit, row: Mapping[str, Any]) -> dict[str, Any]:
    book = next((one for one in visit.kept.app.library.books() if one.id == row["book"]), None)
    over = row["resolved_at"]
    begun = row["fired_at"] or row["pending_since"]
    return {
        "id": row["id"], "title": words.text(visit.speech, row["summary"]),
        "severity": row["severity"], "state": row["state"], "since": begun, "over": over,
        "lasted": words.span(visit.speech, over - begun) if over else "",
        "zone": ZoneInfo(book.timezone) if book is not None else visit.zone,
        "labels": _labels(row["labels"], {}), "quiet": "", "source": row["source"],
    }  # fmt: skip


@router.get("/alerts/{alert_id}")
async def detail(visit: Visitor, alert_id: Number, draft: Before = None) -> Response:
    """Show one alert: what it says, why it is shown, and its way to whoever hears of it."""
    memory = await memory_of(visit.kept.app)

    def read(tx: Transaction) -> dict[str, Any]:
        row, book = _find(tx, visit, alert_id)
        names = sentences.Names(tx, visit.speech, visit.kept.app.library)
        known = silences.list_of(tx, book.id, visit.now)
        zone = ZoneInfo(book.timezone)
        story = entries.timeline(tx, f"alert:{alert_id}")
        return {
            "row": row, "book": book, "behind": pipeline.behind(tx).get(book.id, {}),
            "incidents": incidents.of_alerts(tx, [alert_id]),
            "silences": {one.uuid: one for one in known},
            "story": sentences.story(visit.speech, story, names, zone, visit.now),
            "drafts": _drafts(tx, visit, book),
        }  # fmt: skip

    found = await pages.read(visit, read)
    row, book = found["row"], found["book"]
    memory, with_draft = await _with_draft(visit, memory, book, draft)
    alert = pipeline.of_row(row)
    over = row["state"] == "resolved"
    told = None
    if not over and row["state"] == "firing" and book.id in memory.books:
        told = explain.explained(memory, alert, visit.now, found["behind"])
    rule = book.rules.get(row["rule"])
    values = {
        "one": {
            **_row(visit, row), "book": book.id, "message": row["message"],
            "all_labels": sorted(row["labels"].items()),
            "annotations": sorted((row["annotations"] or {}).items()),
            "link": row["link"] if row["link"].startswith(("http://", "https://")) else "",
            "received": row["received"], "seen_at": row["seen_at"], "ends_at": row["ends_at"],
            "own": row["source"] == RULES, "reason": row["reason"],
        },
        "rule": _rule(visit, book, rule) if rule is not None else None,
        "ways": [_way(visit, book, one, found["silences"]) for one in told.ways] if told else [],
        "over": over,
        "sentence": _standing(visit, row, told.ways if told else ()),
        "incidents": [
            {"id": one["id"], "title": words.text(visit.speech, one["title"]),
             "state": one["state"], "severity": one["severity"]}
            for one in found["incidents"]
        ],
        "story": found["story"],
        "drafts": found["drafts"],
        "with_draft": with_draft,
        "may_silence": visit.may("silences:write", book),
    }  # fmt: skip
    topics = f"{TOPICS} alert:{alert_id} incidents"
    return pages.show(visit, "alerts/detail.html", values, topics=topics)


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
    }  # fmt: skip


def _standing(visit: Visit, row: Mapping[str, Any], ways: Any) -> str:
    speech = visit.speech
    if row["state"] == "pending":
        return speech.say("Its condition is met, and not yet for long enough to fire.")
    if row["state"] == "cleared":
        return speech.say("It was gone before it fired.")
    if row["state"] == "resolved":
        return speech.say("It is over.")
    if ways and all(way.quiet is not None for way in ways):
        return speech.say("It fires and is kept quiet: nobody is told of it now.")
    if ways:
        hears = sum(len(way.hears) for way in ways)
        return speech.say_n(
            "It fires; %(n)s receiver hears of it.", "It fires; %(n)s receivers hear of it.", hears
        )
    return speech.say("It fires.")


def _way(
    visit: Visit, book: Book, way: Way, known: Mapping[str, silences.Silence]
) -> dict[str, Any]:
    speech = visit.speech
    place = ["routing"]
    for n in way.node.path:
        place += ["routes", str(n)]
    conditions = ", ".join(str(one) for one in way.node.conditions)
    path: list[str | int] = [int(part) if part.isdigit() else part for part in place]
    return {
        "where": book.where(*path) if book.routing is not None else "",
        "conditions": conditions,
        "receiver": way.node.receiver,
        "incident": way.node.as_ == "incident",
        "group": sorted(way.group_labels.items()) if way.node.group_by is not None else None,
        "members": way.members,
        "next_at": way.next_at,
        "wait": words.length(speech, way.node.wait) if way.node.wait else "",
        "interval": words.length(speech, way.node.interval) if way.node.interval else "",
        "repeat": words.length(speech, way.node.repeat),
        "stages": [
            {
                "name": speech.say(STAGES[one.name][0]),
                "said": speech.say(QUIET[one.name] if one.quiet else STAGES[one.name][1]),
                "quiet": one.quiet is not None,
                "by": _by(visit, one.quiet, known) if one.quiet else [],
            }
            for one in way.stages
        ],
        "hears": [
            {
                "who": _listener(visit, book, one.listener.id),
                "last": one.last,
                "said": speech.say(TOLD[one.told]) if one.told else "",
                "only_firing": not one.listener.resolved,
            }
            for one in way.hears
        ],
        "quiet": way.quiet is not None,
    }  # fmt: skip


def _by(visit: Visit, quiet: Quiet, known: Mapping[str, silences.Silence]) -> list[dict[str, str]]:
    """Return what keeps an alert quiet, as links where there is a page."""
    if quiet.why == "silenced":
        return [
            {
                "path": "/silences#silence-" + name,
                "word": _silence(known[name]) if name in known else name,
            }
            for name in quiet.by
        ]  # fmt: skip
    if quiet.why == "behind":
        return [{"path": "/checks", "word": name} for name in quiet.by]
    if quiet.why == "inhibited":
        count = len(quiet.by)
        said = visit.speech.say_n("%(n)s alert", "%(n)s alerts", count)
        return [{"path": "/alerts", "word": said}]
    return [{"path": "", "word": name} for name in quiet.by]


def _silence(one: silences.Silence) -> str:
    return f"{one.comment} ({one.created_by})"


def _listener(visit: Visit, book: Book, id: str) -> str:
    if id == "incident":
        return visit.speech.say("the incident, and whoever its escalation pages")
    for section in ("channels", "webhooks", "teams"):
        found = getattr(book, section).get(id)
        if found is not None:
            return words.text(visit.speech, found.title) or id
    person = book.people.get(id)
    return words.text(visit.speech, person.name) if person is not None else id


def _drafts(tx: Transaction, visit: Visit, book: Book) -> list[dict[str, Any]]:
    """Return the drafts of a book that the visitor may see, to ask what would be with them."""
    if not visit.may("book:write", book):
        return []
    return [{"id": row["id"]} for row in drafts.of_book(tx, book.id)]


async def _with_draft(
    visit: Visit, memory: Memory, book: Book, draft: int | None
) -> tuple[Memory, int | None]:
    """Return the memory as it would be with a draft's book; as it is where there is none."""
    if draft is None or not visit.may("book:write", book):
        return memory, None
    other = await drafts.book_of(visit.kept.app.revisions, draft, book.id)
    if other is None:
        return memory, None
    return memory.with_book(other, visit.now), draft
