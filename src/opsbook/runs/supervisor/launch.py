"""Starting the process that is the step.

`subprocess`, since its fork and exec are one piece of C: no Python runs between the two, and where
the user stays the same it is a vfork, so the keeper's memory is not even marked for copying. That
is what makes a step cost little more than the program it runs. Refused: a fork of our own (every
page that Python touches on its way to exec is copied first, a millisecond together), and
`posix_spawn` (knows no folder and no user).

What cannot be started is not an error of the supervisor's: the step has failed, with the exit code
a shell would give, and its output says why, where whoever wrote the step will look.
"""

from __future__ import annotations

import errno
import os
import subprocess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CANNOT_RUN = 126
NOT_FOUND = 127
LONGEST_WORD = 128 * 1024
"""What Linux gives a program of one variable or argument, its name included."""


class CannotStart(Exception):
    """The program could not be run; carries the exit code and the sentence for the output."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Launched:
    """The main process of a step: its number, a descriptor of its exit, and its output."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.output, output = os.pipe()
        source = _input(order["stdin"])
        try:
            process = subprocess.Popen(
                order["argv"],
                env=order["env"],
                cwd=order["cwd"],
                stdin=source,
                stdout=output,
                stderr=output,
                start_new_session=True,
                umask=0o077,
                user=order["user"],
                group=order["group"],
                extra_groups=None if order["user"] is None else (),
            )
        except OSError as error:
            os.close(self.output)
            raise _explained(order, error) from error
        finally:
            os.close(output)
            if source >= 0:
                os.close(source)
        process.returncode = 0  # it is waited for here, by number, and by nobody else
        self.pid = process.pid
        self.exit = os.pidfd_open(self.pid)
        os.set_blocking(self.output, False)

    def close(self) -> None:
        """Give the descriptors back, once the process is gone."""
        os.close(self.exit)
        os.close(self.output)


def _input(text: str | None) -> int:
    """What to read from. A file in memory: a pipe would have to be fed, and a disk remembers."""
    if text is None:
        return subprocess.DEVNULL
    source = os.memfd_create("stdin")
    view = memoryview(text.encode("utf-8", "surrogateescape"))
    while view:
        view = view[os.write(source, view) :]
    os.lseek(source, 0, os.SEEK_SET)
    return source


def _explained(order: dict[str, Any], error: OSError) -> CannotStart:
    program = order["argv"][0]
    if error.filename == order["cwd"] and not isinstance(error, PermissionError):
        return CannotStart(CANNOT_RUN, f"cannot enter {order['cwd']}: {error.strerror}.")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        where = "" if "/" in program else f" in PATH={order['env'].get('PATH', os.defpath)}"
        return CannotStart(
            NOT_FOUND,
            f"there is no program {program!r}{where}, or its #! line names none. Install it, or "
            "correct its name.",
        )
    if error.errno == errno.E2BIG:
        return CannotStart(CANNOT_RUN, _too_long(order))
    return CannotStart(
        CANNOT_RUN,
        f"cannot run {program!r}: {error.strerror}. Check its mode, its format and its #! line.",
    )


def _too_long(order: dict[str, Any]) -> str:
    sizes = {name: len(os.fsencode(f"{name}={value}")) for name, value in order["env"].items()}
    long = {name: size for name, size in sizes.items() if size >= LONGEST_WORD}
    named = ", ".join(f"{name} ({size / 1000:.0f} kB)" for name, size in long.items())
    return (
        f"the environment is too large to start a program: {named or 'all variables together'}; "
        "Linux takes 128 KiB of each. Save less, or write it to a file in $OPSBOOK_WORK."
    )
