"""An engine on each of the two databases, with one book: what benchmarks of steps compare."""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from _postgres import postgres

from opsbook.base.clock import SystemClock
from tests.support.runs import Stage, book, runbook

STEP = "```bash {#s%d}\ntrue\n```\n"


def folder(stack: AsyncExitStack) -> Path:
    """A temporary folder that a step of another user can pass through."""
    made = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    made.chmod(0o711)
    return made


async def both(stack: AsyncExitStack, steps: int) -> tuple[Stage, Stage]:
    """Engines on SQLite and on a PostgreSQL with fsync on, whose runbook runs `true` so often."""
    url = stack.enter_context(postgres())
    sqlite = await stack.enter_async_context(Stage(folder(stack), clock=SystemClock()))
    server = await stack.enter_async_context(Stage(folder(stack), url, clock=SystemClock()))
    for stage in (sqlite, server):
        await stage.publish(book(runbook("".join(STEP % n for n in range(steps)))))
    return sqlite, server
