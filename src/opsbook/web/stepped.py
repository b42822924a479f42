"""One step of a run as pages show it: its state, its tries with their output, its items, its text.

A step that is done takes one line. One that is under way, has failed or asks shows all there is to
know without a click, and one that is to come says when, where that is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from opsbook.base.quantities import format_quantity
from opsbook.base.secrets import HIDDEN
from opsbook.runs import pausing, sealed
from opsbook.web import ansi, asks, readings, sayings, words
from opsbook.web.i18n import N_
from opsbook.web.scene import ITEMS, OVER, TRIES, URGENT, Row, Scene, in_sight

PHASES: Final = {"rollback": N_("To undo"), "finally": N_("In any case")}
LONGEST: Final = 400
"""Characters of a saved value that are shown."""
LONGEST_ITEM: Final = 80
LONGEST_TEXT: Final = 20_000
MANY: Final = 60
"""Items that are named though there is nothing to look at: those done, and those to come."""
ENDED: Final = {
    "succeeded": N_("done"),
    "failed": N_("failed"),
    "timeout": N_("out of time"),
    "killed": N_("stopped"),
    "interrupted": N_("interrupted"),
}
SILENT: Final = frozenset({"approval", "manual"})
"""Kinds whose text is the question itself: it is shown when it is asked."""


def step(scene: Scene, row: Row) -> dict[str, Any]:
    """Return what the templates show of a step, or of one item of a repeated one."""
    known = scene.known(row)
    state, items = words.state("step", row["state"]), scene.items(row)
    asked = asks.ask(scene, row)
    runbook = scene.runbook
    where = f"{runbook.file}:{known.line}" if runbook is not None and known is not None else ""
    return {
        **row,
        "tone": state.tone,
        "word": _word(scene, row, state.word),
        "section": known.section if known is not None else "",
        "day": known.day or "" if known is not None else "",
        "where": where if scene.sees_book else "",
        "target": known.on or "" if known is not None else "",
        "changes": row["effect"] == "change" and row["kind"] not in SILENT | {"run"},
        "message": "" if asked else _message(scene, row),
        "due": _due(scene, row),
        "watch": watch(scene, row),
        "took": _time(scene, row),
        "ask": asked,
        "answers": [] if asked else asks.answers(scene, row),
        "attach": None if asked else asks.attaching(scene, row),
        "attempts": _attempts(scene, row),
        "earlier": _earlier(scene, row),
        "saved": _saved(scene, row),
        "sub": _sub(scene, row),
        "text": _text(scene, row),
        "repeats": _repeats(scene, items) if items else None,
    }


def _word(scene: Scene, row: Row, word: str) -> str:
    say = scene.visit.speech.say
    if row["state"] == "succeeded" or (row["state"] == "pending" and scene.alive):
        return ""
    if row["state"] in {"skipped", "pending"} and not row["message"]:
        return say("not reached")
    return say(word)


def _message(scene: Scene, row: Row) -> str:
    """What a step says of itself, where its state does not say it already."""
    if pause(scene, row) is not None or row["state"] in {"pending", "running"}:
        return ""
    return sayings.told(scene.visit.speech, row["message"])


def pause(scene: Scene, row: Row) -> Row | None:
    """The wait of a step before it is tried again; None for any other."""
    wait = scene.waits.get(row["id"])
    again = wait is not None and (wait["data"] or {}).get("again") == "retry"
    return wait if again and row["state"] == "waiting" else None


def _due(scene: Scene, row: Row) -> str:
    """When the day of a step begins that has not begun yet."""
    known = scene.known(row)
    if known is None or known.day is None or row["state"] not in {"pending", "waiting"}:
        return ""
    if row["attempts"] or not scene.alive or scene.then is None:
        return ""
    at = pausing.begins(scene.then, known, scene.row["day"])
    if at is None or at <= scene.visit.now:
        return ""
    told = f"{at.astimezone(ZoneInfo(scene.book.timezone)):%Y-%m-%d %H:%M}"
    ahead = words.moment(scene.visit.speech, at, scene.visit.now, scene.zone, words.TO_COME)
    return scene.visit.html("from %(at)s, %(ahead)s", at=told, ahead=ahead)


def watch(scene: Scene, row: Row) -> Any:
    """Say what a step waits for where it is no person, and until when; empty for other steps."""
    wait = scene.waits.get(row["id"])
    if wait is None or row["state"] != "waiting" or wait["kind"] in asks.ACTS:
        return ""
    told = [one for one in (_waits_for(scene, row, wait), _until(scene, wait)) if one]
    return Markup(" · ").join(told)


def _waits_for(scene: Scene, row: Row, wait: Row) -> Any:
    visit, data, due = scene.visit, wait["data"] or {}, wait["due_at"]
    if data.get("again") == "retry":
        known, why = scene.known(row), sayings.told(visit.speech, str(data.get("why", "")))
        ahead = words.moment(visit.speech, due, visit.now, scene.zone, words.TO_COME)
        return visit.html(
            "%(why)s – tried again %(ahead)s (try %(n)s of %(all)s)", why=why or "–", ahead=ahead,
            n=len(row["attempts"]) + 1, all=(known.retry if known is not None else 0) + 1,
        )  # fmt: skip
    if data.get("again") == "day":
        return ""
    if wait["kind"] == "run":
        number = data.get("run")
        told = visit.speech.say("run %(id)s", id=number)
        link = Markup('<a href="/runs/{}">{}</a>').format(number, told)
        return visit.html("waits for %(run)s to end", run=link)
    if wait["kind"] == "time":
        window = data.get("window")
        said = N_("waits for the window %(window)s, until %(at)s") if window else N_(
            "waits until %(at)s"
        )  # fmt: skip
        at = f"{due.astimezone(scene.zone):%Y-%m-%d %H:%M}" if due is not None else "–"
        return visit.speech.say(said, at=at, **({"window": window} if window else {}))
    check = scene.book.checks.get(str(data.get("check", "")))
    if check is None:
        return ""
    link = Markup('<a href="{}">{}</a>').format(
        readings.path(scene.book.id, check.id), words.text(visit.speech, check.title)
    )
    held = str(data.get("told") or "")
    said = visit.html("watches %(check)s until it holds", check=link)
    return Markup("{} ({})").format(said, sayings.told(visit.speech, held)) if held else said


def _until(scene: Scene, wait: Row) -> Any:
    if wait["due_at"] is None or (wait["data"] or {}).get("again"):
        return ""
    visit = scene.visit
    return words.moment(visit.speech, wait["due_at"], visit.now, scene.zone, words.LEFT)


def _time(scene: Scene, row: Row) -> Any:
    """How long it took, or has been taking; empty before it began."""
    if row["started_at"] is None:
        return ""
    visit = scene.visit
    if row["finished_at"] is None:
        if row["state"] != "running":
            return ""
        return words.moment(visit.speech, row["started_at"], visit.now, scene.zone, words.FOR)
    return words.fine_span(visit.speech, row["finished_at"] - row["started_at"])


# ---- tries --------------------------------------------------------------------------------------


def _attempts(scene: Scene, row: Row) -> list[dict[str, Any]]:
    tried = row["attempts"]
    return [_attempt(scene, row, one, len(tried)) for one in tried[-TRIES:]]


def _earlier(scene: Scene, row: Row) -> list[dict[str, Any]]:
    """Tries that are too many to be shown with what they wrote."""
    return [_attempt(scene, row, one, 0) for one in row["attempts"][:-TRIES]]


def _attempt(scene: Scene, row: Row, one: Row, count: int) -> dict[str, Any]:
    say = scene.visit.speech.say
    tail = scene.tails.get(one["id"])
    alive, last = one["state"] == "intended", one["number"] == count
    told = [say("Output")] if count == 1 else [say("Try %(n)s", n=one["number"])]
    if count != 1 and one["state"] in ENDED:
        told.append(say(ENDED[one["state"]]))
    if one["exit_code"]:
        told.append(say("exit code %(code)s", code=one["exit_code"]))
    why = "" if _says_code(one) else one["message"]
    if why and (why != row["message"] or count != 1):
        told.append(sayings.told(scene.visit.speech, why))
    if count != 1 and one["ended_at"] is not None:
        told.append(words.fine_span(scene.visit.speech, one["ended_at"] - one["intended_at"]))
    dropped = one["bytes_dropped"]
    known = scene.known(row)
    saves = known is not None and known.save is not None  # shown by itself, and the same once more
    shows = row["state"] not in {"succeeded", "skipped"} or (row["effect"] == "read" and not saves)
    return {
        **one,
        "text": ansi.render(tail.text) if tail is not None else "",
        "end": tail.piece if tail is not None else 0,
        "cut": tail is not None and tail.start > 0,
        "size": format_quantity(one["bytes_seen"], "bytes"),
        "alive": alive,
        "open": alive or (last and shows and row["part_of"] is None) or _broke(row, last),
        "label": " · ".join(told),
        "dropped": say("%(size)s more was not kept", size=format_quantity(dropped, "bytes"))
        if dropped
        else "",
        "download": f"/runs/{row['run_id']}/steps/{row['key']}/output.txt?attempt={one['number']}",
    }


def _says_code(one: Row) -> bool:
    return bool(one["exit_code"]) and one["message"] == f"exit code {one['exit_code']}"


def _broke(row: Row, last: bool) -> bool:
    return last and row["state"] in {"failed", "interrupted"}


# ---- what it is about ---------------------------------------------------------------------------


def _saved(scene: Scene, row: Row) -> dict[str, Any] | None:
    """What a step has saved for those after it: bounded, and a secret as dots."""
    known = scene.known(row)
    if known is None or known.save is None or row["state"] not in {"succeeded", "skipped"}:
        return None
    if row["part_of"] is not None:
        return None
    if sealed.hidden(known):
        return {"name": known.save, "value": HIDDEN} if row["state"] == "succeeded" else None
    value = (scene.row["saved"] or {}).get(known.save)
    return None if value is None else {"name": known.save, "value": bounded(str(value))}


def bounded(text: str, most: int = LONGEST) -> str:
    """Return the beginning of a text, which says where it was cut."""
    return text if len(text) <= most else f"{text[:most].rstrip()}…"


def _sub(scene: Scene, row: Row) -> dict[str, Any] | None:
    """The run that a step has started."""
    if row["kind"] != "run":
        return None
    wait = scene.waits.get(row["id"])
    number = (wait["data"] or {}).get("run") if wait is not None else None
    if number is None:  # a step that is over names it: "run 12 failed: …"
        first = row["message"].split(" ", 2)
        number = int(first[1]) if first[0] == "run" and first[1:2] and first[1].isdigit() else None
    found = scene.children.get(number) if number is not None else None
    if found is None:
        return None
    return {"id": found["id"], "title": found["title"], "state": found["state"]}


def _text(scene: Scene, row: Row) -> dict[str, str] | None:
    """What the book says that it does, on demand."""
    known = scene.known(row)
    if known is None or not scene.sees_book or row["part_of"] is not None:
        return None
    if row["kind"] in SILENT and row["state"] not in OVER:
        return None
    body = known.body.strip("\n")
    if not body or row["kind"] == "manual":
        return None
    return {"body": bounded(body, LONGEST_TEXT), "kind": row["kind"]}


# ---- items --------------------------------------------------------------------------------------


def _repeats(scene: Scene, items: Sequence[Row]) -> dict[str, Any]:
    """The items of a repeated step: how many are done, those to look at, and the rest by name."""
    say = scene.visit.speech.say
    count = Counter(one["state"] for one in items)
    ahead = in_sight(items)
    told = [say("%(n)s of %(all)s done", n=count["succeeded"] + count["skipped"], all=len(items))]
    for state, sentence in (
        ("failed", N_("%(n)s failed")), ("interrupted", N_("%(n)s interrupted")),
        ("waiting", N_("%(n)s waiting")), ("running", N_("%(n)s running")),
    ):  # fmt: skip
        if count[state]:
            told.append(say(sentence, n=count[state]))
    urgent = sum(count[state] for state in URGENT)
    rest = [one for one in items if one["state"] not in URGENT]
    return {
        "told": told,
        "bad": bool(count["failed"] or count["interrupted"]),
        "list": [{**step(scene, one), "name": _name(one)} for one in ahead],
        "more": say("%(n)s more like these", n=urgent - ITEMS) if urgent > ITEMS else "",
        "rest": list(_rest(scene, rest)),
    }


def _rest(scene: Scene, rest: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """The items with nothing to look at, by state: done, to come, left out."""
    speech = scene.visit.speech
    groups = (("succeeded", N_("done")), ("skipped", N_("left out")), ("pending", N_("to come")))
    for state, word in groups:
        found = [one for one in rest if one["state"] == state]
        if found:
            yield {
                "state": state,
                "word": f"{len(found)} {speech.say(word)}",
                "names": [
                    {"name": _name(one), "key": one["key"], "wrote": bool(one["attempts"]),
                     "took": _took(scene, one)}
                    for one in found[:MANY]
                ],
                "more": len(found) - MANY if len(found) > MANY else 0,
            }  # fmt: skip


def _name(row: Row) -> str:
    return bounded(str(row["value"] or row["item"]), LONGEST_ITEM)


def _took(scene: Scene, row: Row) -> str:
    if row["started_at"] is None or row["finished_at"] is None:
        return ""
    length: timedelta = row["finished_at"] - row["started_at"]
    return words.fine_span(scene.visit.speech, length)


def took(scene: Scene, row: Mapping[str, Any]) -> str:
    """Return how long something over took; empty where it did not begin, or is not over."""
    return _took(scene, row)
