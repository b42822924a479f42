"""Following one attempt: its output into the journal while it comes, its outcome at the end.

Output waits up to FLUSH_S before it is stored, so that a chatty step costs ten commits a second and
not a thousand. What comes last is not stored here: it goes into the transaction of the outcome, and
a short step therefore costs no commit of its own for what it wrote.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from opsbook.base.database import Database, Transaction
from opsbook.runs import rows, store
from opsbook.runs.output import Pieces, Recorder
from opsbook.runs.supervisor import Outcome, Step
from opsbook.runs.tables import attempt

FLUSH_S: Final = 0.1
OUTPUT_FILE: Final = "output.bin"
AT_ONCE: Final = 256 * 1024
Row = dict[str, Any]
log = structlog.get_logger("opsbook.runs")


@dataclass(frozen=True, slots=True)
class Followed:
    """How it ended, what is left to be stored, and how many bytes were left out."""

    outcome: Outcome
    pieces: Pieces
    dropped: int


class Following:
    """One running attempt."""

    def __init__(self, database: Database, attempt: Row, step: Step, recorder: Recorder) -> None:
        self.database = database
        self.attempt = attempt
        self.step = step
        self.recorder = recorder
        self._unsent: list[tuple[int, str]] = []
        self._ended = asyncio.Event()
        self._flusher: asyncio.Task[None] | None = None

    async def to_the_end(self) -> Followed:
        """Read until there is an outcome. Cancelled, it leaves the step running."""
        try:
            async for chunk in self.step.chunks():
                self.recorder.feed(chunk)
                if self.recorder.waiting and (self._flusher is None or self._flusher.done()):
                    self._flusher = asyncio.create_task(self._flush())
            outcome = await self.step.outcome()
        except BaseException:
            self.step.close()
            raise
        finally:
            self._ended.set()
            if self._flusher is not None:
                await self._flusher
        last = self.recorder.close()
        dropped = self.recorder.dropped + self.step.dropped
        return Followed(outcome, Pieces(self._unsent + last.texts, last.raw), dropped)

    async def _flush(self) -> None:
        """Store what has come, every FLUSH_S, until nothing new has come or it has ended.

        Only while the attempt is this server's: another that has taken it over stores it too.
        """
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), FLUSH_S)
                return
            pieces = self.recorder.take()
            self._unsent += pieces.texts
            if not self._unsent:
                return

            def store_it(tx: Transaction, raw: int = pieces.raw) -> None:
                mine = {"epoch": self.attempt["epoch"], "state": "intended"}
                if rows.claim(tx, attempt, self.attempt["id"], mine, raw_offset=raw):
                    store.store_output(tx, self.attempt["run_id"], self.attempt["id"], self._unsent)

            try:
                await self.database.write(store_it)
            except Exception as error:  # noqa: BLE001  kept, and tried again with what comes next
                log.warning("output could not be stored yet", error=str(error))
            else:
                self._unsent = []


def read_file(scratch: Path, recorder: Recorder) -> tuple[Pieces, int]:
    """What a step wrote that nobody follows any more, from where the recorder stands; blocks."""
    with contextlib.suppress(FileNotFoundError), (scratch / OUTPUT_FILE).open("rb") as file:
        file.seek(recorder.raw)
        while data := file.read(AT_ONCE):
            recorder.feed(data)
    return recorder.close(), recorder.dropped
