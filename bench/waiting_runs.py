"""100,000 runs that wait for an approval: memory, idle processor time, approval to next step.

The server is started once with one waiting run and once with all of them, and what it needs is
measured in the same way: its own memory, and the share of one core it uses over IDLE_S seconds in
which nobody asks anything. Then APPROVALS of the runs, taken from all over, are approved through
the interface, half a second apart, which is as fast as people are; the step behind the approval
writes down when it began. A bare spawn of the same script is measured beside it.

    python bench/waiting_runs.py [--runs 100000]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _many_runs import Server

IDLE_S = 30.0
APPROVALS = 40
PATIENCE_S = 20.0


def idle(server: Server) -> tuple[float, float]:
    """MB of memory, and the share of one core, while nothing happens."""
    time.sleep(10)
    before, begun = server.cpu(), time.perf_counter()
    time.sleep(IDLE_S)
    return server.memory(), (server.cpu() - before) / (time.perf_counter() - begun)


def approved(server: Server, run: int) -> tuple[float, float]:
    """Seconds from sending an approval to the first command of the next step, and to the answer."""
    time.sleep(0.5)
    file = server.data / "work" / "shop" / f"at-{run}"
    others = list(Path("/var/tmp").glob(f"opsbook-*/work/shop/at-{run}"))
    for one in (file, *others):
        one.unlink(missing_ok=True)
    begun = time.time()
    server.ask(f"/runs/{run}/approve", step="allow")
    answered = time.time() - begun
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        for one in (file, *Path("/var/tmp").glob(f"opsbook-*/work/shop/at-{run}")):
            if one.exists() and (text := one.read_text().strip()) and float(text) > begun:
                return float(text) - begun, answered
        time.sleep(0.002)
    raise SystemExit(f"run {run} did not go on")


def bare() -> float:
    """Seconds from a spawn to the first command of its script."""
    begun = time.time()
    done = subprocess.run(["bash", "-c", "date +%s.%N"], check=True, capture_output=True, text=True)
    return float(done.stdout) - begun


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=100_000)
    count = options.parse_args().runs
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name).chmod(0o711)
        server = Server(Path(name))
        server.start()
        server.ask("/runs", runbook="deploy")
        one_memory, one_cpu = idle(server)
        server.stop()
        server.multiply(count)
        server.start()
        try:
            memory, cpu = idle(server)
            runs = [1 + at * (count // APPROVALS) for at in range(1, APPROVALS)]
            found = [(*approved(server, run), bare()) for run in runs]
        finally:
            server.stop()
    to_step, to_answer, spawn = (statistics.median(one) for one in zip(*found, strict=True))
    slow = sorted(one[0] for one in found)[int(len(found) * 0.95)]
    sys.stdout.write(
        f"waiting runs              {count:10,}\n"
        f"memory with one           {one_memory:10.0f} MB\n"
        f"memory with all           {memory:10.0f} MB   (aim: < 300)\n"
        f"idle, one                 {one_cpu:10.2%} of a core\n"
        f"idle, all                 {cpu:10.2%} of a core   (aim: < 1 %)\n"
        f"approval to its answer    {to_answer * 1000:10.1f} ms\n"
        f"approval to next step     {to_step * 1000:10.1f} ms   (aim: < 50)\n"
        f"the same, p95             {slow * 1000:10.1f} ms\n"
        f"a bare spawn              {spawn * 1000:10.1f} ms\n"
        f"ratio                     {to_step / spawn:10.1f}\n"
    )


if __name__ == "__main__":
    main()
