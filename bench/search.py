"""How long a search takes in a book of 1,000 runbooks and 5,000 checks, and making its index.

No peer searches a book; the aim is a page's own: an answer under 50 ms, so that typing shows it.
Times are of this process alone, the best of several rounds, on whatever machine this is.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import _big_book as big_book

from opsbook.book import Book, Vocabulary, load
from opsbook.checks import KINDS
from opsbook.runs import STEP_KINDS
from opsbook.web.handbook import index, links

WORDS = ("check", "점검", "service-7", "check 42 service-3", "restart", "nowhere-at-all", "e")


def best(work: Callable[[], object], rounds: int) -> float:
    """Return the shortest time of several, in ms."""
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        found.append((time.perf_counter() - start) * 1000)
    return min(found)


def main() -> int:
    """Measure, and print a line for each word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runbooks", type=int, default=1000)
    parser.add_argument("--checks", type=int, default=5000)
    asked = parser.parse_args()
    book = made(asked.runbooks, asked.checks)
    start = time.perf_counter()
    entries = index.of(book)
    took = (time.perf_counter() - start) * 1000
    size = sum(len(one.whole) for one in entries) / 1e6
    sys.stdout.write(f"index: {len(entries):,} entries, {size:.1f} M characters, {took:.0f} ms\n")
    start = time.perf_counter()
    links.uses(book, "services", "")
    took = (time.perf_counter() - start) * 1000
    sys.stdout.write(f"used by, for every element: {took:.0f} ms\n")
    for word in WORDS:
        hits = len(index.find(book, word))
        took = best(lambda word=word: index.find(book, word), 7)  # type: ignore[misc]
        sys.stdout.write(f"{word!r}: {hits:,} found, {took:.1f} ms\n")
    return 0


def made(runbooks: int, checks: int) -> Book:
    """Return a book of that size."""
    vocabulary = Vocabulary(
        {name: kind.model for name, kind in KINDS.items()}, frozenset(STEP_KINDS)
    )
    return load(big_book.files(runbooks, checks), vocabulary)


if __name__ == "__main__":
    raise SystemExit(main())
