"""Programs that checks run: under the same supervisor as steps, and held to the same limits.

A check has no journal: nobody looks for its program again after a restart. So its keeper ends it
when the server is gone, its scratch folder is removed at its end, and what a stopped server leaves
is swept up by the engine's start like every folder that no attempt claims.

What the isolation is: another user where the server is root (`Places.user`), no environment but
what is named here, no descriptors, a home of its own, umask 077, bounded output, disk and time, and
an end to the whole tree, children that have left the session included. What it is not: a border
where the server is not root, nor against the network or files that the steps' user may read.
"""

from __future__ import annotations

import asyncio
import secrets as random
from collections.abc import Callable
from pathlib import Path
from typing import Final

from opsbook.base import secrets
from opsbook.base.errors import Conflict, Invalid
from opsbook.base.places import Places
from opsbook.checks.lent import Ended, Program
from opsbook.runs import files
from opsbook.runs.kinds.environment import LANG, PATH
from opsbook.runs.rubbish import remove
from opsbook.runs.supervisor import Spawner, Step, StepRequest

OUTPUT_LIMIT: Final = 64 * 1024
DISK_LIMIT: Final = 64 * 1024 * 1024
GRACE_S: Final = 1.0
STOP_WITHIN_S: Final = 5.0


class Programs:
    """What `opsbook.checks` is lent; callable. `known` are the secrets that this server knows."""

    def __init__(
        self, spawner: Spawner, places: Places, known: Callable[[], tuple[str, ...]]
    ) -> None:
        self._spawner = spawner
        self._places = places
        self._known = known
        self._under_way: dict[tuple[str, str], asyncio.Task[Ended]] = {}
        self._steps: set[Step] = set()

    async def __call__(self, program: Program) -> Ended:
        """Run a program to its end.

        A caller that is cut off leaves it to the supervisor, which ends it at the same time, and to
        a task of its own that cleans up behind it. Until then it is not started again.

        Raises:
            Conflict: the program of the look before has not ended yet.
            Invalid: the book has no such file.
            SpawnError: it could not be started.
        """
        key = (program.book.id, program.check)
        if key in self._under_way:
            raise Conflict("The program of the look before has not ended yet.")
        task = asyncio.create_task(self._run(program), name=f"program of {'/'.join(key)}")
        self._under_way[key] = task
        task.add_done_callback(lambda done: self._over(key, done))
        return await asyncio.shield(task)

    async def stop(self) -> None:
        """End what runs, and clean up behind it; before the spawner is stopped."""
        for step in list(self._steps):
            await step.terminate()
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=STOP_WITHIN_S)
        for task in list(self._under_way.values()):
            task.cancel()

    def _over(self, key: tuple[str, str], task: asyncio.Task[Ended]) -> None:
        self._under_way.pop(key, None)
        if not task.cancelled():
            task.exception()  # seen, even if nobody waits any longer

    async def _run(self, program: Program) -> Ended:
        scratch = self._places.steps / f"check-{random.token_hex(8)}"
        try:
            request = await asyncio.to_thread(self._request, program, scratch)
            step = await self._spawner.spawn(request)
            self._steps.add(step)
            try:
                output = b"".join([piece async for piece in step.chunks()])
                outcome = await step.outcome()
                await step.acknowledge()
            finally:
                self._steps.discard(step)
                step.close()
        finally:
            await asyncio.to_thread(remove, [scratch])
        text = output.decode(errors="replace")
        told = secrets.mask(text, (*self._known(), *program.secrets))
        if outcome.outcome in {"succeeded", "failed"} and outcome.exit_code is not None:
            return Ended(status=outcome.exit_code, output=told)
        why = outcome.note or (f"by signal {outcome.signal}" if outcome.signal else outcome.outcome)
        return Ended(status=None, output=told, note=why)

    def _request(self, program: Program, scratch: Path) -> StepRequest:
        book = program.book
        of_book = files.of_book(book, self._places)
        argv = list(program.argv)
        if argv[0].startswith(files.FOLDER):
            if argv[0] not in book.files or of_book is None:
                known = ", ".join(one for one in book.files if one.startswith(files.FOLDER))
                raise Invalid(
                    f"The book has no file {argv[0]!r}.", remedy=f"It has: {known or 'none'}."
                )
            argv[0] = str(of_book / argv[0].removeprefix(files.FOLDER))
        uid, gid = self._places.user or (None, None)
        home = str(scratch / "home")
        return StepRequest(
            attempt_id=scratch.name,
            scratch=scratch,
            argv=argv,
            env={
                **program.environment,
                "PATH": PATH,
                "HOME": home,
                "TMPDIR": home,
                "LANG": LANG,
                "TZ": book.timezone,
                "OPSBOOK_BOOK": book.id,
                "OPSBOOK_CHECK": program.check,
                **({"OPSBOOK_FILES": str(of_book)} if of_book is not None else {}),
            },
            timeout_s=program.timeout.total_seconds(),
            grace_s=GRACE_S,
            output_limit=OUTPUT_LIMIT,
            disk_limit=DISK_LIMIT,
            user=uid,
            group=gid,
            die_with_server=True,
        )
