"""What is asked of a step's process, how it ended, and what may be found of it later."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from opsbook.base.errors import OpsbookError

if TYPE_CHECKING:
    from opsbook.runs.supervisor.step import Step

LEAST_OUTPUT = 4096
LEAST_DISK = 4096
MEBIBYTE = 1024 * 1024


class SpawnError(OpsbookError):
    """The step could not be started; nothing of it has run."""


@dataclass(frozen=True, kw_only=True)
class StepRequest:
    """One attempt of one step, as a process.

    What runs is `argv`, then the path of the script when there is one, then `arguments`. A script
    is passed as a file in the scratch folder, so that its text appears in no process list and no
    marker has to be replaced in argv.

    `env` is the whole environment: nothing is inherited. Added are OPSBOOK_ATTEMPT and
    OPSBOOK_SCRATCH, by which stray processes are found (both, since two servers on one machine may
    count their attempts alike), and HOME for a step with a user of its own that declares none.
    `argv[0]` is looked for in this environment's PATH.

    `scratch` serves this attempt and no other; it is made if it is missing (0711). `cwd` is the
    home folder in it when None. Files the step makes are its own alone (umask 077).

    `user` and `group` come together and need root. `stdin` is text, or None for an empty input.
    `output_limit` is in bytes, half of it for the first output and half for the last.
    `disk_limit` is in bytes, for what lies in its home and, by itself, for what is added to the
    folder that `env` names as OPSBOOK_WORK; a step that passes it has failed. `processes` is how
    many its user may have at once, all steps together, where that is not root (see `limits`).
    `die_with_server` ends the step once no server was connected for `server_gone_s`.
    """

    attempt_id: str
    scratch: Path
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    arguments: Sequence[str] = ()
    script: str | None = None
    stdin: str | None = None
    cwd: Path | None = None
    timeout_s: float | None = None
    grace_s: float = 5.0
    output_limit: int = 2 * MEBIBYTE
    disk_limit: int = 1024 * MEBIBYTE
    processes: int = 4096
    user: int | None = None
    group: int | None = None
    die_with_server: bool = False
    server_gone_s: float = 15.0

    def problems(self) -> Iterator[str]:
        """Everything that is wrong with it, one sentence each."""
        if not self.attempt_id or "\0" in self.attempt_id:
            yield f"attempt_id is {self.attempt_id!r}: give the attempt a name."
        if not self.scratch.is_absolute():
            yield f"scratch is {str(self.scratch)!r}: give an absolute path."
        if self.cwd is not None and not self.cwd.is_absolute():
            yield f"cwd is {str(self.cwd)!r}: give an absolute path."
        if not self.argv or not self.argv[0]:
            yield f"argv is {list(self.argv)!r}: name a program."
        if any("\0" in word for word in (*self.argv, *self.arguments)):
            yield "an argument contains a NUL character: pass such data by stdin."
        for name, value in self.env.items():
            if not name or "=" in name or "\0" in name or "\0" in value:
                yield f"the environment variable {name!r} cannot be passed: no NUL, no = in names."
        if (self.user is None) != (self.group is None):
            yield f"user is {self.user}, group is {self.group}: give both or neither."
        if self.output_limit < LEAST_OUTPUT:
            yield f"output_limit is {self.output_limit}: keep at least {LEAST_OUTPUT} bytes."
        if self.disk_limit < LEAST_DISK or self.processes < 1:
            yield (
                f"disk_limit is {self.disk_limit}, processes {self.processes}: allow at least "
                f"{LEAST_DISK} bytes and one process."
            )
        if self.grace_s < 0 or (self.timeout_s is not None and self.timeout_s <= 0):
            yield f"timeout_s is {self.timeout_s}, grace_s {self.grace_s}: times run forward."

    def order(self) -> dict[str, Any]:
        """The request as the keeper reads it."""
        plain = {item.name: getattr(self, item.name) for item in fields(self)}
        return plain | {
            "scratch": str(self.scratch),
            "cwd": None if self.cwd is None else str(self.cwd),
            "argv": list(self.argv),
            "arguments": list(self.arguments),
            "env": dict(self.env),
        }


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a step ended.

    `timeout` and `killed` say why it was ended, whatever exit code it answered with. `lost` is the
    one word that no keeper writes: its keeper is gone and has left none, so nothing is known of the
    end, and processes may still run (see `find`). Times are epoch seconds; `duration_s` is measured
    by a clock that nobody sets. `note` is a sentence for people, often empty.
    """

    attempt_id: str
    outcome: Literal["succeeded", "failed", "timeout", "killed", "lost"]
    exit_code: int | None = None
    signal: int | None = None
    started_at: float
    ended_at: float
    duration_s: float
    bytes_seen: int = 0
    bytes_dropped: int = 0
    leftovers_killed: int = 0
    note: str = ""

    @classmethod
    def read(cls, told: Mapping[str, Any] | None) -> Outcome | None:
        """From a keeper's record. A keeper may be newer than its reader: what is new is skipped."""
        known = {item.name for item in fields(cls)}
        try:
            return cls(**{name: value for name, value in (told or {}).items() if name in known})
        except TypeError:
            return None

    @classmethod
    def lost(cls, attempt_id: str, started_at: float, note: str) -> Outcome:
        """Nobody can say how it ended."""
        now = time.time()
        return cls(
            attempt_id=attempt_id,
            outcome="lost",
            started_at=started_at,
            ended_at=now,
            duration_s=max(0.0, now - started_at),
            note=note,
        )


@dataclass(frozen=True)
class Running:
    """The keeper lives; the step, or its last moments, can be followed from here."""

    step: Step


@dataclass(frozen=True)
class Finished:
    """It ended and its outcome is on record."""

    outcome: Outcome


@dataclass(frozen=True)
class Orphaned:
    """The keeper died without an outcome; these processes of the step are still there."""

    pids: tuple[int, ...]


@dataclass(frozen=True)
class Gone:
    """Nothing is left and nothing is known: it never started, or was ended without a record."""


Found = Running | Finished | Orphaned | Gone
