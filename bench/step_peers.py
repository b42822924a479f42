"""A step that runs `true`: bare, journalled by Opsbook on both databases, by Ansible, by Prefect.

All in one run, in turn, ROUNDS times; medians of the cost of one step, and ratios within a round.

- bare: `bash -c true`, one after the other.
- Opsbook: a run of STEPS bash steps, from its start to its end, on SQLite (synchronous=FULL) and on
  a PostgreSQL with fsync on.
- Ansible: a playbook of STEPS `command: true` tasks over the local connection, less what the same
  playbook costs with one task.
- Prefect: a flow of STEPS tasks that each run `bash -c true`, one after the other, on its own
  temporary server and its SQLite, without its server's start.

    python bench/step_peers.py [--without-peers]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import uvloop
from _peers import python
from _stages import both, folder

from tests.support.runs import Stage

STEPS = 20
ROUNDS = 5
FLOW = """
import subprocess, sys, time
from prefect import flow, task

@task
def step():
    subprocess.run(["bash", "-c", "true"], check=True)

@flow
def book(steps):
    begun = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - begun) / steps

book(1)
print("MEASURED", *(book(int(sys.argv[1])) for _ in range(int(sys.argv[2]))))
"""


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


async def journalled(stage: Stage) -> float:
    """Seconds for one step of a run, from the start of the run to its end."""
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


def ansible(peers: Path, folder: Path) -> float:
    """Seconds for one task of a playbook, its start left out."""

    def play(tasks: int) -> float:
        file = folder / f"play{tasks}.yml"
        lines = "".join("    - ansible.builtin.command: 'true'\n" for _ in range(tasks))
        head = "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n"
        file.write_text(head + lines)
        begun = time.perf_counter()
        subprocess.run(
            [peers.parent / "ansible-playbook", "-i", "localhost,", file], check=True, cwd=folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(folder), "ANSIBLE_LOCALHOST_WARNING": "0",
                 "ANSIBLE_PYTHON_INTERPRETER": str(peers)},
        )  # fmt: skip
        return time.perf_counter() - begun

    return (play(STEPS + 1) - play(1)) / STEPS


def prefect(peers: Path, folder: Path) -> list[float]:
    """Seconds for one task of a flow, once for each round."""
    done = subprocess.run(
        [str(peers), "-c", FLOW, str(STEPS), str(ROUNDS)], check=True, cwd=folder,
        capture_output=True, text=True,
        env={**os.environ, "HOME": str(folder), "PREFECT_HOME": str(folder / "prefect"),
             "PREFECT_LOGGING_LEVEL": "ERROR", "DO_NOT_TRACK": "1",
             "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
             "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true"},
    )  # fmt: skip
    line = next(one for one in done.stdout.splitlines() if one.startswith("MEASURED"))
    return [float(one) for one in line.split()[1:]]


async def measure(peers: Path | None) -> None:
    async with AsyncExitStack() as stack:
        beside = folder(stack)
        sqlite, server = await both(stack, STEPS)
        for stage in (sqlite, server):
            await journalled(stage)
        rounds: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for name, spent in (
                ("bare bash -c true", bare()),
                ("one fsync", fsync(beside)),
                ("opsbook, SQLite", await journalled(sqlite)),
                ("opsbook, PostgreSQL", await journalled(server)),
            ):
                rounds.setdefault(name, []).append(spent)
            if peers is not None:
                spent = await asyncio.to_thread(ansible, peers, beside)
                rounds.setdefault("ansible", []).append(spent)
        if peers is not None:
            rounds["prefect"] = await asyncio.to_thread(prefect, peers, beside)
    told(rounds)


def told(rounds: dict[str, list[float]]) -> None:
    """Write medians, and each as a multiple of a bare spawn and of Opsbook's step on SQLite."""
    ours = rounds["opsbook, SQLite"]
    for name, column in rounds.items():
        bare_times = statistics.median(
            a / b for a, b in zip(column, rounds["bare bash -c true"], strict=True)
        )
        our_times = statistics.median(a / b for a, b in zip(column, ours, strict=True))
        sys.stdout.write(
            f"{name:22} {statistics.median(column) * 1000:9.2f} ms   {bare_times:8.2f} × bare   "
            f"{our_times:8.2f} × opsbook\n"
        )
    parts = zip(ours, rounds["bare bash -c true"], rounds["one fsync"], strict=True)
    aim = statistics.median(step / (1.5 * one + 2 * sync) for step, one, sync in parts)
    sys.stdout.write(f"{'step / (1.5 bare + 2 fsync)':24} {aim:5.2f}   (aim: at most 1)\n")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--without-peers", action="store_true")
    peers = None if options.parse_args().without_peers else python()
    uvloop.run(measure(peers))


if __name__ == "__main__":
    main()
