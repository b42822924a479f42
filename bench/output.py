"""100 MB of output through supervisor and recorder, and what the server feels of it.

The same file is written out by `cat` into another file, and by `cat` as a step of a run on SQLite,
in turn, ROUNDS times; printed are medians and the ratio of the two within a round. While the step
writes, the server's own time on the processor, its memory and how late its loop is are measured:
that is what other people's runs and pages would feel. Last, how long a line takes from the step
that writes it to whoever follows the run (`feed`), with nothing else going on and beside a flood.

    python bench/output.py [--profile] [--mb 100]
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import os
import pstats
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import uvloop

from opsbook import runs
from opsbook.base.clock import SystemClock
from tests.support.runs import Stage, book, runbook

ROUNDS = 7
LINES = 20
EVERY = 0.01
MEGABYTE = 1_000_000
LINE = b"2026-03-03T09:00:00Z INFO  worker-%03d handled request in %6d us, queue depth 7\n"
FLOOD = '```bash {#flood timeout=5m}\ncat "%s"\n```\n'
STREAM = '```bash {#flood timeout=5m}\nwhile :; do cat "%s"; done\n```\n'
TALK = f"""```bash {{#talk timeout=5m}}
for n in {{1..{LINES}}}; do echo "at $EPOCHREALTIME"; sleep 0.2; done
```
"""


class Lateness:
    """How late the loop comes round, sampled every EVERY seconds."""

    def __init__(self) -> None:
        self.samples: list[float] = []
        self._task = asyncio.create_task(self._sample())

    async def _sample(self) -> None:
        while True:
            due = time.perf_counter() + EVERY
            await asyncio.sleep(EVERY)
            self.samples.append(time.perf_counter() - due)

    def stop(self) -> list[float]:
        """Return the samples, lowest first."""
        self._task.cancel()
        return sorted(self.samples)


def resident() -> float:
    """Megabytes of memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MEGABYTE


def to_file(source: Path, folder: Path) -> float:
    """Seconds for `cat` to write it all to another file."""
    begun = time.perf_counter()
    with (folder / "copy").open("wb") as out:
        subprocess.run(["cat", str(source)], stdout=out, check=True)
    return time.perf_counter() - begun


async def through(stage: Stage) -> tuple[float, float, float, float, float]:
    """Seconds, processor seconds, megabytes more, and how late the loop was (99 % and worst)."""
    listener = stage.hub.subscribe(lambda topic: topic == "events")
    lateness, before, used = Lateness(), resident(), time.process_time()
    begun = time.perf_counter()
    run_id = await stage.begin(by="operator")
    while (row := await stage.row(run_id))["state"] not in {"succeeded", "failed"}:
        await listener.changed()
    spent, used = time.perf_counter() - begun, time.process_time() - used
    late = lateness.stop()
    listener.close()
    if row["state"] != "succeeded":
        raise SystemExit(f"run {run_id}: {row['reason']}")
    return spent, used, resident() - before, late[int(len(late) * 0.99)], late[-1]


async def latency(stage: Stage) -> list[float]:
    """Seconds from a step's `echo` to whoever follows the run, for each of its lines."""
    run_id = await stage.begin(by="operator")
    found = []
    async for _, _, text in stage.engine.feed(run_id):
        now = time.time()
        found += [now - float(line[3:]) for line in text.splitlines() if line.startswith("at ")]
    return sorted(found)


async def measure(folder: Path, megabytes: int, profile: bool) -> None:
    source = folder / "source"
    lines = b"".join(LINE % (n % 1000, n * 37 % 1_000_000) for n in range(13_000))
    with source.open("wb") as file:
        while file.tell() < megabytes * MEGABYTE:
            file.write(lines)
    source.chmod(0o644)
    profiler = cProfile.Profile()
    rows = []
    async with Stage(folder, clock=SystemClock()) as stage:
        await stage.publish(book(runbook(FLOOD % source)))
        await through(stage)
        for _ in range(ROUNDS):
            alone = to_file(source, folder)
            if profile:
                profiler.enable()
            rows.append((alone, *await through(stage)))
            profiler.disable()
        await stage.publish(book(runbook(TALK)))
        quiet = await latency(stage)
        await stage.publish(book(runbook(STREAM % source)))
        flood = await stage.begin(by="operator")
        await stage.publish(book(runbook(TALK)))
        beside = await latency(stage)
        if (await stage.row(flood))["state"] != "running":
            raise SystemExit("the flood was over before the measurement was")
        await stage.act(
            runs.cancel, flood, await stage.person("operator"), stage.library.current("shop"), ""
        )
    told(rows, source.stat().st_size / MEGABYTE, quiet, beside)
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(30)


def told(
    rows: list[tuple[float, ...]], megabytes: float, quiet: list[float], beside: list[float]
) -> None:
    """Write the medians and the ratio, taken within its round."""
    alone, spent, used, more, late, worst = (
        statistics.median(column) for column in zip(*rows, strict=True)
    )
    ratio = statistics.median(row[1] / row[0] for row in rows)
    say = sys.stdout.write
    say(f"{'cat to a file':37} {megabytes / alone:8.0f} MB/s\n")
    say(f"{'a step through the supervisor':37} {megabytes / spent:8.0f} MB/s\n")
    say(f"{'step / file, in time':37} {ratio:8.2f}\n")
    say(f"{'server, processor time':37} {used * 1000:8.0f} ms for {megabytes:.0f} MB\n")
    say(f"{'server, more memory':37} {more:8.1f} MB\n")
    say(f"{'its loop late by, 99 % and worst':37} {late * 1000:8.1f} and {worst * 1000:.1f} ms\n")
    for name, found in (
        ("a line to its reader", quiet),
        ("the same beside a step in full flood", beside),
    ):
        say(f"{name:37} {statistics.median(found) * 1000:8.0f} ms, worst {found[-1] * 1000:.0f}\n")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--profile", action="store_true")
    options.add_argument("--mb", type=int, default=100)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("OPSBOOK_BENCH_DIR")) as folder:
        Path(folder).chmod(0o711)
        uvloop.run(measure(Path(folder), given.mb, given.profile))


if __name__ == "__main__":
    main()
