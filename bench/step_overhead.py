"""What the journal costs a step: intent and outcome on disk around `bash -c true`, and it alone.

All in one run on one disk: the bare spawn, one fsync, a commit of this database that changes one
row, and steps of `true` driven by the engine on SQLite with synchronous=FULL, in runs of STEPS
steps. A step of such a run waits for one commit (the outcome of the one before it and its own
intent together), a run for one more. Medians over ROUNDS rounds that take turns, so that a busy
machine is busy for all of them. The aim: at most 1.5 × bare + 2 fsyncs.

    python bench/step_overhead.py [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import os
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import sqlalchemy as sa
import uvloop

from opsbook.base.clock import SystemClock
from opsbook.base.database import Transaction
from opsbook.runs.tables import run as run_table
from tests.support.runs import Stage, book, runbook

STEPS = 20
ROUNDS = 15
STEP = "```bash {#s%d}\ntrue\n```\n"


def bare() -> float:
    """Seconds for one bare spawn."""
    begun = time.perf_counter()
    for _ in range(STEPS):
        subprocess.run(["bash", "-c", "true"], check=True)
    return (time.perf_counter() - begun) / STEPS


def fsync(folder: Path) -> float:
    """Seconds for one small write that reaches the disk."""
    with (folder / "probe").open("wb", buffering=0) as file:
        begun = time.perf_counter()
        for _ in range(STEPS):
            file.write(b"x" * 4096)
            os.fsync(file.fileno())
        return (time.perf_counter() - begun) / STEPS


async def commit(stage: Stage) -> float:
    """Seconds for one transaction that changes one row, thread and all."""

    def touch(tx: Transaction) -> None:
        tx.execute(sa.update(run_table).where(run_table.c.id == 1).values(reason=""))

    begun = time.perf_counter()
    for _ in range(STEPS):
        await stage.database.write(touch)
    return (time.perf_counter() - begun) / STEPS


async def journalled(stage: Stage) -> float:
    """Seconds for one step of a run, from the start of the run to its end.

    Nobody looks meanwhile: the topic of events is touched when the run begins and when it is over.
    """
    listener = stage.hub.subscribe(lambda topic: topic == "events")
    begun = time.perf_counter()
    run_id = await stage.begin(by="operator")
    while (row := await stage.row(run_id))["state"] not in {"succeeded", "failed"}:
        await listener.changed()
    spent = (time.perf_counter() - begun) / STEPS
    listener.close()
    if row["state"] != "succeeded":
        raise SystemExit(f"run {run_id}: {row['reason']}")
    return spent


async def measure(folder: Path, profile: bool) -> None:
    async with Stage(folder, clock=SystemClock()) as stage:
        await stage.publish(book(runbook("".join(STEP % n for n in range(STEPS)))))
        await journalled(stage)
        bare()
        profiler = cProfile.Profile()
        rows: list[tuple[float, float, float, float]] = []
        for _ in range(ROUNDS):
            gc.collect()
            bare_s, fsync_s, commit_s = bare(), fsync(folder), await commit(stage)
            if profile:
                profiler.enable()
            rows.append((bare_s, fsync_s, commit_s, await journalled(stage)))
            profiler.disable()
        told(rows)
        if profile:
            pstats.Stats(profiler).sort_stats("tottime").print_stats(40)


def told(rows: list[tuple[float, float, float, float]]) -> None:
    """Write the medians and the ratios, each ratio taken within its round."""
    for name, column in zip(
        ("bare bash -c true", "one fsync", "one commit", "one journalled step"),
        zip(*rows, strict=True), strict=True,
    ):  # fmt: skip
        sys.stdout.write(f"{name:24} {statistics.median(column) * 1000:8.2f} ms\n")
    aim = statistics.median(step / (1.5 * bare + 2 * sync) for bare, sync, _, step in rows)
    times = statistics.median(step / bare for bare, _, _, step in rows)
    sys.stdout.write(f"{'step / bare':24} {times:8.2f}\n")
    sys.stdout.write(f"{'step / (1.5 bare + 2 fsync)':24} {aim:5.2f}   (aim: at most 1)\n")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--profile", action="store_true")
    profile = options.parse_args().profile
    with tempfile.TemporaryDirectory(dir=os.environ.get("OPSBOOK_BENCH_DIR")) as folder:
        Path(folder).chmod(0o711)
        uvloop.run(measure(Path(folder), profile))


if __name__ == "__main__":
    main()
