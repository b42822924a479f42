"""Holding a server: start it, follow it, and stop it when it is told to.

Signals are ours and not uvicorn's: the first Ctrl-C (or TERM, or a closed terminal) stops cleanly,
during the start too; the second leaves at once, which is safe, since everything that matters is on
disk and steps that run are found again.
"""

from __future__ import annotations

import asyncio
import gc
import os
import select
import signal
import sys
from collections.abc import Coroutine
from datetime import datetime
from typing import TYPE_CHECKING

import structlog
import uvloop

from opsbook.base import events
from opsbook.base.errors import StartError
from opsbook.cli import words
from opsbook.cli.aside import Aside
from opsbook.cli.commands.up import tell_start_failure
from opsbook.web.api import entries

if TYPE_CHECKING:
    from opsbook.app import App
    from opsbook.cli.console import Console

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FORCED = 130
SWITCH_S = 0.001
log = structlog.get_logger("opsbook.up")


def serve(app: App, console: Console) -> int:
    """Run a server until it is stopped; return the exit status."""
    aside = Aside(console)
    status = uvloop.run(_serve(app, aside))
    if not aside.close():
        os._exit(status)  # a thread that still waits to be read would keep us here
    return status


async def _serve(app: App, console: Console) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in SIGNALS:
        loop.add_signal_handler(one, _told_to_stop, stop, console)
    began = app.clock.now()
    with console.working(words.UP_STARTING):
        start = asyncio.create_task(app.start())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({start, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not start.done():
            start.cancel()
        try:
            await start
        except asyncio.CancelledError:
            console.told(words.UP_START_STOPPED)
            return 0
        except StartError as error:
            return tell_start_failure(error, app.settings)
    _settle_down()
    console.started(app)
    following = [
        asyncio.create_task(_shown(_entries(app, console, began))),
        asyncio.create_task(_shown(_troubles(app, console))),
    ]
    await stopping
    await app.stop()
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    console.told(words.UP_STOPPED)
    return 0


def _settle_down() -> None:
    """What was made while starting stays: it is not looked through for garbage again.

    A full collection over all of it stops every thread for a sixth of a second. And the thread
    that carries the loop waits at most a millisecond for one that computes, not five.
    """
    gc.freeze()
    gc.enable()
    sys.setswitchinterval(SWITCH_S)


def _told_to_stop(stop: asyncio.Event, console: Console) -> None:
    if stop.is_set():
        stderr = sys.stderr.fileno()
        if select.select([], [stderr], [], 0)[1]:  # never wait for a reader, least of all now
            os.write(stderr, f"\n{words.UP_FORCED}\n".encode())
        os._exit(FORCED)
    stop.set()
    console.told(words.UP_STOPPING)


async def _shown(told: Coroutine[None, None, None]) -> None:
    """Tell until the end; the console is for looking at, and the server lives on without it."""
    try:
        await told
    except Exception:
        log.exception("the console stopped following")


async def _entries(app: App, console: Console, began: datetime) -> None:
    """Tell every entry written since the server began to start."""
    after = await app.database.read(lambda tx: entries.before(tx, began))
    async for told in entries.follow(app, after, "en"):
        for entry in told:
            console.event(entry.model_dump(mode="json"))


async def _troubles(app: App, console: Console) -> None:
    """Tell of events that could not be handled: what should have followed them is still to come."""
    known: set[tuple[str, int]] = set()
    listener = app.hub.subscribe("parked".__eq__)
    try:
        while True:
            found = await app.database.read(events.list_parked)
            fresh = {(one["consumer"], one["event_id"]): one for one in found}
            for key, one in fresh.items():
                if key not in known:
                    console.trouble(one)
            known = set(fresh)
            await listener.changed()
    finally:
        listener.close()
