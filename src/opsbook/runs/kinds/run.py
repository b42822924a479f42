"""Run steps: another runbook of the same revision, as a run of its own.

The run that waits is a row; the other one moves by itself, with steps, approvals and a rollback of
its own. It ends with the run that waits, and the step ends as it did.

A limit of the step's own is only what somebody wrote as ``timeout=``: a runbook that waits for an
approval takes as long as its own ``timeout`` allows. When it passes the other run is told to end,
and the step fails once it has: what it was doing is undone before anything else goes on.

A secret value goes to a secret parameter and nowhere else: in any other it would be kept in the
clear for as long as there is a journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from opsbook.base.database import Transaction
from opsbook.base.errors import Bug
from opsbook.base.quantities import format_duration
from opsbook.runs import sealed, starting, store
from opsbook.runs.children import cancel_child
from opsbook.runs.errors import CannotRun, DraftBook, UnknownRunbook, WrongParameters
from opsbook.runs.kinds import hidden
from opsbook.runs.kinds.kind import Ended, Pause, Place, earliest
from opsbook.runs.model import WaitsFor


class Run:
    """Waits for the run that it starts."""

    waits_for: WaitsFor = "run"

    def begin(self, tx: Transaction, now: datetime, place: Place) -> Pause | Ended:
        """Start the other run, or fail with why that cannot be."""
        given = parameters(tx, place)
        if isinstance(given, Ended):
            return given
        runbook, step = place.step.runbook, place.step
        try:
            child = starting.start_child(tx, now, place, runbook, given, place.sealer)
        except (CannotRun, DraftBook, UnknownRunbook, WrongParameters) as error:
            return Ended("failed", error.message)
        due = now + step.timeout if "timeout" in step.attributes else None
        wake = earliest(due, place.deadline)
        return Pause("run", due_at=due, wake_at=wake, data={"run": child, "late": False})

    def look(
        self, tx: Transaction, now: datetime, place: Place, wait: Mapping[str, Any]
    ) -> Pause | Ended | None:
        """Whether the other run has ended, and how; tell it to end once its time is over."""
        data, due = wait["data"], wait["due_at"]
        child = store.get(tx, data["run"])
        if child is None:
            raise Bug(f"Run {data['run']} of a step of run {place.run['id']} is not there.")
        which = f"run {child['id']}"
        if child["state"] in store.FINISHED:
            if data["late"]:
                return Ended("failed", f"{_too_long(place)}; {which} was ended")
            if child["state"] == "succeeded":
                return Ended("succeeded", f"{which} succeeded")
            how = "was cancelled" if child["state"] == "cancelled" else "failed"
            return Ended(
                "failed", f"{which} {how}{': ' if child['reason'] else ''}{child['reason']}"
            )
        if due is None or now < due or data["late"]:
            return None
        why = f"{_too_long(place)}, which step {place.step.key} of run {place.run['id']} allows"
        cancel_child(tx, now, child["id"], why)
        return Pause("run", due_at=due, wake_at=place.deadline, data={**data, "late": True})


def parameters(tx: Transaction, place: Place) -> dict[str, str] | Ended:
    """What the other run is given; ``$name`` is a variable of this one."""
    step, secret = place.step, hidden.of(place)
    called = place.book.runbooks[step.runbook]
    opened, sealer = dict(place.secrets), place.sealer
    if secret and sealer is not None:
        opened |= sealed.read(tx, place.run["id"], sealer)
    given: dict[str, str] = {}
    for name, text in step.arguments.items():
        variable = text[1:].strip("{}") if text.startswith("$") else None
        if variable in secret and sealer is None and variable not in opened:
            return Ended("failed", f"{name}: the secret {variable} cannot be opened here")
        if variable is None:
            given[name] = text
        else:
            given[name] = {**place.variables, **opened}.get(variable, "")
        param = called.params.get(name)
        if param is None or param.secret:
            continue
        if variable in secret or sealed.reveals(given[name], opened) is not None:
            told = f"{name}: it would be given a secret value, and is no secret parameter"
            return Ended("failed", f"{told} of {called.id}")
    return given


def _too_long(place: Place) -> str:
    return f"it took longer than {format_duration(place.step.timeout)}"
