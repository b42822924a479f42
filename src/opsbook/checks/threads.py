"""Threads for what may block for ever: a file on a dead mount, a resolver that does not answer.

`concurrent.futures` was refused: a worker that hangs is lost to the pool for ever, and the program
waits for it when it ends. Here a job that nobody waits for any longer keeps its thread, which is
counted; the others go on, and the same job is not started again until it has come back. Threads are
daemons, so a hung one does not hold up the end of the program.

All bookkeeping happens on the event loop; a thread touches nothing but its own inbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from opsbook.checks.model import CannotLook

Result = TypeVar("Result")
MOST = 256
KEPT_IDLE = 4


class StillHanging(CannotLook):
    """An earlier look has not come back yet."""


class TooManyThreads(CannotLook):
    """Too many looks hang to start another."""


@dataclass(eq=False, slots=True)
class _Job:
    key: str
    work: Callable[[], Any]
    done: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


@dataclass(eq=False, slots=True)
class _Worker:
    inbox: queue.SimpleQueue[_Job | None] = field(default_factory=queue.SimpleQueue)


class Threads:
    """As many threads as are needed at once, up to `most`; a few idle ones are kept."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.busy = 0
        self._idle: list[_Worker] = []
        self._hanging: dict[str, tuple[_Job, datetime]] = {}

    def hanging(self) -> dict[str, datetime]:
        """Return what has not come back although nobody waits for it, and since when."""
        return {key: since for key, (_, since) in self._hanging.items()}

    async def run(self, key: str, now: datetime, work: Callable[[], Result]) -> Result:
        """Run `work` on a thread; a cancelled caller abandons it, which `key` remembers.

        Raises:
            StillHanging: what was abandoned under `key` is still under way.
            TooManyThreads: every thread is taken.
        """
        if key in self._hanging:
            since = self._hanging[key][1]
            raise StillHanging(f"still hanging since {since:%Y-%m-%d %H:%M:%S} UTC")
        if self.busy >= self.most:
            raise TooManyThreads(f"{self.busy} looks are under way or hang; no thread is free")
        loop = asyncio.get_running_loop()
        job = _Job(key, work, loop.create_future(), loop)
        worker = self._idle.pop() if self._idle else self._started()
        self.busy += 1
        worker.inbox.put(job)
        try:
            result: Result = await job.done
        except asyncio.CancelledError:
            if job.done.cancelled():  # the thread has not answered: it is on its own now
                self._hanging.setdefault(key, (job, now))
            raise
        return result

    def close(self) -> None:
        """Let idle threads end; one that hangs ends with the program."""
        for worker in self._idle:
            worker.inbox.put(None)
        self._idle.clear()

    def _started(self) -> _Worker:
        worker = _Worker()
        threading.Thread(
            target=self._serve, args=(worker,), name="opsbook-look", daemon=True
        ).start()
        return worker

    def _serve(self, worker: _Worker) -> None:
        while (job := worker.inbox.get()) is not None:
            result: Any = None
            error: BaseException | None = None
            try:
                result = job.work()
            except BaseException as caught:  # noqa: BLE001  handed to whoever waits
                error = caught
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                job.loop.call_soon_threadsafe(self._finished, worker, job, result, error)
            del job, result, error

    def _finished(
        self, worker: _Worker, job: _Job, result: Any, error: BaseException | None
    ) -> None:
        self.busy -= 1
        if self._hanging.get(job.key, (None,))[0] is job:
            del self._hanging[job.key]
        if len(self._idle) < KEPT_IDLE:
            self._idle.append(worker)
        else:
            worker.inbox.put(None)
        if job.done.done():
            return
        if error is not None:
            job.done.set_exception(error)
        else:
            job.done.set_result(result)
