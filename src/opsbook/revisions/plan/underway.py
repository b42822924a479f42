"""What goes on at the moment of a plan: runs, incidents, alerts and pages, as plain values.

Whoever asks for a plan reads them; the comparison itself knows no database.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from opsbook.book import Runbook, Step


@dataclass(frozen=True, slots=True)
class RunInFlight:
    """A run that is not over. ``remaining`` are its steps still to come, by key and fingerprint."""

    id: int
    runbook: str
    revision: str
    step: str | None
    remaining: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An incident that is not over; ``answered_by`` is the person who acknowledged it."""

    id: int
    severity: str
    revision: str
    opened_at: datetime
    acknowledge_by: datetime | None = None
    answered_by: str | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """What goes on in one book: ``alerts`` counts firing ones by rule, ``pages`` those of each
    person that were not delivered yet.
    """

    runs: tuple[RunInFlight, ...] = ()
    incidents: tuple[OpenIncident, ...] = ()
    alerts: Mapping[str, int] = field(default_factory=dict)
    pages: Mapping[str, int] = field(default_factory=dict)


def fingerprint(step: Step) -> str:
    """Return what tells two forms of a step apart: everything but where it stands in the file."""
    fields = ((one.name, getattr(step, one.name)) for one in dataclasses.fields(step))
    told = repr([(name, _plain(value)) for name, value in fields if name != "line"])
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def remaining(runbook: Runbook | None, keys: tuple[str, ...]) -> dict[str, str]:
    """Return the fingerprints of some of a runbook's steps; a step it has not is left out."""
    steps = (runbook.step(key) for key in keys) if runbook is not None else ()
    return {step.key: fingerprint(step) for step in steps if step is not None}


def running_as_data(running: Running) -> dict[str, Any]:
    """Return what goes on as JSON has it."""
    told = dataclasses.asdict(running)
    for one in told["incidents"]:
        for name in ("opened_at", "acknowledge_by"):
            one[name] = one[name].isoformat() if one[name] is not None else None
    return told


def running_of(data: Mapping[str, Any]) -> Running:
    """Return what goes on from what ``running_as_data`` gave."""
    incidents = [
        {**one, **{name: _moment(one[name]) for name in ("opened_at", "acknowledge_by")}}
        for one in data["incidents"]
    ]
    return Running(
        tuple(RunInFlight(**one) for one in data["runs"]),
        tuple(OpenIncident(**one) for one in incidents),
        dict(data["alerts"]),
        dict(data["pages"]),
    )


def _plain(value: Any) -> Any:
    return sorted(value.items()) if isinstance(value, Mapping) else value


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None
