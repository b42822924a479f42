"""A run as pages show it: its state in a sentence, its steps under their headings, what to do next.

Used on the run's own page and inside its incident, so that approving is the same in both places.
What is known of it is read once (`scene`); each step is shaped by `stepped`, what it asks of people
by `asks`, the sentence by `outlook`, and what can be done with the run as a whole by `courses`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from markupsafe import Markup

from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.runs import sealed
from opsbook.web import ansi, asks, courses, outlook, scene, sentences, stepped, words
from opsbook.web.i18n import N_, Speech
from opsbook.web.scene import Scene
from opsbook.web.stepped import PHASES
from opsbook.web.visit import Visit

__all__ = ["PHASES", "RISKS", "cause", "shaped", "title", "took"]

DONE: Final = frozenset({"succeeded", "skipped"})
RISKS: Final = {"routine": N_("routine"), "change": N_("change"), "dangerous": N_("dangerous")}
HEADINGS: Final = {
    "rollback": N_("To undo, newest first"),
    "finally": N_("In any case, at the end"),
}


def shaped(
    tx: Transaction, visit: Visit, book: Book, row: Mapping[str, Any], names: sentences.Names
) -> dict[str, Any]:
    """Return everything the templates show of one run; ``book`` is the running one."""
    now = scene.read(tx, visit, book, row, names)
    whole = [one for one in now.steps if one["part_of"] is None]
    shown = {one["id"]: stepped.step(now, one) for one in whole}
    listed = list(shown.values())
    shared = Counter(one["title"] for one in whole)
    for one in listed:
        one["of_several"] = shared[one["title"]] > 1
    asked = outlook.first_ask(listed)
    trouble = _trouble(now)
    runbook = now.runbook
    risk = runbook.risk if runbook is not None else ""
    main = [one for one in listed if one["phase"] == "main"]
    return {
        **row,
        "title": title(visit.speech, book, row),
        "zone": now.zone,
        "alive": now.alive,
        "fed": now.fed,
        "parts": list(_parts(now, shown)),
        "sentence": outlook.sentence(now, listed),
        "asked": asked,
        "asks_me": asked["key"] if asked is not None and asked["mine"] else "",
        "trouble": trouble,
        "above": [one["key"] for one in (asked, trouble) if one is not None],
        "progress": f"{sum(one['state'] in DONE for one in main)}/{len(main)}",
        "cause": cause(visit, row, names),
        "params": [
            (name, stepped.bounded(str(value)))
            for name, value in sealed.shown(row["params"] or {}).items()
        ],
        "facts": list(_facts(now)),
        "risk": risk if risk != "routine" else "",
        "risk_word": visit.speech.say(RISKS[risk]) if risk else "",
        "runbook_path": f"/book/{quote(row['book'])}/runbooks/{quote(row['runbook'])}",
        "revision_path": _revision_path(now),
        "outdated": book.revision != row["revision"],
        "before": now.before["id"] if now.before is not None else None,
        "may": courses.open_to(tx, now),
    }


def title(speech: Speech, book: Book, row: Mapping[str, Any]) -> str:
    """Return what a run is called: its runbook's title in the visitor's language if it has one."""
    runbook = book.runbooks.get(row["runbook"])
    return words.text(speech, runbook.title) if runbook is not None else str(row["title"])


def cause(visit: Visit, row: Mapping[str, Any], names: sentences.Names) -> Markup:
    """Say why the run began: who started it, or which incident, routine or run."""
    kind, _, which = (row["trigger"] or "").partition(":")
    if kind == "incident":
        link = Markup('<a href="/incidents/{}">{}</a>').format(
            which, visit.speech.say("incident %(id)s", id=which)
        )
        return visit.html("started by %(what)s", what=link)
    if kind == "run":
        return visit.html("started by %(what)s", what=_link(visit, which))
    if kind == "routine":
        return visit.html("started by the routine %(name)s", name=which.rpartition("/")[2])
    return visit.html("started by %(who)s", who=names.of(row["started_by"]))


def took(visit: Visit, row: Mapping[str, Any]) -> str:
    """Return how long a run or a step took; empty before it is over."""
    if row["started_at"] is None or row["finished_at"] is None:
        return ""
    return words.fine_span(visit.speech, row["finished_at"] - row["started_at"])


def _link(visit: Visit, number: object) -> Markup:
    said = visit.speech.say("run %(id)s", id=number)
    return Markup('<a href="/runs/{}">{}</a>').format(number, said)


def _revision_path(now: Scene) -> str:
    """Where the runbook can be read as this run carries it out; empty for who may not."""
    if now.runbook is None or not now.sees_book:
        return ""
    return (
        f"/book/{quote(now.row['book'])}/files/{quote(now.runbook.file)}"
        f"?revision={now.row['revision']}"
    )


def _facts(now: Scene) -> Iterator[tuple[str, Any]]:
    """What else is so about it, where there is something to say."""
    visit, row, say = now.visit, now.row, now.visit.speech.say
    if row["steered_by"] and row["steered_by"] != row["started_by"]:
        yield say("Looked after by"), now.names.of(row["steered_by"])
    if now.parent is not None:
        link = _link(visit, now.parent["id"])
        yield say("A step of"), Markup("{} {}").format(link, now.parent["title"])
    if row["rerun_of"] is not None:
        link = _link(visit, row["rerun_of"])
        told = visit.html("%(run)s, from “%(step)s” on", run=link, step=row["rerun_from"])
        yield say("Repeats"), told if row["rerun_from"] else link
    if row["lock"]:
        yield say("Lock"), row["lock"]
    if now.alive and row["deadline_at"] is not None and row["ending"] is None:
        left = words.moment(visit.speech, row["deadline_at"], visit.now, now.zone, words.LEFT)
        at = f"{row['deadline_at'].astimezone(now.zone):%Y-%m-%d %H:%M}"
        yield say("Must be over by"), Markup("{} · {}").format(at, left)
    phased = now.runbook is not None and any(one.day for one in now.runbook.steps)
    if phased and row["day"]:
        yield say("The run's day"), row["day"]


def _trouble(now: Scene) -> dict[str, Any] | None:
    """What to look at first where something failed: the step, its words, the end of its output."""
    found = outlook.troubled(now)
    if found is None or (now.alive and now.row["ending"] is None):
        return None
    last = found["attempts"][-1] if found["attempts"] else None
    tail = now.tails.get(last["id"]) if last is not None else None
    text = asks.ending(tail.text) if tail is not None else ""
    return {
        "key": found["key"],
        "title": found["title"],
        "text": ansi.render(text) if text else "",
    }


def _parts(now: Scene, shown: Mapping[int, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The steps as they stand on the page: main, rollback in its own order, finally.

    What is only for the case of a failure stays folded until there is one.
    """
    say = now.visit.speech.say
    for phase in ("main", "rollback", "finally"):
        rows = now.phase(phase)
        if phase == "rollback":
            due = [one["id"] for one in now.undoing()]
            rows.sort(key=lambda one: due.index(one["id"]) if one["id"] in due else len(due))
        if not rows:
            continue
        steps = _headed([shown[one["id"]] for one in rows])
        idle = all(one["state"] in {"pending", "skipped"} for one in rows)
        failing = now.row["ending"] not in {None, "succeeded"} or now.row["cancelling"]
        yield {
            "phase": phase,
            "heading": say(HEADINGS[phase]) if phase in HEADINGS else "",
            "folded": phase == "rollback" and idle and not (failing and now.alive),
            "count": len(rows),
            "steps": steps,
        }


def _headed(steps: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Put a section's heading above its first step, where it says more than the step's title.

    Several blocks under one heading share its title; they stand under it by their own keys.
    """
    last: dict[str, Any] | None = None
    for one in steps:
        same = last is not None and (last["section"], last["day"]) == (one["section"], one["day"])
        same = same and last is not None and last["of_several"] == one["of_several"]
        says_more = one["of_several"] or one["section"] != one["title"]
        told = [one["section"]] if says_more and one["section"] and not same else []
        if one["day"] and (last is None or last["day"] != one["day"]):
            told.append(one["day"])
        one["group"] = " · ".join(told)
        last = one
    return steps
