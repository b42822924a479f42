"""Bash steps: the fence's text, run as a script by bash, as the book has it.

The options are ``-e -o pipefail``: a procedure that goes on after a command has failed does harm,
and a failure on the left of a pipe is one. Not ``-u``: guides are full of ``${VAR:-}``-less tests
of variables that may be missing. A script that wants it says ``set -u``, and one that wants to go
on says ``set +e``. No start-up file is read.

Nothing is substituted into the text. Parameters and saved outputs are environment variables, and
the environment is complete: what is not listed here is not there.

A step that saves its output (``save=``) saves what it wrote to stdout, and only that: a warning
on stderr must not end up in the value that a rollback will set. Its stdout goes through ``tee``,
so such a step lasts until whatever it left in the background has closed its stdout.
"""

from __future__ import annotations

import os
import stat
from datetime import timedelta
from pathlib import Path
from typing import Final

from opsbook.base.errors import OpsbookError
from opsbook.base.places import Places
from opsbook.runs import files
from opsbook.runs.kinds.kind import Place
from opsbook.runs.supervisor import StepRequest

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BASH: Final = ("bash", "--noprofile", "--norc")
OPTIONS: Final = ("-e", "-o", "pipefail")
TEE: Final = f'{" ".join((*BASH, *OPTIONS))} "$1" | tee -- "$2"; exit "${{PIPESTATUS[0]}}"'
SAVED_FILE: Final = "stdout"
MOST_SAVED: Final = 64 * 1024
OUTPUT_LIMIT: Final = 2 * 1024 * 1024
SHORTEST: Final = timedelta(seconds=1)


class NotSaved(OpsbookError):
    """What the step wrote cannot be saved."""


class Bash:
    """Runs its body as a script."""

    def request(
        self, place: Place, places: Places, scratch: Path, allowed: timedelta
    ) -> StepRequest:
        """The script, its environment and its limits."""
        step = place.step
        saves = step.save is not None
        argv = (*BASH, "-c", TEE, "opsbook") if saves else (*BASH, *OPTIONS)
        uid, gid = places.user or (None, None)
        return StepRequest(
            attempt_id=scratch.name,
            scratch=scratch,
            argv=argv,
            arguments=(str(saved_file(scratch)),) if saves else (),
            script=step.body,
            env=environment(place, places, scratch),
            timeout_s=max(allowed, SHORTEST).total_seconds(),
            output_limit=OUTPUT_LIMIT,
            user=uid,
            group=gid,
            die_with_server=step.interrupted == "retry",
        )


def environment(place: Place, places: Places, scratch: Path) -> dict[str, str]:
    """All that a step finds in its environment. What Opsbook says cannot be overwritten."""
    of_book = files.of_book(place.book, places)
    return {
        **place.variables,
        "PATH": PATH,
        "HOME": str(scratch / "home"),
        "LANG": "C.UTF-8",
        "TZ": place.book.timezone,
        "OPSBOOK_RUN": str(place.run["id"]),
        "OPSBOOK_STEP": place.step.key,
        "OPSBOOK_BOOK": place.book.id,
        "OPSBOOK_WORK": str(work_folder(place.book.id, places)),
        **({"OPSBOOK_FILES": str(of_book)} if of_book is not None else {}),
    }


def work_folder(book: str, places: Places) -> Path:
    """The folder that the steps of a book share from run to run: theirs alone."""
    folder = places.work / book
    if not folder.is_dir():
        folder.mkdir(mode=0o700)
        if places.user is not None:
            os.chown(folder, *places.user)
    return folder


def saved_file(scratch: Path) -> Path:
    """Where ``tee`` puts what a saving step writes to stdout."""
    return scratch / "home" / SAVED_FILE


def read_saved(scratch: Path, owner: int | None, *, optional: bool) -> str:
    """The value that a step has saved, without the white space around it.

    The file lies in a folder of the step's own, so it may be anything by now: a link to a file of
    the server's, a pipe. It counts only as a plain file that the step's user owns.

    Raises:
        NotSaved: it is empty, too long, no text, or no file of the step's.
    """
    try:
        handle = os.open(saved_file(scratch), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        data = b""
    except OSError as error:
        raise NotSaved(f"its stdout is no file of its own: {error.strerror}") from error
    else:
        with os.fdopen(handle, "rb") as file:
            found = os.fstat(handle)
            ours = os.geteuid() if owner is None else owner
            if not stat.S_ISREG(found.st_mode) or found.st_uid != ours or found.st_nlink != 1:
                raise NotSaved("its stdout is no file of its own")
            data = file.read(MOST_SAVED + 1)
    if len(data) > MOST_SAVED:
        raise NotSaved(f"it wrote more than {MOST_SAVED // 1024} KiB, too much to be saved")
    if b"\0" in data:
        raise NotSaved("it wrote a NUL character, which no variable can hold")
    try:
        text = data.decode().strip()
    except UnicodeDecodeError as error:
        raise NotSaved(f"it wrote no UTF-8 text: {error.reason} at byte {error.start}") from error
    if not text and not optional:
        raise NotSaved("it saved an empty value, and it is not `optional`")
    return text
