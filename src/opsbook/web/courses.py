"""What can be done with a run as a whole: cancel, take over, go on after a failure, start again.

Only what the visitor may do is shown, and each with what it will do to this run. Whether a run can
go on is the engine's decision (`runs.resuming`); it is asked for its reason, so that the page says
the same as a refusal would.
"""

from __future__ import annotations

from typing import Any

from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid
from opsbook.book import Runbook
from opsbook.runs import resuming, store
from opsbook.runs.errors import CannotResume
from opsbook.runs.model import OPEN
from opsbook.web import asks, sayings
from opsbook.web.scene import Row, Scene


def open_to(tx: Transaction, scene: Scene) -> dict[str, Any]:
    """Return what the visitor may do with a run; empty texts and False for what not."""
    visit, row = scene.visit, scene.row
    writes = visit.may("runs:write", scene.book)
    steers = store.account_behind(tx, row["steered_by"] or row["started_by"])
    voted = any(
        one["account_id"] == visit.who.account_id for votes in scene.votes.values() for one in votes
    )
    failed = writes and row["state"] == "failed"
    why = cannot_resume(scene) if failed else ""
    return {
        "cancel": writes and scene.alive and not row["cancelling"],
        "cancel_says": cancel_says(scene) if scene.alive else "",
        "take_over": writes and scene.alive and steers != visit.who.account_id and not voted,
        "comment": True,
        "resume": failed and not why,
        "resume_says": _resume_says(scene) if failed and not why else "",
        "cannot_resume": why,
        "rerun": writes and not scene.alive and row["parent_id"] is None and _still_there(scene),
        "rerun_from": _rerun_from(scene),
    }


def _still_there(scene: Scene) -> bool:
    return scene.row["runbook"] in scene.book.runbooks and scene.book.status != "draft"


def cancel_says(scene: Scene) -> str:
    """Say what cancelling would do now."""
    say, row = scene.visit.speech.say, scene.row
    if row["ending"] is not None:
        return say("What runs in the end goes on, but nobody is waited for any more.")
    at = next((one for one in scene.phase("main") if one["state"] in OPEN), None)
    known = scene.known(at) if at is not None else None
    if at is not None and at["state"] == "running":
        told = say("The step that runs now is stopped: %(title)s.", title=at["title"])
    else:
        told = say("No further step is started.")
    if known is not None and known.on_cancel == "stop":
        stays = say("The book says that nothing is rolled back at this step.")
        return f"{told} {stays} {asks.finally_(scene)}".strip()
    if not any(one["started_at"] for one in scene.phase("main")):
        nothing = say("Nothing has begun, so nothing is undone.")
        return f"{told} {nothing}"
    return f"{told} {asks.aftermath(scene)}".strip()


def cannot_resume(scene: Scene) -> str:
    """Say why a run cannot go on where it failed; empty where it can."""
    if scene.runbook is None:
        return scene.visit.speech.say("The revision that it ran is no longer kept.")
    steps = [dict(one) for one in scene.steps]
    found = next(resuming.obstacles(scene.row, steps, scene.runbook), None)
    return sayings.told(scene.visit.speech, found[0]) if found is not None else ""


def _resume_says(scene: Scene) -> str:
    broken = scene.broken()
    return scene.visit.speech.say(
        "Goes on at “%(step)s”, with what was done before and the same parameters. "
        "An approval older than a day is asked again.",
        step=broken["title"] if broken is not None else "–",
    )


def _rerun_from(scene: Scene) -> str:
    broken = scene.broken()
    return str(broken["key"]) if broken is not None else ""


def beginnings(tx: Transaction, scene: Scene, runbook: Runbook) -> list[dict[str, Any]]:
    """Return the steps that a repetition may begin with; of the others why it may not."""
    found: list[dict[str, Any]] = []
    row: Row = scene.row
    for one in runbook.in_phase("main"):
        why = ""
        try:
            taken = resuming.taken_over(tx, dict(row), runbook, one.key).taken_over
        except (CannotResume, Invalid) as error:
            why, taken = sayings.told(scene.visit.speech, error.message), {}
        found.append({"key": one.key, "title": one.title, "why": why, "taken": len(taken)})
    return found
