"""Where the processes of steps run: one entry for each executor that a target may name.

The engine asks little of an executor, and asks it the same of all: to start an attempt so that it
outlives the server, to find it again by its scratch folder, to prove it dead. That is what makes a
step on another machine as safe as one here; an executor that could not find an attempt again would
have to call each one interrupted. So another (ssh, Kubernetes Jobs, workers elsewhere) is one
module and one line here, and one word of `opsbook.book.sections.targets.Executor`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

from opsbook.book import Book, Step
from opsbook.runs import supervisor, targets
from opsbook.runs.supervisor import Found, Proc, Spawner, StepRequest


class Executor(Protocol):
    """What the engine needs of whatever runs steps."""

    async def start(self) -> None:
        """Have ready what the first step would otherwise wait for."""

    async def stop(self) -> None:
        """Let go of it; steps under way run on."""

    async def spawn(self, request: StepRequest) -> supervisor.Step:
        """Start an attempt. Raises SpawnError if nothing of it has run, nor will."""

    async def find(self, scratch: Path, offset: int = 0) -> Found:
        """What has become of an attempt whose server is gone."""

    async def tree(self, attempt: str, scratch: Path) -> list[Proc]:
        """The processes of an attempt that are still there."""

    async def kill_tree(self, attempt: str, scratch: Path) -> None:
        """End them all, and wait until they are gone or cannot be ended."""


class Local:
    """On this machine, under the supervisor."""

    def __init__(self, spawner: Spawner) -> None:
        self._spawner = spawner

    async def start(self) -> None:
        """Start the helper process."""
        await self._spawner.start()

    async def stop(self) -> None:
        """Let the helper process go."""
        await self._spawner.stop()

    async def spawn(self, request: StepRequest) -> supervisor.Step:
        """Start a process."""
        return await self._spawner.spawn(request)

    async def find(self, scratch: Path, offset: int = 0) -> Found:
        """Look into the scratch folder."""
        return await supervisor.find(scratch, offset)

    async def tree(self, attempt: str, scratch: Path) -> list[Proc]:
        """Look through /proc, away from the loop."""
        return list(await asyncio.to_thread(supervisor.tree, attempt, scratch))

    async def kill_tree(self, attempt: str, scratch: Path) -> None:
        """Kill what /proc shows of it, away from the loop."""
        await asyncio.to_thread(supervisor.kill_tree, attempt, scratch)


EXECUTORS: Final[Mapping[str, Callable[[Spawner], Executor]]] = {"local": Local}
LOCAL: Final = "local"


def executor_of(book: Book, step: Step) -> str:
    """The name of the executor that runs a step: its target's."""
    target = targets.target_of(book, step)
    return target.executor if target is not None else LOCAL
