"""How an errand begins and ends: its order, the user it becomes, the files it leaves.

What an errand gives out goes to stdout, in words for people; what later steps and assertions need
goes into two files in its home: ``stdout`` (the value) and ``facts.json`` (numbers by name).
"""

# An errand is started for each step: it does without pathlib.
# ruff: noqa: PTH123

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, NoReturn

MOST_MEMORY = 1024**3
MOST_VALUE = 2 * 1024 * 1024
FAILED = 1
_SILENT: list[bool] = []


class Failed(Exception):
    """It did not come out as it should; the sentence is for people."""


class Clock:
    """How much of the time allowed is left, in seconds."""

    def __init__(self, allowed: float) -> None:
        self._end = time.monotonic() + allowed

    def left(self) -> float:
        """Seconds, never none: what is over is noticed by whoever waits for it."""
        return max(0.001, self._end - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return time.monotonic() >= self._end


def main(errand: ModuleType) -> NoReturn:
    """Carry out one order."""
    order = json.load(sys.stdin)
    sys.stdin.close()
    become(order["home"], order["user"], order["environment"])
    if order["hidden"]:
        _SILENT.append(True)
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        errand.go(order)
        sys.stdout.flush()
    except Failed as error:
        _end(str(error))
    except MemoryError:
        _end("the answer is too large; ask for less of it")
    except KeyboardInterrupt:
        _end("it was told to end")
    except BrokenPipeError:
        os._exit(FAILED)
    os._exit(0)  # nothing is left to tidy up, and a driver's threads may hang


def become(home: str, user: list[int] | None, environment: dict[str, str]) -> None:
    """Become the step's user for good, in the step's home; only then take the target's variables.

    A core dump would hold the credential, so there is none.
    """
    os.makedirs(home, 0o700, exist_ok=True)  # noqa: PTH103
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    if user is not None:
        os.chown(home, user[0], user[1])
        os.setgroups([])
        os.setresgid(user[1], user[1], user[1])
        os.setresuid(user[0], user[0], user[0])
        if user[0] != 0:
            _prove_gone()
    os.chdir(home)
    os.environ.update(environment)


def _prove_gone() -> None:
    try:
        os.setuid(0)
    except OSError:
        return
    raise SystemExit("the errand could take the server's user back: this is a bug")


def say(text: str, *, always: bool = False) -> None:
    """Write a line for people, at once; where a secret is given out, only why it failed."""
    if _SILENT and not always:
        return
    data = (text + "\n").encode("utf-8", "replace")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def leave_value(order: dict[str, Any], value: bytes) -> None:
    """Leave what later steps get, where somebody asked for it."""
    if order["captures"]:
        _leave(order, "stdout", value[: MOST_VALUE + 1])


def leave_facts(order: dict[str, Any], **facts: str) -> None:
    """Leave numbers for assertions."""
    _leave(order, "facts.json", json.dumps(facts).encode())


def _leave(order: dict[str, Any], name: str, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with open(os.open(f"{order['home']}/{name}", flags, 0o600), "wb") as file:
        file.write(data)


def as_number(value: float) -> str:
    """A number without an exponent where that is readable: ``12``, ``0.25``."""
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:.12g}"


def table(names: list[str], rows: list[list[str]]) -> str:
    """Rows under their names, in columns; long cells are cut."""
    shown = [[_cell(one) for one in row] for row in (names, *rows)]
    widths = [max(_width(row[n]) for row in shown) for n in range(len(names))]
    lines = [
        "  ".join(one + " " * (widths[n] - _width(one)) for n, one in enumerate(row)).rstrip()
        for row in shown
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


LONGEST_CELL = 200


def _cell(text: str) -> str:
    flat = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return flat if len(flat) <= LONGEST_CELL else f"{flat[: LONGEST_CELL - 1]}…"


def _width(text: str) -> int:
    """How many places a text takes on a screen: Korean takes two for each letter."""
    return sum(2 if "\u1100" <= char <= "\uffdc" and _wide(char) else 1 for char in text)


def _wide(char: str) -> bool:
    return (
        "\u1100" <= char <= "\u115f"
        or "\u2e80" <= char <= "\ua4cf"
        or "\uac00" <= char <= "\ud7a3"
        or "\uf900" <= char <= "\ufaff"
        or "\ufe30" <= char <= "\ufe6f"
        or "\uff00" <= char <= "\uff60"
        or "\uffe0" <= char <= "\uffe6"
    )


def _end(why: str) -> NoReturn:
    say(f"opsbook: {why}", always=True)
    os._exit(FAILED)


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt
