"""Manual steps: a task-list item that a person does, and says so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from opsbook.base.database import Transaction
from opsbook.base.quantities import format_duration
from opsbook.runs.kinds.kind import Ended, Pause, Place, earliest
from opsbook.runs.model import WaitsFor


class Manual:
    """Waits for a person with the role ``by=``; ``answers.confirm`` ends it, time may too."""

    waits_for: WaitsFor = "person"

    def begin(self, tx: Transaction, now: datetime, place: Place) -> Pause:
        """Wait for somebody to say that it is done."""
        within = place.step.within
        due = earliest(now + within if within else None, place.deadline)
        return Pause("person", role=place.step.by, due_at=due, wake_at=due)

    def look(
        self, tx: Transaction, now: datetime, place: Place, wait: Mapping[str, Any]
    ) -> Ended | None:
        """Fail once its time is over; nobody else ends it here."""
        within = place.step.within
        if within is None or now < wait["since"] + within:
            return None
        return Ended("failed", f"nobody did it within {format_duration(within)}")
