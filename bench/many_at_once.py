"""Steps a second while 100 runs are under way at once, on both databases.

RUNS runs of STEPS steps that run `true` are started together; the time is from the first start to
the end of the last run. Beside it, in the same round: as many bare `bash -c true` by `xargs -P`,
which is what the machine can spawn at all.

    python bench/many_at_once.py [--runs 100]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import sqlalchemy as sa
import uvloop
from _stages import both

from opsbook.runs.tables import run as run_table
from tests.support.runs import Stage

STEPS = 5
ROUNDS = 3
OVER = ("succeeded", "failed", "cancelled")


def bare(runs: int) -> float:
    """Spawns a second by a small program that keeps as many of them under way."""
    numbers = "\n".join(map(str, range(runs * STEPS)))
    begun = time.perf_counter()
    subprocess.run(
        ["xargs", "-P", str(runs), "-n", "1", "bash", "-c", "true"],
        input=numbers, text=True, check=True,
    )  # fmt: skip
    return runs * STEPS / (time.perf_counter() - begun)


async def journalled(stage: Stage, runs: int) -> float:
    """Journalled steps a second, over all runs together."""
    listener = stage.hub.subscribe(lambda topic: topic == "events")
    begun = time.perf_counter()
    mine = [await stage.begin(by="operator") for _ in range(runs)]
    count = sa.select(sa.func.count()).where(run_table.c.id.in_(mine))
    while await _count(stage, count.where(run_table.c.state.in_(OVER))) < runs:
        await listener.changed()
    spent = time.perf_counter() - begun
    listener.close()
    if (done := await _count(stage, count.where(run_table.c.state == "succeeded"))) < runs:
        raise SystemExit(f"{runs - done} of {runs} runs did not succeed")
    return runs * STEPS / spent


async def _count(stage: Stage, query: sa.Select[tuple[int]]) -> int:
    return int(await stage.database.read(lambda tx: tx.scalar(query)) or 0)


async def measure(runs: int) -> None:
    async with AsyncExitStack() as stack:
        sqlite, server = await both(stack, STEPS)
        for stage in (sqlite, server):
            await journalled(stage, 2)
        rounds: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            rounds.setdefault("bare bash -c true", []).append(await asyncio.to_thread(bare, runs))
            rounds.setdefault("opsbook, SQLite", []).append(await journalled(sqlite, runs))
            rounds.setdefault("opsbook, PostgreSQL", []).append(await journalled(server, runs))
    reference = rounds["bare bash -c true"]
    for name, column in rounds.items():
        ratio = statistics.median(a / b for a, b in zip(column, reference, strict=True))
        median = statistics.median(column)
        sys.stdout.write(f"{name:22} {median:8.0f} steps a second   {ratio:6.2f} × bare\n")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=100)
    uvloop.run(measure(options.parse_args().runs))


if __name__ == "__main__":
    main()
