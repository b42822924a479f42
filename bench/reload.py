"""Reloading a book of 1,000 runbooks, 5,000 checks and 5,000 rules after one file has changed.

The book lies in a folder and has been loaded once; then one line of one file is changed (of a YAML
file with 100 checks and 100 rules, and of a runbook, in turn), and the folder is read and loaded
again with the memory of the load before. The limit beside it is reading the folder alone: every
file opened and read. Printed are medians of CPU time, the system's
share included: nothing here waits but for files that are in memory. The aim is 200 ms.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import _big_book as big_book

from opsbook.app import vocabulary
from opsbook.book import files, load
from opsbook.book.memory import Memory

RUNS = 15
CHANGES = {
    "a file of checks": ("service-7.yaml", "every: {n}s"),
    "a runbook": ("runbooks/runbook-7.md", "range: [1, {n}]"),
}


def took(what: Callable[[], object]) -> float:
    begun = time.process_time()
    what()
    return (time.process_time() - begun) * 1000


def change(path: Path, pattern: str, numbers: itertools.count[int]) -> None:
    head, _, tail = pattern.partition("{n}")
    text = path.read_text(encoding="utf-8")
    before, _, after = text.partition(head)
    changed = f"{before}{head}{next(numbers)}{tail}{after.partition(tail)[2]}"
    path.write_text(changed, encoding="utf-8")


def main() -> None:
    kinds, memory, numbers = vocabulary(), Memory(), itertools.count(366)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        big_book.write(folder)
        first = took(lambda: load(files.read_folder(folder), kinds, memory))
        alone, looks = [], []
        again: dict[str, list[float]] = {name: [] for name in CHANGES}
        for _ in range(RUNS):
            for name, (file, pattern) in CHANGES.items():
                change(folder / file, pattern, numbers)
                looks.append(took(lambda: files.signature(folder)))
                alone.append(took(lambda: [path.read_bytes() for path in folder.rglob("*.*")]))
                again[name].append(took(lambda: load(files.read_folder(folder), kinds, memory)))
    limit = statistics.median(alone)
    sys.stdout.write(f"first load                    {first:8.1f} ms\n")
    sys.stdout.write(f"a look for changes            {statistics.median(looks):8.1f} ms\n")
    sys.stdout.write(f"every file opened and read    {limit:8.1f} ms\n")
    for name, column in again.items():
        middle = statistics.median(column)
        told = f"after a change in {name}"
        sys.stdout.write(f"{told:<36}{middle:8.1f} ms   ratio {middle / limit:.1f}\n")


if __name__ == "__main__":
    main()
