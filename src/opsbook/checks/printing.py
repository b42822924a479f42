"""Asking a program of the system (journalctl, nvidia-smi) what it knows; reading so much of it.

Only for programs that a kind names itself, found in the system's folders and nowhere else: they run
as the server's own user, since the journal and the devices are often not for others. A program that
a book names is run by the kind ``command``, under the supervisor. The environment is empty but for
PATH and LANG; a look that is cut off ends the program, and all in its session.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from dataclasses import dataclass
from typing import Final

from opsbook.checks.model import CannotLook

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PIECE: Final = 64 * 1024
_MOST_COMPLAINTS: Final = 4096


@dataclass(frozen=True, slots=True)
class Printed:
    """What a program has said; `more` where it would have said more than was read."""

    output: bytes
    more: bool


async def printed(program: str, *arguments: str, most: int, path: str | None = None) -> Printed:
    """Run a program and return its output.

    Raises:
        CannotLook: there is no such program here, or it has failed; with what it complained of.
    """
    path = path or PATH
    found = shutil.which(program, path=path)
    if found is None:
        raise CannotLook(f"there is no program {program} here (in {path})")
    try:
        process = await asyncio.create_subprocess_exec(
            found, *arguments, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, cwd="/",
            env={"PATH": path, "LANG": "C.UTF-8"}, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise CannotLook(f"{found} cannot be run: {error.strerror}") from None
    try:
        assert process.stdout is not None and process.stderr is not None  # noqa: PT018, S101
        (output, more), (complaints, _) = await asyncio.gather(
            _read(process.stdout, most, process), _read(process.stderr, _MOST_COMPLAINTS)
        )
        status = await process.wait()
    finally:
        await _end(process)
    if status and not more:
        said = complaints.decode(errors="replace").strip().splitlines() or ["it did not say why"]
        raise CannotLook(f"{program} ended with {status}: {said[0]}")
    return Printed(output, more)


async def _read(
    stream: asyncio.StreamReader, most: int, process: Process | None = None
) -> tuple[bytes, bool]:
    """Read so much; of more, end the process, or read on and throw away where there is none."""
    parts: list[bytes] = []
    size, more = 0, False
    while part := await stream.read(_PIECE):
        if size < most:
            parts.append(part)
            size += len(part)
        if size >= most and not more:
            more = True
            if process is not None:
                _kill(process)
    return b"".join(parts)[:most], more


def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


async def _end(process: Process) -> None:
    if process.returncode is None:
        _kill(process)
        await asyncio.shield(process.wait())
