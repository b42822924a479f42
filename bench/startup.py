"""How long ``opsbook version`` and ``--help`` take, beside a bare ``python -c "import click"``.

Measured in pairs: each round runs every command once, one after the other, so that a machine that
grows busy grows busy for all of them. What is compared is the median of each round's ratio, of wall
time and of CPU time. The aim is 1.5 times a bare import of click (DESIGN, speed); nothing here
fails when it is missed, since a number is for reading and not for a test.

    python -m bench.startup [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROUNDS = 25
BARE = "import click"
OPSBOOK = str(Path(sys.executable).parent / "opsbook")
COMMANDS: dict[str, Sequence[str]] = {
    BARE: (sys.executable, "-c", "import click"),
    "opsbook version": (OPSBOOK, "version"),
    "opsbook --help": (OPSBOOK, "--help"),
    "opsbook runs --help": (OPSBOOK, "runs", "--help"),
}


def once(command: Sequence[str]) -> tuple[float, float]:
    """Run a command with its output thrown away; return seconds of wall time and of CPU time."""
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, handle) for handle in (0, 1, 2)]
    began = time.perf_counter()
    child = os.posix_spawn(command[0], list(command), os.environ, file_actions=actions)
    _, status, used = os.wait4(child, 0)
    took = time.perf_counter() - began
    os.close(null)
    if status != 0:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return took, used.ru_utime + used.ru_stime


def measure(rounds: int = ROUNDS) -> dict[str, list[tuple[float, float]]]:
    """Run every command once a round; a first round fills the caches and is not counted."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for turn in range(rounds + 1):
        for name, command in COMMANDS.items():
            seen = once(command)
            if turn:
                found[name].append(seen)
    return found


def report(found: dict[str, list[tuple[float, float]]]) -> str:
    """Return a table: medians in milliseconds, and the ratio to the bare import."""
    lines = [f"{'':<22}{'wall':>9}{'CPU':>9}{'wall ratio':>13}{'CPU ratio':>12}"]
    bare = found[BARE]
    for name, seen in found.items():
        wall, cpu = (statistics.median(one[at] for one in seen) * 1000 for at in (0, 1))
        ratios = [
            statistics.median(
                one[at] / other[at] for one, other in zip(seen, bare, strict=True) if other[at]
            )
            for at in (0, 1)
        ]
        lines.append(f"{name:<22}{wall:>6.1f} ms{cpu:>6.1f} ms{ratios[0]:>13.2f}{ratios[1]:>12.2f}")
    return "\n".join(lines)


def main(arguments: Sequence[str] = ()) -> None:
    """Measure and print."""
    print(report(measure(int(arguments[0]) if arguments else ROUNDS)))


if __name__ == "__main__":
    main(sys.argv[1:])
