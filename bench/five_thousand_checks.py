"""5,000 HTTP checks every 30 seconds: what share of one core, and does any miss its turn?

A real scheduler with the machine's clock on uvloop and SQLite on disk, as `opsbook up` has them,
over a book of COUNT checks, each on a new connection to a small server in a process of its own.
Nothing is measured during the first round, in which everything is looked at for the first time.
Then, over ROUNDS intervals:

- *CPU*: what this whole process has spent (all its threads, user and system), as a share of one
  core of the time that has passed; the page's server is not in it;
- *missed*: looks that were due and were not made, by the scheduler's own count and by the gaps
  between the observations of each check, the last one to the end included;
- *late*: how far the time between two looks at a check is from the interval, median and worst.

The aim (issue "Checks and alerts"): all of them on one core, none missed.
"""

from __future__ import annotations

import asyncio
import importlib
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import uvloop
from http_check import SERVER

from opsbook.base.clock import SystemClock
from opsbook.base.database import Database, metadata, sqlite_url
from opsbook.base.loops import Loops
from opsbook.book import Book, Vocabulary, load
from opsbook.book.library import Library
from opsbook.checks import KINDS, Facts, Scheduler, store

COUNT = 5_000
EVERY = timedelta(seconds=30)
ROUNDS = 2
BOOK = """
id: bench
title: Bench
timezone: UTC
checks:
"""
CHECK = (
    '  c{n}: {{kind: http, title: c{n}, url: "{url}", every: 30s, contains: fine, '
    'bands: {{warning: "> 1s"}}}}\n'
)


async def measure(book: Book, url: str, folder: Path) -> str:
    for name in ("audit", "alerts", "book", "checks"):
        importlib.import_module(f"opsbook.{name}.tables")
    clock = SystemClock()
    database = Database(sqlite_url(folder / "bench.db"))
    metadata.create_all(database.engine)
    database.start()
    library = Library(database, Vocabulary({name: kind.model for name, kind in KINDS.items()}))
    library.remember(book)
    loops = Loops(clock)
    scheduler = Scheduler(database, library, loops, clock, Facts(str(folder), url, "127.0.0.1", 0))
    loops.start()
    await asyncio.sleep(EVERY.total_seconds())
    began, since, spent = time.perf_counter(), clock.now(), time.process_time()
    skipped = scheduler.plan.skipped
    await asyncio.sleep(ROUNDS * EVERY.total_seconds())
    spent, until = time.process_time() - spent, clock.now()
    share = 100 * spent / (time.perf_counter() - began)
    skipped = scheduler.plan.skipped - skipped
    await loops.stop()
    await scheduler.stop()
    rows = await database.read(lambda tx: store.after(tx, 0, 10 * COUNT))
    await database.stop()
    looks: dict[str, list[datetime]] = {f"c{n}": [] for n in range(COUNT)}
    for row in rows:
        looks[row["check_id"]].append(row["at"])
    wrong = sum(row["state"] != "ok" for row in rows)
    made = sum(since <= at < until for times in looks.values() for at in times)
    missed = sum(
        round((after - before) / EVERY) - 1
        for times in looks.values()
        for before, after in pairwise([*times, max(until, times[-1] + EVERY)])
    )
    off = [
        abs((after - before - EVERY).total_seconds()) * 1000
        for times in looks.values()
        for before, after in pairwise(times)
    ]
    return (
        f"{COUNT:,} checks every {EVERY.total_seconds():.0f} s for "
        f"{ROUNDS * EVERY.total_seconds():.0f} s: {made:,} looks, {share:.1f} % of one core, "
        f"{1000 * spent / made:.3f} ms CPU each\n"
        f"missed {missed} by what is stored, {skipped} by the scheduler; {wrong} not ok; "
        f"late {statistics.median(off):.1f} ms in the middle, {max(off):.0f} ms at worst\n"
    )


def main() -> None:
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/"
        text = BOOK + "".join(CHECK.format(n=n, url=url) for n in range(COUNT))
        kinds = Vocabulary({name: kind.model for name, kind in KINDS.items()})
        book = load({"book.yaml": text}, kinds)
        with (
            tempfile.TemporaryDirectory() as folder,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as run,
        ):
            sys.stdout.write(run.run(measure(book, url, Path(folder))))
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main()
