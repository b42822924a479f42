"""Approvals: the question of an ``approval`` fence, and the one a run asks for itself.

What is approved is bound by a hash to the book's revision, the runbook, the step and the
parameters, so that an answer to one question is never taken for the answer to another. Who may not
answer: whoever started the run, and the account that wrote the revision it runs. (The rest of the
list in DESIGN §7 comes with the pages that let people edit a book or a run's parameters.)
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from opsbook.access import accounts, approvals
from opsbook.base.database import Transaction
from opsbook.base.errors import Bug
from opsbook.base.quantities import format_duration
from opsbook.book import Step
from opsbook.runs import store
from opsbook.runs.kinds.kind import Ended, Pause, Place, earliest
from opsbook.runs.model import WaitsFor

LEAVE: Final = {
    "ko": "이 실행은 스스로 시작했습니다. 다음을 바꾸어도 됩니까? {steps}",
    "en": "This run started by itself. May it change what these steps change? {steps}",
}


class Approval:
    """Waits for as many people as are needed, of the role ``by=``, for as long as ``within=``."""

    waits_for: WaitsFor = "approval"

    def begin(self, tx: Transaction, now: datetime, place: Place) -> Pause:
        """Ask the fence's question."""
        return ask(tx, now, place, place.step.body.strip(), {})

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
                by = _who(tx, row["id"], "approve")
                return Ended("succeeded", f"approved by {by}", "granted")
            case "rejected":
                by = _who(tx, row["id"], "reject")
                return Ended("failed", f"rejected by {by}", "refused")
            case "expired":
                within = format_duration(row["expires_at"] - row["requested_at"])
                return Ended("failed", f"nobody approved within {within}", "refused")
            case "void":
                return Ended("failed", "the approval was withdrawn", "refused")
        return None


def ask(tx: Transaction, now: datetime, place: Place, question: str, data: dict[str, Any]) -> Pause:
    """Request an approval for this step and wait for it."""
    step, run = place.step, place.run
    expires = earliest(now + step.within if step.within else None, place.deadline)
    number = approvals.request(
        tx, now, book=place.book, subject=f"run:{run['id']}", thread=run["thread"],
        question=question, role=step.by, need=1, bound_to=binding(place),
        excluded=excluded(tx, run), expires_at=expires,
    )  # fmt: skip
    return Pause("approval", role=step.by, approval_id=number, due_at=expires, wake_at=expires,
                 data=data)  # fmt: skip


def ask_leave(tx: Transaction, now: datetime, place: Place, changing: list[Step]) -> Pause:
    """Ask whether a run that started by itself may change something; name all that it would."""
    titles = ", ".join(dict.fromkeys(f"“{step.title}”" for step in changing))
    words = LEAVE.get(place.book.languages[0], LEAVE["en"])
    return ask(tx, now, place, words.format(steps=titles), {"leave": True})


def binding(place: Place) -> str:
    """The hash of all that an approver agrees to."""
    run = place.run
    return approvals.binding(
        revision=run["revision"], runbook=run["runbook"], step=place.step.key, params=run["params"]
    )


def excluded(tx: Transaction, run: Mapping[str, Any]) -> dict[int, str]:
    """The accounts that may not approve this run, and why."""
    author = store.account_behind(tx, store.author_of(tx, run["revision"]))
    starter = store.account_behind(tx, run["started_by"])
    found = {author: "authored", starter: "started"}
    return {account: why for account, why in found.items() if account is not None}


def _who(tx: Transaction, approval_id: int, decision: str) -> str:
    ids = [
        one["account_id"] for one in approvals.votes(tx, approval_id) if one["decision"] == decision
    ]
    logins = accounts.logins(tx, ids)
    return ", ".join(logins.get(one, f"account:{one}") for one in ids) or "somebody"
