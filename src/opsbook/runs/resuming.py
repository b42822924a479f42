"""Going on after a failure: the same run from where it failed, or a new one from a step on.

*Resume* is for what was mended outside: the run goes on at its own revision, with its own
parameters. What it did before stands, so it is possible only while none of that was undone.
*Rerun* is a run of its own, of the book as it is now, that takes over what an earlier run did
before a step. Neither is a way round an approval: what was approved for one run is asked again in
another, and what was approved long ago is asked again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from opsbook import audit
from opsbook.access import Principal
from opsbook.access.tables import approval
from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid
from opsbook.base.sealing import Sealer
from opsbook.book import Book, Runbook, Step
from opsbook.book.problems import suggestion
from opsbook.runs import pausing, rows, sealed, steering, store
from opsbook.runs.errors import CannotResume, UnknownRunbook
from opsbook.runs.kinds import STEP_KINDS
from opsbook.runs.kinds.kind import waits_for
from opsbook.runs.model import PASSED
from opsbook.runs.starting import Lineage, start
from opsbook.runs.tables import run, step
from opsbook.runs.waking import announce

Row = dict[str, Any]
APPROVED_FOR: Final = timedelta(days=1)
"""How long an approval may be old when the run that it was given to goes on."""


def resume(
    tx: Transaction, now: datetime, run_id: int, principal: Principal, book: Book, then: Book,
    reason: str,
) -> None:  # fmt: skip
    """Go on with a failed run at the step that failed. `then` is the book as the run has it.

    Whoever resumes it looks after it from here on, and so takes part in it: somebody who has voted
    on it cannot, or they would have approved their own. It gets the time that its runbook allows
    anew.

    Raises:
        Refused: without runs:write.
        Invalid: no reason is given.
        CannotResume: it did not fail, or what came before has been undone, or it was refused.
        Voted: they have voted on what it asked.
    """
    principal.require("runs:write", book)
    reason = _reason(reason)
    row = store.lock_run(tx, run_id)
    procedure = then.runbooks[row["runbook"]]
    steps = store.step_rows(tx, run_id)
    if why := next(obstacles(row, steps, procedure), None):
        raise CannotResume(why[0], remedy=why[1])
    if principal.account_id is not None:
        steering.keep_from_approving(tx, now, run_id, principal)
    groups = {one["part_of"] for one in steps}
    for one in steps:
        if (values := _again(one, now - APPROVED_FOR, one["id"] in groups)) is not None:
            rows.update(tx, step, one["id"], **values)
    values = {
        "state": "queued", "ending": None, "reason": "", "finished_at": None,
        "cancelling": False, "undo": True, "steered_by": principal.actor,
        "deadline_at": pausing.deadline(then, procedure, row["day"], now),
        "leave": _leave(tx, row, now - APPROVED_FOR),
    }  # fmt: skip
    rows.update(tx, run, run_id, **values)
    audit.record(
        tx, now, principal.actor, "run.resumed", f"run:{run_id}", thread=row["thread"],
        data={"failed_with": row["reason"]}, text=reason,
    )  # fmt: skip
    announce(tx, now, "run.changed", {**row, **values})
    tx.touch("runs", f"run:{run_id}")


def _leave(tx: Transaction, row: Row, old: datetime) -> str:
    """The leave a run has when it goes on: none where what it was given by is too old to hold."""
    if not row["leave"]:
        return ""
    given = (approval.c.subject == f"run:{row['id']}") & (approval.c.state == "approved")
    young = sa.select(approval.c.id).where(given, approval.c.decided_at > old).limit(1)
    return str(row["leave"]) if tx.row(young) else ""


def obstacles(
    row: Mapping[str, Any], steps: list[Row], procedure: Runbook
) -> Iterator[tuple[str, str]]:
    """Why a run cannot go on, with what to do; the first is told."""
    named = f"Run {row['id']}"
    if row["state"] != "failed":
        yield f"{named} did not fail: it is {row['state']}.", "Only a failed run can be resumed."
    if row["parent_id"] is not None:
        yield (
            f"{named} is a step of run {row['parent_id']}.",
            "Resume that one: it starts this runbook again.",
        )
    refused = [one for one in steps if one["kind"] == "approval" and one["state"] == "failed"]
    if row["leave"] == "refused" or refused:  # whatever else was granted before
        yield f"{named} was not approved.", "Start the runbook again, and ask anew."
    if undone := [one for one in steps if one["phase"] == "rollback" and one["started_at"]]:
        yield (
            f"{named} was rolled back ({undone[0]['title']}): what came before is undone.",
            "Start it again from a step whose work still stands, or from the beginning.",
        )
    ended = next(
        (
            one
            for one in steps
            if one["phase"] == "main" and one["state"] in {"failed", "cancelled"}
        ),
        None,
    )
    if ended is None:
        yield (
            f"No main step of run {row['id']} has failed: {row['reason'] or 'it gives no reason'}.",
            "Start the runbook again.",
        )
    if sealed.has_any(procedure):
        yield (
            f"The secret values of {named.lower()} were forgotten when it ended.",
            "Start it again from the step that failed, and give them anew.",
        )


def _again(row: Row, old: datetime, has_items: bool) -> Row | None:
    """What changes in a step's row when its run goes on; None for what stays as it is.

    Left out for a reason is done, and left over is not: only the first has a message. A repeated
    step goes on with the items it has.
    """
    fresh: Row = {"state": "pending", "finished_at": None, "message": "", "failures": 0}
    if row["phase"] == "rollback":
        return None
    if row["phase"] == "main" and (
        row["state"] == "succeeded" or (row["state"] == "skipped" and row["message"])
    ):
        aged = row["kind"] == "approval" and row["finished_at"] and row["finished_at"] < old
        return fresh if aged else None
    return {**fresh, "state": "running"} if has_items else fresh


def rerun(
    tx: Transaction, now: datetime, run_id: int, principal: Principal, book: Book,
    step_key: str | None, reason: str, params: Mapping[str, str] | None = None,
    sealer: Sealer | None = None, idempotency_key: str | None = None,
) -> int:  # fmt: skip
    """Start a run again, of the book as it is now: from a step on, or from the beginning.

    Parameters are those it had, but for those given here; secret ones have to be given. Steps
    before `step_key` that were done are taken over with what they saved; approvals are asked again.

    Raises:
        Refused: without runs:write.
        Invalid: no reason is given, or there is no such step.
        CannotResume: a step before was not done, or has been undone.
        UnknownRunbook, WrongParameters, DraftBook: as `start`.
    """
    principal.require("runs:write", book)
    reason = _reason(reason)
    row = store.lock_run(tx, run_id)
    procedure = book.runbooks.get(row["runbook"])
    if procedure is None:
        raise UnknownRunbook(
            f"The book {book.id} has no runbook {row['runbook']!r} any more.",
            remedy="Start the one that has taken its place.",
        )
    kept = {
        name: value
        for name, value in row["params"].items()
        if name in procedure.params and not procedure.params[name].secret and value
    }
    wanted = {**kept, **(params or {})}
    origin = Lineage(rerun_of=run_id)
    if step_key is not None:
        origin = taken_over(tx, row, procedure, step_key)
        _keeps_what_was_done(row, procedure, origin, wanted)
    made = start(
        tx, now, book=book, runbook=row["runbook"], params=wanted,
        started_by=principal.actor, attended=True, principal=principal, sealer=sealer,
        idempotency_key=idempotency_key, lineage=origin,
    )  # fmt: skip
    audit.record(
        tx, now, principal.actor, "run.rerun", f"run:{made}", thread=f"run:{made}",
        data={"of": run_id, "from": step_key or ""}, text=reason,
    )  # fmt: skip
    return made


def taken_over(tx: Transaction, row: Row, procedure: Runbook, step_key: str) -> Lineage:
    """What a run from a step on need not do again.

    Raises:
        Invalid: the runbook has no such main step.
        CannotResume: something before it was not done, or is undone.
    """
    main = procedure.in_phase("main")
    keys = [one.key for one in main]
    if step_key not in keys:
        raise Invalid(
            f"The runbook {procedure.id} has no step {step_key!r} to begin with.",
            remedy=suggestion(step_key, keys, what="its steps").capitalize() + ".",
        )
    steps = store.step_rows(tx, row["id"])
    before = {one["key"]: one for one in steps}
    undone = {
        procedure.step(one["key"]).rollback_of  # type: ignore[union-attr]
        for one in steps
        if one["phase"] == "rollback" and one["started_at"] and procedure.step(one["key"])
    }
    taken: dict[str, str] = {}
    for one in main[: keys.index(step_key)]:
        if waits_for(STEP_KINDS[one.kind]) == "approval":
            continue
        if why := _not_done(one, before.get(one.key), undone):
            raise CannotResume(
                f"Run {row['id']} cannot be taken over before {step_key}: step {one.key} {why}.",
                remedy=f"Begin with {one.key}, or from the beginning.",
            )
        taken[one.key] = f"taken over from run {row['id']}"
    names = {one.save for one in main if one.key in taken and one.save}
    saved = {name: value for name, value in row["saved"].items() if name in names}
    return Lineage(rerun_of=row["id"], rerun_from=step_key, saved=saved, taken_over=taken)


def _keeps_what_was_done(
    row: Row, procedure: Runbook, origin: Lineage, params: Mapping[str, str]
) -> None:
    """Refuse other parameters than those that steps which are taken over were done with.

    Whoever approves the rest would read a version that was never rolled out.

    Raises:
        CannotResume: names each of them, the steps that used it, and with what.
    """
    told = []
    for name, before in row["params"].items():
        if name.startswith(sealed.MARK) or params.get(name, before) == before:
            continue
        word = re.compile(rf"\b{re.escape(name)}\b")
        users = [one.key for one in procedure.in_phase("main")
                 if one.key in origin.taken_over and word.search(_said(one))]  # fmt: skip
        if users:
            told.append(f"{name} was {before!r} when {', '.join(users)} ran")
    if told:
        raise CannotResume(
            f"Run {row['id']} cannot be taken over with other parameters: {'; '.join(told)}.",
            remedy="Keep them, or begin with the first of these steps, or from the beginning.",
        )


def _said(one: Step) -> str:
    """All of a step in which a parameter can be named."""
    return repr(replace(one, key="", title="", section=""))


def _not_done(one: Step, was: Row | None, undone: set[str | None]) -> str:
    if was is None:
        return "is not a step of it"
    if one.key in undone:
        return "was undone"
    if was["state"] == "skipped" and not was["message"]:
        return "was not reached"
    if one.secret:
        return "saved a secret, which was forgotten when it ended"
    return "" if was["state"] in PASSED else f"is {was['state']}"


def _reason(text: str) -> str:
    if not text.strip():
        raise Invalid("Nobody has said why.", remedy="Give a reason: it is kept with the run.")
    return text.strip()
