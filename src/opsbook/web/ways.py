"""The way of an alert to whoever hears of it: each route, what each stage says, who is told.

What `alerts.pipeline.explain` answers, in the visitor's language and with links to what it names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from opsbook.alerts import silences
from opsbook.alerts.pipeline.explain import Way
from opsbook.alerts.pipeline.memory import Memory
from opsbook.alerts.pipeline.muting import Quiet
from opsbook.alerts.pipeline.routing import Node
from opsbook.book import Book
from opsbook.web import readings, sayings, sendings, words
from opsbook.web.i18n import N_
from opsbook.web.sendings import Heard
from opsbook.web.visit import Visit

MOST_NAMED: Final = 5
LONGEST: Final = 200
QUIET: Final[Mapping[str, str]] = {
    "inhibited": N_("kept quiet: another alert explains it"),
    "behind": N_("kept quiet: the check it depends on has failed"),
    "inactive": N_("kept quiet: outside of the hours of its route"),
    "muted": N_("kept quiet: in the quiet hours of its route"),
    "silenced": N_("silenced"),
}
HELD: Final[Mapping[str, str]] = {
    "inhibited": N_("another alert explains it"),
    "behind": N_("it has failed"),
    "inactive": N_("the route does not tell at this time"),
    "muted": N_("now"),
    "silenced": N_("it is silenced"),
}
"""What a stage says that keeps an alert quiet, behind the stage's own name."""
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


def shown(
    visit: Visit, memory: Memory, book: Book, way: Way, known: Mapping[str, silences.Silence],
    heard: Mapping[tuple[tuple[int, ...], str], Heard],
) -> dict[str, Any]:  # fmt: skip
    """Return one way, ready to show."""
    speech = visit.speech
    place = ["routing"]
    for n in way.node.path:
        place += ["routes", str(n)]
    conditions = ", ".join(str(one) for one in way.node.conditions)
    path: list[str | int] = [int(part) if part.isdigit() else part for part in place]
    return {
        "where": book.where(*path) if book.routing is not None else "",
        "conditions": conditions,
        "receiver": receiver(visit, book, way.node),
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
                "said": speech.say(HELD[one.name] if one.quiet else STAGES[one.name][1]),
                "quiet": one.quiet is not None,
                "by": _by(visit, memory, book, one.quiet, known) if one.quiet else [],
            }
            for one in way.stages
        ],
        "hears": [
            {
                "who": listener(visit, book, one.listener.id),
                **_told(visit, book, one.listener.id, heard.get((way.node.path, one.listener.id))),
                "said": speech.say(TOLD[one.told]) if one.told and way.quiet is None else "",
                "only_firing": not one.listener.resolved,
            }
            for one in way.hears
        ],
        "quiet": way.quiet is not None,
    }  # fmt: skip


def _told(visit: Visit, book: Book, id: str, heard: Heard | None) -> dict[str, Any]:
    """Say what a listener was told of this alert, and what became of it on its way out."""
    zone, say = ZoneInfo(book.timezone), visit.html
    path = sendings.hook_path(book.id, id) if id in book.webhooks else ""

    def ago(at: datetime | None, form: str = words.AGO) -> Markup:
        return words.moment(visit.speech, at, visit.now, zone, form)

    if heard is None or heard.group is None:
        said: list[Markup] = [say("not told of this group yet")]
    elif heard.last is None:
        said = [say("not told of this alert; of its group %(ago)s", ago=ago(heard.group))]
    elif heard.row is None:
        said = [say("told %(ago)s", ago=ago(heard.last))]
    else:
        return _sent(visit, ago, heard.row, heard.last) | {"path": path}
    return {"told": said, "trouble": False, "path": path}


def _sent(
    visit: Visit, ago: Callable[..., Markup], row: Mapping[str, Any], at: datetime
) -> dict[str, Any]:
    """Say how a delivery or a message stands: "told" is what got out."""
    say = visit.html
    if row["state"] == "sent":
        return {"told": [say("told %(ago)s", ago=ago(row["sent_at"] or at))], "trouble": False}
    if not row["error"]:
        return {"told": [say("on its way for %(span)s", span=ago(at, words.FOR))], "trouble": False}
    why = escape(sayings.told(visit.speech, row["error"]))
    told = [say("not reached for %(span)s", span=ago(at, words.FOR)), why]
    if row["state"] == "failed":
        told.append(say("given up"))
    elif row["next_at"] is not None and row["state"] == "retry":
        told.append(say("tried again %(when)s", when=ago(row["next_at"], words.TO_COME)))
    return {"told": told, "trouble": True}


def _by(
    visit: Visit, memory: Memory, book: Book, quiet: Quiet, known: Mapping[str, silences.Silence]
) -> list[dict[str, str]]:
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
        return [
            {"path": readings.path(book.id, name), "word": readings.title(visit.speech, book, name)}
            for name in quiet.by
        ]
    if quiet.why == "inhibited":
        return _explaining(visit, memory, quiet)
    return [{"path": "", "word": _hours(visit, book, name)} for name in quiet.by]


def _explaining(visit: Visit, memory: Memory, quiet: Quiet) -> list[dict[str, str]]:
    """Return the alerts that explain another, the first few by name."""
    found = [memory.alerts[name] for name in quiet.by if name in memory.alerts]
    told = [
        {
            "path": f"/alerts/{one.id}",
            "word": title(visit, one.summary, one.labels) or one.fingerprint,
        }
        for one in found[:MOST_NAMED]
    ]  # fmt: skip
    if more := len(quiet.by) - len(told):
        said = visit.speech.say_n("%(n)s other alert", "%(n)s other alerts", more)
        told.append({"path": "/alerts", "word": said})
    return told


def _hours(visit: Visit, book: Book, name: str) -> str:
    found = book.hours.get(name)
    return (words.text(visit.speech, found.title) or name) if found is not None else name


def title(visit: Visit, summary: Any, labels: Mapping[str, str]) -> str:
    """Return what an alert is called: its summary, else its name; never longer than a line or two.

    Both come from outside, as long as anybody cares to make them.
    """
    said = words.text(visit.speech, summary).strip() or labels.get("alertname", "").strip()
    return cut(said)


def cut(text: str, most: int = LONGEST) -> str:
    """Return a text that fits into a row."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _silence(one: silences.Silence) -> str:
    return cut(f"{one.comment} ({one.created_by})")


def receiver(visit: Visit, book: Book, node: Node) -> str:
    """Return whom a route tells, in a few words."""
    names = [visit.speech.say("an incident")] if node.as_ == "incident" else []
    names += [listener(visit, book, one.id) for one in node.listeners if one.id != "incident"]
    return ", ".join(names) or visit.speech.say("nobody")


def listener(visit: Visit, book: Book, id: str) -> str:
    """Return what somebody or something that is told is called."""
    if id == "incident":
        return visit.speech.say("the incident, and whoever its escalation pages")
    for section in ("channels", "webhooks", "teams"):
        found = getattr(book, section).get(id)
        if found is not None:
            return words.text(visit.speech, found.title) or id
    person = book.people.get(id)
    return words.text(visit.speech, person.name) if person is not None else id
