"""Approvals: the question of an ``approval`` fence, and the one a run asks for itself.

What is approved is bound by a hash to the run, the book's revision, the runbook, the step, the
parameters and what earlier steps have saved, so that an answer to one question is never taken for
the answer to another. Saved values belong to it since they are what is known when people are asked:
whoever reads "replace 3 replicas?" has agreed to three. It cannot break by what comes later: while
one of its questions is open nothing else in a run moves on, and once an answer is heard the
approval is used up. What single items of a list have saved is part of no question and left out.

The hash is looked at again when the run takes the answer, in the transaction in which it moves on,
and so is who takes part in the run: to vote on a run and to take it over can cross each other. Who
takes part is decided in ``behind``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from opsbook.access import accounts, approvals, approvers, model
from opsbook.base.database import Transaction
from opsbook.base.errors import Bug
from opsbook.base.quantities import format_duration
from opsbook.book import Step
from opsbook.runs import behind
from opsbook.runs.kinds.kind import Ended, Pause, Place, earliest
from opsbook.runs.kinds.wording import worded
from opsbook.runs.model import WaitsFor
from opsbook.runs.reminders import remind_at

LEAVE: Final = {
    "ko": "이 실행은 스스로 시작했습니다. 다음을 바꾸어도 됩니까? {steps}",
    "en": "This run started by itself. May it change what these steps change? {steps}",
}


class Approval:
    """Waits for as many people as are needed, of the roles ``by=``, for as long as ``within=``."""

    waits_for: WaitsFor = "approval"

    def begin(self, tx: Transaction, now: datetime, place: Place) -> Pause:
        """Ask the fence's question, with the values that it names."""
        step = place.step
        until = now + step.within if step.within else None
        return _ask(tx, now, place, worded(place), roles=step.roles, need=step.need, until=until)

    def look(
        self, tx: Transaction, now: datetime, place: Place, wait: Mapping[str, Any]
    ) -> Ended | None:
        """Whether it was decided, and how."""
        row = approvals.get(tx, wait["approval_id"])
        if row is None:
            raise Bug(f"Approval {wait['approval_id']} of run {place.run['id']} is not there.")
        if row["bound_to"] != binding(place):
            approvals.void(tx, now, row["id"], "changed")
            return Ended("failed", "what was to be approved has changed since", "refused")
        match row["state"]:
            case "approved":
                return _granted(tx, now, place, row)
            case "rejected":
                by = _who(tx, row["id"], "reject")
                return Ended("failed", f"rejected by {by}", "refused")
            case "expired":
                return Ended("failed", _expired(tx, row), "refused")
            case "void" if not place.run["cancelling"]:
                return Ended("failed", "the approval was withdrawn", "refused")
        return None


def ask_leave(tx: Transaction, now: datetime, place: Place, changing: list[Step]) -> Pause:
    """Ask whether a run that started by itself may change something; name all that it would.

    Nobody has set it a time: ``within=`` of a step that executes is how long *it* may take.
    """
    titles = ", ".join(dict.fromkeys(f"“{step.title}”" for step in changing))
    words = LEAVE.get(place.book.languages[0], LEAVE["en"])
    return _ask(tx, now, place, words.format(steps=titles), data={"leave": True})


def binding(place: Place) -> str:
    """The hash of all that an approver agrees to."""
    run = place.run
    saved = {name: value for name, value in run["saved"].items() if "[" not in name}
    return approvals.binding(
        run=run["id"], revision=run["revision"], runbook=run["runbook"], step=place.row["key"],
        params=run["params"], saved=saved,
    )  # fmt: skip


def _ask(
    tx: Transaction, now: datetime, place: Place, question: str, *, roles: tuple[str, ...] = (),
    need: int = 1, until: datetime | None = None, data: dict[str, Any] | None = None,
) -> Pause:  # fmt: skip
    """Request an approval for this step and wait for it."""
    run, role = place.run, model.as_column(roles)
    expires = earliest(until, place.deadline)
    number = approvals.request(
        tx, now, book=place.book, subject=f"run:{run['id']}", thread=run["thread"],
        question=question, role=role, need=need, bound_to=binding(place),
        excluded=behind.taking_part(tx, run), expires_at=expires,
    )  # fmt: skip
    return Pause(
        "approval", role=role, approval_id=number, due_at=expires, wake_at=expires,
        remind_at=remind_at(now, expires), data=data or {},
    )  # fmt: skip


def _granted(tx: Transaction, now: datetime, place: Place, row: Mapping[str, Any]) -> Ended:
    part = behind.taking_part(tx, place.run)
    votes = approvals.votes(tx, row["id"])
    own = approvers.yes_of_excluded(tx, now, votes, part, row, place.book)
    if own:
        approvals.void(tx, now, row["id"], "excluded")
        logins = accounts.logins(tx, own)
        told = ", ".join(logins.get(one, f"account:{one}") for one in own)
        return Ended("failed", f"approved by {told}, who takes part in the run", "refused")
    return Ended("succeeded", f"approved by {_who(tx, row['id'], 'approve')}", "granted")


def _expired(tx: Transaction, row: Mapping[str, Any]) -> str:
    within = format_duration(row["expires_at"] - row["requested_at"])
    given = sum(one["decision"] == "approve" for one in approvals.votes(tx, row["id"]))
    if given:
        return f"only {given} of {row['need']} approved within {within}"
    return f"nobody approved within {within}"


def _who(tx: Transaction, approval_id: int, decision: str) -> str:
    ids = [
        one["account_id"] for one in approvals.votes(tx, approval_id) if one["decision"] == decision
    ]
    logins = accounts.logins(tx, ids)
    return ", ".join(logins.get(one, f"account:{one}") for one in ids) or "somebody"
