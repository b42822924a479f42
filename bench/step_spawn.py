"""A supervised step against a bare spawn of the same program.

Bare is `subprocess.run(["bash", "-c", "true"])`. A step is the same program through the spawner on
uvloop: started by a keeper, put on record, seen to its end, its outcome written, told and
acknowledged. Both are done in turn, so that what else the machine does meets both alike. Printed
are medians in milliseconds and their ratio; the aim is 1.5 or less.

The files of a step lie in --folder. The time that folder takes for them is measured apart, since
it says more about the file system than about the supervisor (ext4 without a journal, for one, is
slow to make files where many were just deleted). `--user` runs both as another user (root only).
The first step, which finds no keeper waiting and pays for the fork of one, is shown too.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from opsbook.runs import supervisor

RUNS = 200
WARM_UP = 10
HELPER_STARTS = 0.3
PROGRAM = ["bash", "-c", "true"]
NOBODY = 65534


def bare(user: int | None) -> float:
    groups: tuple[int, ...] | None = None if user is None else ()
    begun = time.perf_counter()
    subprocess.run(PROGRAM, check=True, user=user, group=user, extra_groups=groups)
    return time.perf_counter() - begun


async def step(spawner: supervisor.Spawner, scratch: Path, user: int | None) -> float:
    begun = time.perf_counter()
    request = supervisor.StepRequest(
        attempt_id=scratch.name,
        scratch=scratch,
        argv=PROGRAM,
        env={"PATH": os.defpath},
        user=user,
        group=user,
    )
    running = await spawner.spawn(request)
    outcome = await running.outcome()
    took = time.perf_counter() - begun
    if outcome.outcome != "succeeded":
        raise SystemExit(f"a step has not succeeded: {outcome}")
    await running.acknowledge()
    return took


def files(folder: Path) -> float:
    """The folders and files of one step, and nothing else."""
    begun = time.perf_counter()
    (folder / "home").mkdir(parents=True)
    for name in ("keeper.sock", ".pid.json", ".pid.json", ".outcome.json"):
        (folder / name).write_text("{}")
        (folder / name).rename(folder / name.removeprefix("."))
    return time.perf_counter() - begun


async def measure(folder: Path, user: int | None) -> str:
    spawner = supervisor.Spawner()
    await spawner.start()
    await asyncio.sleep(HELPER_STARTS)
    first = await step(spawner, folder / "first", user)
    for number in range(WARM_UP):
        await step(spawner, folder / f"warm-{number}", user)
    pairs = [(bare(user), await step(spawner, folder / f"{n}", user)) for n in range(RUNS)]
    await spawner.stop()
    apart = statistics.median(files(folder / f"files-{n}") for n in range(RUNS))
    alone, supervised = (statistics.median(column) for column in zip(*pairs, strict=True))
    return (
        f"bare spawn        {alone * 1000:6.2f} ms\n"
        f"supervised step   {supervised * 1000:6.2f} ms   (its files: {apart * 1000:.2f} ms; "
        f"the first step: {first * 1000:.1f} ms)\n"
        f"ratio             {supervised / alone:6.2f}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, help="where the steps' files go (a temporary one)")
    parser.add_argument("--user", action="store_true", help="run both as nobody")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder, ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        told = uvloop.run(measure(Path(folder), NOBODY if asked.user else None))
    sys.stdout.write(told)


if __name__ == "__main__":
    main()
