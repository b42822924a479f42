"""What a kind of step is. It decides nothing about order, approval or repetition: the engine does.

There are two sorts. A kind that *executes* says what is to run; the engine commits the intent,
starts it, follows it and commits the outcome, the same way for all of them. A kind that *asks*
writes what it waits for and is asked again whenever something may have changed; in between it is a
row and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from opsbook.base.database import Transaction
from opsbook.base.places import Places
from opsbook.base.sealing import Sealer
from opsbook.book import Book, Step
from opsbook.book.params import VARIABLE
from opsbook.runs.model import WaitsFor
from opsbook.runs.supervisor import StepRequest


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which run a step stands: what a kind may read. `run` and `row` are table rows.

    `secrets` are the run's secret values, opened right before a step is executed; a kind that asks
    is never given any, but may hand them on sealed with the `sealer`.
    """

    book: Book
    run: Mapping[str, Any]
    step: Step
    row: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict)
    sealer: Sealer | None = None

    @property
    def variables(self) -> dict[str, str]:
        """Parameters and what earlier steps saved, by name: data, never part of a text."""
        item = dict(of_item(self.row["value"])) if self.row.get("value") is not None else {}
        return {**item, **plain(self.run), **self.secrets}

    @property
    def deadline(self) -> datetime | None:
        """Until when the run's main steps must be over; what undoes or tidies up is not bound."""
        found: datetime | None = self.run["deadline_at"]
        return found if self.step.phase == "main" else None


@dataclass(frozen=True, slots=True)
class Pause:
    """What is waited for. `due_at` is what people are told, `wake_at` when to look by itself.

    `remind_at` is when those who can answer are told once more.
    """

    kind: str
    role: str | None = None
    approval_id: int | None = None
    due_at: datetime | None = None
    wake_at: datetime | None = None
    remind_at: datetime | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a step that asks has ended. `leave` is what it says about changing things."""

    state: Literal["succeeded", "failed"]
    message: str = ""
    leave: Literal["", "granted", "refused"] = ""


class Executing(Protocol):
    """A kind whose steps are processes."""

    def request(
        self, place: Place, places: Places, scratch: Path, allowed: timedelta
    ) -> StepRequest:
        """What is to run for this attempt, for as long as `allowed`; its intent is on disk."""


class Asking(Protocol):
    """A kind whose steps wait for somebody or something."""

    @property
    def waits_for(self) -> WaitsFor:
        """What its steps wait for."""

    def begin(self, tx: Transaction, now: datetime, place: Place) -> Pause | Ended:
        """Ask."""

    def look(
        self, tx: Transaction, now: datetime, place: Place, wait: Mapping[str, Any]
    ) -> Pause | Ended | None:
        """Whether there is an answer; None when nothing has changed."""


StepKind = Executing | Asking


def waits_for(kind: StepKind) -> WaitsFor | None:
    """What steps of this kind wait for; None for one that executes."""
    found: WaitsFor | None = getattr(kind, "waits_for", None)
    return found


ITEM: Final = "item"


def plain(run: Mapping[str, Any]) -> dict[str, str]:
    """A run's parameters and saved values that steps may see.

    Not among them are digests of secret parameters, and what single items of a list have saved:
    both stand under names that no variable can have.
    """
    both = {**run["params"], **run["saved"]}
    return {name: value for name, value in both.items() if VARIABLE.fullmatch(name)}


def of_item(value: str) -> Iterator[tuple[str, str]]:
    """The variables that a repeated step finds its item in: ``item``, and an object's own fields.

    ``item_name`` for a field that is a text, a number or true or false, as a table's rows have.
    They never hide a variable of the runbook.
    """
    yield ITEM, value
    if not value.startswith("{"):
        return
    try:
        found = json.loads(value)
    except ValueError:
        return
    for name, one in found.items():
        if VARIABLE.fullmatch(f"{ITEM}_{name}") and isinstance(one, str | int | float):
            yield f"{ITEM}_{name}", one if isinstance(one, str) else json.dumps(one)


def earliest(*moments: datetime | None) -> datetime | None:
    """The first of these moments, of which any may be missing."""
    return min((one for one in moments if one is not None), default=None)
