"""Threads that can be left behind.

A blocking library cannot be stopped from outside. A pool would be used up by a handful of servers
that hang, so each call has a thread of its own: a caller that has waited long enough goes on, and
the thread ends when it ends, or with the process. For one key at most two are ever left hanging, so
a destination that hangs for a day costs two threads and not three hundred.

Refused: a process for each message. It could be killed, and it costs a quarter of a second of CPU
to load the library in each.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Final, TypeVar, cast

from opsbook.notify.errors import Undelivered

MOST_LEFT: Final = 2
Result = TypeVar("Result")


class Threads:
    """Calls under way, by key."""

    def __init__(self) -> None:
        self._running: dict[str, list[threading.Thread]] = {}

    async def run(self, key: str, work: Callable[[], None]) -> None:
        """Run ``work`` in a thread and wait for it; when cancelled, leave the thread behind.

        Raises:
            Undelivered: earlier calls of this key still hang.
        """
        alive = [one for one in self._running.pop(key, []) if one.is_alive()]
        if len(alive) >= MOST_LEFT:
            self._running[key] = alive
            raise Undelivered(
                f"{len(alive)} earlier attempts to send there still hang.",
                remedy="Look at that server; a restart of Opsbook lets go of them.",
            )
        thread, done = _begun(work)
        self._running[key] = [*alive, thread]
        await done


async def alone(work: Callable[[], Result]) -> Result:
    """Run ``work`` in a thread and wait for it; when cancelled, leave the thread behind.

    For what comes to an end by itself: nothing bounds how many are left.
    """
    return await _begun(work)[1]


def _begun(work: Callable[[], Result]) -> tuple[threading.Thread, asyncio.Future[Result]]:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(cast(Result, result))
        else:
            done.set_exception(error)

    def body() -> None:
        result: Result | None = None
        error: BaseException | None = None
        try:
            result = work()
        except BaseException as caught:  # noqa: BLE001 (handed to whoever waits)
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    thread = threading.Thread(target=body, name="opsbook-send", daemon=True)
    thread.start()
    return thread, done
