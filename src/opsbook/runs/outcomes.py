"""Entering into the journal what has become of an attempt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from opsbook.runs import rows, store
from opsbook.runs.journal import Story
from opsbook.runs.output import Pieces
from opsbook.runs.supervisor import Outcome
from opsbook.runs.tables import attempt

Row = dict[str, Any]
KILLED_BY_SIGNAL = "ended by signal {}"


@dataclass(frozen=True, slots=True)
class Ended:
    """It has an outcome.

    `saved` is the value it saved (sealed, where it is a secret), `fault` why what it did does not
    do: what it gave out cannot be saved, or is not what the step says it must be.
    """

    attempt: Row
    outcome: Outcome
    pieces: Pieces = field(default_factory=Pieces)
    dropped: int = 0
    saved: str | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class NotStarted:
    """Nothing of it has run."""

    attempt: Row
    told: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can say how it ended. `elsewhere` where it ran on another machine."""

    attempt: Row
    told: str
    pieces: Pieces = field(default_factory=Pieces)
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Cleared:
    """Nothing of the interrupted attempt runs any more; what was chosen may happen."""

    choice: str


Result = Ended | NotStarted | Unknown | Cleared


def enter(story: Story, key: str, result: Result) -> None:
    """Write a result down, if it is still wanted.

    An outcome counts only for the attempt and the epoch it belongs to, and only once. Where that is
    not so any more somebody else has decided meanwhile, which is no error.
    """
    row = story.row(key)
    match result:
        case Cleared(choice):
            if row["state"] == "interrupted":
                story.cleared(key, choice)
        case Unknown(tried, told, pieces, elsewhere):
            if _close(story, tried, "interrupted", message=told):
                _keep(story, tried, pieces)
                story.interrupted(row, tried, told, elsewhere=elsewhere)
        case NotStarted(tried, told):
            if _close(story, tried, "failed", message=told):
                story.failed(row, told)
        case Ended():
            _ended(story, row, result)


def _ended(story: Story, row: Row, result: Ended) -> None:
    outcome, tried = result.outcome, result.attempt
    known = story.known(row)
    stopped = story.stopping and row["phase"] == "main"
    unasked = outcome.outcome == "killed" and not stopped
    unfit = outcome.outcome == "succeeded" and bool(result.fault)
    message = result.fault if unfit else told(outcome)
    state = "interrupted" if unasked else "failed" if unfit else outcome.outcome
    closed = _close(
        story, tried, state, message=message, exit_code=outcome.exit_code,
        bytes_seen=outcome.bytes_seen, bytes_dropped=result.dropped,
    )  # fmt: skip
    if not closed:
        return
    _keep(story, tried, result.pieces)
    if unasked:
        story.interrupted(row, tried, message)
    elif state == "killed":
        story.end_step(row, "cancelled", message)
    elif state == "succeeded":
        if known.save is not None and result.saved is not None:
            story.save(row, known.save, result.saved)
        story.end_step(row, "succeeded", outcome.note)
    else:
        story.failed(row, message)


def _keep(story: Story, tried: Row, pieces: Pieces) -> None:
    store.store_output(story.tx, story.run["id"], tried["id"], pieces.texts)


def _close(story: Story, tried: Row, state: str, **values: Any) -> bool:
    still = {"epoch": tried["epoch"], "state": "intended"}
    values |= {"state": state, "ended_at": story.now}
    return rows.claim(story.tx, attempt, tried["id"], still, **values)


def told(outcome: Outcome) -> str:
    """How an attempt ended, in words."""
    if outcome.outcome == "succeeded":
        return outcome.note
    if outcome.outcome == "failed":
        if outcome.exit_code is None and outcome.note:  # ended for what the note says
            return outcome.note
        if outcome.exit_code is None:
            return KILLED_BY_SIGNAL.format(outcome.signal)
        ended = f"exit code {outcome.exit_code}"
        return f"{ended}; {outcome.note}" if outcome.note else ended
    return outcome.note or outcome.outcome
