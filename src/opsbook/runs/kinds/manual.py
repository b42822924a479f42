"""Manual steps: a task-list item that people do, and say so: as many of them as ``need=`` asks.

Each says it for themselves (``answers.confirm``), and the last one of them ends the step.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from opsbook.access import model
from opsbook.base.database import Transaction
from opsbook.base.quantities import format_duration
from opsbook.runs import confirmations
from opsbook.runs.kinds.kind import Ended, Pause, Place, earliest
from opsbook.runs.model import WaitsFor
from opsbook.runs.reminders import remind_at


class Manual:
    """Waits for people of the roles ``by=``; ``answers.confirm`` ends it, time may too."""

    waits_for: WaitsFor = "person"

    def begin(self, tx: Transaction, now: datetime, place: Place) -> Pause:
        """Wait for people to say that it is done. What was said of an earlier try is over."""
        step = place.step
        confirmations.forget(tx, place.row["id"])
        due = earliest(now + step.within if step.within else None, place.deadline)
        return Pause(
            "person", role=model.as_column(step.roles), due_at=due, wake_at=due,
            remind_at=remind_at(now, due), data={"need": step.need},
        )  # fmt: skip

    def look(
        self, tx: Transaction, now: datetime, place: Place, wait: Mapping[str, Any]
    ) -> Ended | None:
        """Fail once its time is over; nobody else ends it here."""
        within = place.step.within
        if within is None or now < wait["since"] + within:
            return None
        span = format_duration(within)
        given = len(confirmations.of_step(tx, place.row["id"]))
        if given:
            return Ended("failed", f"only {given} of {place.step.need} did it within {span}")
        return Ended("failed", f"nobody did it within {span}")
