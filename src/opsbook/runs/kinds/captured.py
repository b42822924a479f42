"""Catching the stdout of a script whose value is saved, or held against a band, afterwards.

It becomes a file in the step's home, which the core reads. It goes through ``tee``, so that a
warning on stderr does not end up in the value that a rollback will set; such a step lasts until
whatever it left in the background has closed its stdout. The wrapper is plain POSIX sh, since
``sh`` steps are for machines that have no bash.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

SAVED_FILE: Final = "home/stdout"
"""Where `opsbook.runs.given` looks for it."""
TEE: Final = (
    'OPSBOOK_FILE=$1; shift; exec 4>&1; OPSBOOK_STATUS=$({ { "$@" 3>&- 4>&-; echo "$?" >&3; } '
    '| tee -- "$OPSBOOK_FILE" >&4 3>&-; } 3>&1); exit "$OPSBOOK_STATUS"'
)
"""Runs the rest of its arguments, and ends as they do: the left end of a pipe has no say in POSIX,
so its exit code takes a way of its own (3) past ``tee``, whose output takes another (4). Its two
variables have names that no parameter can have: one called ``file`` would lose its value."""
HIDE: Final = 'exec > "$1"; shift; exec "$@"'
"""The same for a step that saves a secret: its stdout is in the file and nowhere else."""


def wrapped(argv: tuple[str, ...], scratch: Path, *, hidden: bool = False) -> tuple[str, ...]:
    """The same program, whose stdout also goes into the file; where it is `hidden`, only there."""
    return ("sh", "-c", HIDE if hidden else TEE, "opsbook", str(saved_file(scratch)), *argv)


def saved_file(scratch: Path) -> Path:
    """Where a step's stdout is put that is needed afterwards."""
    return scratch / SAVED_FILE
