"""How a run stands, in one sentence: what it does, whom it waits for and until when, how it ended.

Somebody opens the page at night and reads this line. It says what went wrong with the step's name
and its own words, what was undone and what was not; what to do next stands right below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from opsbook.web import asks, sayings, stepped, words
from opsbook.web.i18n import N_
from opsbook.web.scene import OVER, Row, Scene

Shown = Mapping[str, Any]
PLAIN: Final = {
    "succeeded": N_("Succeeded after %(span)s."),
    "failed": N_("Failed after %(span)s."),
    "cancelled": N_("Cancelled after %(span)s."),
}


def sentence(scene: Scene, steps: Sequence[Shown]) -> Any:
    """Return the sentence; ``steps`` are the run's, as `stepped` shapes them."""
    if not scene.alive:
        return _over(scene)
    before = _so_far(scene)
    doing = _doing(scene, steps)
    return Markup(" ").join(one for one in (before, doing) if one)


def _so_far(scene: Scene) -> str:
    """What is settled already of a run that still moves."""
    say, row = scene.visit.speech.say, scene.row
    if row["ending"] in {"failed", "cancelled"}:
        failed = row["ending"] == "failed"
        told = _why(scene) if failed else say("It is cancelled.")
        undoes = any(one["state"] not in OVER for one in scene.undoing())
        rolling = say("It is being rolled back.")
        return f"{told} {rolling}" if row["undo"] and undoes else told
    return say("It is being cancelled.") if row["cancelling"] else ""


def _doing(scene: Scene, steps: Sequence[Shown]) -> Any:
    state, say = scene.row["state"], scene.visit.speech.say
    if state == "queued":
        return _queued(scene)
    asked = first_ask(steps)
    if asked is not None:
        return _asks(scene, asked)
    running = next((one for one in _flat(steps) if one["state"] == "running"), None)
    if running is not None:
        return _runs(scene, running)
    watching = next((one for one in _flat(steps) if one["watch"] or _paused(one)), None)
    if watching is not None:
        return Markup("{}: {}").format(watching["title"], watching["watch"] or watching["due"])
    return say("It waits.") if state == "waiting" else say("It runs.")


def _paused(one: Shown) -> bool:
    return bool(one["state"] == "waiting" and one["due"])


def _flat(steps: Sequence[Shown]) -> Iterator[Shown]:
    """Every step, and before a repeated one its items: what moves is told before what contains it.

    A repeated step that runs is told by itself, since it says how many of its items are done.
    """
    for one in steps:
        if one["repeats"] and one["state"] != "running":
            yield from one["repeats"]["list"]
        yield one


def first_ask(steps: Sequence[Shown]) -> dict[str, Any] | None:
    """Return what is asked of the visitor, or else of somebody; None where nobody is."""
    every = [
        one["ask"]
        for step in steps
        for one in (*(step["repeats"]["list"] if step["repeats"] else ()), step)
        if one["ask"] is not None
    ]
    return next((one for one in every if one["mine"]), every[0] if every else None)


def _asks(scene: Scene, asked: dict[str, Any]) -> Any:
    visit, title = scene.visit, asked["title"]
    if asked["kind"] == "decision":
        # What went wrong comes first; who decides stands beside the question.
        return Markup(" · ").join(one for one in (asked["question"], asked["left"]) if one)
    if not asked["mine"]:
        return Markup("{}: {}").format(title, asks.told(asked))
    said = visit.html("It waits for you: %(step)s", step=title)
    return Markup(" · ").join(one for one in (said, asked["left"]) if one)


def _runs(scene: Scene, one: Shown) -> Any:
    visit, phase = scene.visit, scene.phase(one["phase"])
    place = next((n for n, row in enumerate(phase, 1) if row["id"] == one["id"]), 0)
    said = visit.html(
        "Step %(n)s of %(all)s runs: %(title)s", n=place, all=len(phase), title=one["title"]
    )
    more = list(one["repeats"]["told"]) if one["repeats"] else [one["took"]]
    if len(one["attempts"]) + len(one["earlier"]) > 1:
        number = one["attempts"][-1]["number"]
        more.append(visit.speech.say("try %(n)s", n=number))
    return Markup(" · ").join(text for text in (said, *more) if text)


def _queued(scene: Scene) -> Any:
    visit = scene.visit
    if scene.ahead is None:
        return visit.speech.say("It starts in a moment.")
    number = scene.ahead["id"]
    link = Markup('<a href="/runs/{}">{}</a>').format(
        number, visit.speech.say("run %(id)s", id=number)
    )
    return visit.html(
        "It waits in line behind %(run)s (lock %(lock)s).", run=link, lock=scene.row["lock"]
    )


# ---- over ---------------------------------------------------------------------------------------


def _over(scene: Scene) -> str:
    row, speech = scene.row, scene.visit.speech
    if row["state"] == "succeeded":
        said = _plain(scene)
        reason = sayings.told(speech, row["reason"])
        return f"{said} {reason}".strip()
    if row["state"] == "failed":
        return f"{_why(scene)} {undone(scene)}".strip()
    return f"{_plain(scene)} {undone(scene)}".strip()


def _why(scene: Scene) -> str:
    """Where and why it failed: the step's own words, or the reason that the run has."""
    broken, speech = scene.broken(), scene.visit.speech
    row = scene.row
    if broken is None or broken["state"] == "cancelled":
        # No step has failed: its time was over, or rollback or finally did.
        reason = sayings.told(speech, row["reason"])
        return f"{_plain(scene)} {reason}".strip()
    why = sayings.told(speech, broken["message"])
    if not why:
        return speech.say("Failed at “%(step)s”.", step=broken["title"])
    why = why if why.endswith((".", "!", "?", "다")) else f"{why}."
    return speech.say("Failed at “%(step)s”: %(why)s", step=broken["title"], why=why)


def _plain(scene: Scene) -> str:
    row, speech = scene.row, scene.visit.speech
    span = stepped.took(scene, row)
    if not span:
        return speech.say(words.state("run", row["ending"] or row["state"]).word)
    if row["state"] == "cancelled" and row["reason"].startswith("cancelled by "):
        login = row["reason"].removeprefix("cancelled by ").partition(";")[0]
        who = scene.names.called(login)
        return speech.say("Cancelled by %(who)s after %(span)s.", who=who, span=span)
    return speech.say(PLAIN[row["state"]], span=span)


def undone(scene: Scene) -> str:
    """Say how much of what was done is undone, for a run that did not succeed."""
    speech, back = scene.visit.speech, scene.phase("rollback")
    failed = next((one for one in back if one["state"] == "failed"), None)
    if failed is not None:
        return speech.say(
            "Rolling back failed at “%(step)s”: what it would have undone, and what lies beneath, "
            "is still there.",
            step=failed["title"],
        )
    done = [one for one in back if one["state"] == "succeeded"]
    if done:
        return speech.say_n("%(n)s step rolled it back.", "%(n)s steps rolled it back.", len(done))
    began = any(one["started_at"] and one["effect"] == "change" for one in scene.phase("main"))
    return speech.say(
        N_("Nothing was rolled back.") if began else N_("No step that changes something had begun.")
    )


def troubled(scene: Scene) -> Row | None:
    """The step whose failure is to be looked at first; None where none failed."""
    if scene.row["state"] != "failed" and scene.row["ending"] != "failed":
        return None
    whole = [one for name in ("rollback", "finally") for one in scene.phase(name)]
    after = next((one for one in whole if one["state"] == "failed"), None)
    broken = scene.broken()
    first = broken if broken is not None and broken["state"] == "failed" else None
    found = first or after
    if found is None:
        return None
    items = [one for one in scene.items(found) if one["state"] == "failed"]
    return items[0] if items else found
