"""From `make up` in a warm clone to the first page, against importing the libraries it stands on.

The floor is a Python that imports FastAPI, SQLAlchemy and uvicorn and exits: no server of this
stack answers sooner. Both are started in turn, RUNS times, and the medians and their ratio printed.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"
RUNS = 5
LIMIT_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def to_first_page() -> float:
    """Seconds from starting `make up` on an empty data folder to the sign-in page's last byte."""
    port = free_port()
    with tempfile.TemporaryDirectory() as data:
        settings = {"OPSBOOK_DATA": data, "OPSBOOK_LISTEN": f"127.0.0.1:{port}"}
        begun = time.perf_counter()
        server = subprocess.Popen(
            ["make", "-s", "up"],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while time.perf_counter() - begun < LIMIT_S:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/sign-in") as page:
                        page.read()
                    return time.perf_counter() - begun
                except OSError:
                    time.sleep(0.01)
            raise SystemExit(f"make up gave no page within {LIMIT_S} s")
        finally:
            os.killpg(server.pid, signal.SIGINT)
            server.wait(20)


def floor() -> float:
    """Seconds to import the libraries and exit."""
    begun = time.perf_counter()
    subprocess.run([PYTHON, "-c", "import fastapi, sqlalchemy, uvicorn"], check=True)
    return time.perf_counter() - begun


def main() -> None:
    to_first_page()
    pairs = [(to_first_page(), floor()) for _ in range(RUNS)]
    page, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    sys.stdout.write(
        f"make up to first page  {page * 1000:7.0f} ms\n"
        f"bare imports           {bare * 1000:7.0f} ms\n"
        f"ratio                  {ratio:7.2f}\n"
    )


if __name__ == "__main__":
    main()
