"""Starting again after kill -9 with 10,000 open runs, against starting with none.

Serving means that a request which reads the database has been answered. ROUNDS times in turn: a
server on an empty data folder and one on a folder with the open runs, each killed with SIGKILL and
started again; medians and their ratio.

    python bench/start_open_runs.py [--runs 10000]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _many_runs import Server

ROUNDS = 5


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=10_000)
    count = options.parse_args().runs
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as one,
        tempfile.TemporaryDirectory(dir="/var/tmp") as two,
    ):
        empty, full = Server(Path(one)), Server(Path(two))
        for server in (empty, full):
            server.folder.chmod(0o711)
            server.start()
        full.ask("/runs", runbook="deploy")
        full.stop()
        full.multiply(count)
        full.start()
        pairs = []
        try:
            for _ in range(ROUNDS):
                times = []
                for server in (empty, full):
                    server.kill()
                    times.append(server.start())
                pairs.append(tuple(times))
        finally:
            empty.stop()
            full.stop()
    without, with_runs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    sys.stdout.write(
        f"to serving, no run        {without * 1000:8.0f} ms\n"
        f"to serving, {count:,} runs  {with_runs * 1000:8.0f} ms   (aim: < 2,000)\n"
        f"ratio                     {ratio:8.2f}\n"
    )


if __name__ == "__main__":
    main()
