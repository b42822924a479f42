"""A PostgreSQL of its own for a benchmark, with fsync on as in life; gone afterwards."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.support.servers import find


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database on a fresh cluster."""
    initdb, server = find("initdb"), find("postgres")
    if initdb is None or server is None:
        raise SystemExit("PostgreSQL is not installed: apt install postgresql")
    with tempfile.TemporaryDirectory(prefix="opsbook-bench-") as name:
        folder = Path(name)
        as_user = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            os.chown(folder, entry.pw_uid, entry.pw_gid)
            as_user = {"user": entry.pw_uid, "group": entry.pw_gid}
        data = folder / "data"
        subprocess.run(
            [initdb, "-D", data, "-U", "postgres", "-A", "trust"], check=True, cwd=folder,
            stdout=subprocess.DEVNULL, **as_user,
        )  # fmt: skip
        flags = ["-c", f"unix_socket_directories={folder}", "-c", "listen_addresses="]
        process = subprocess.Popen([server, "-D", data, *flags], cwd=folder,
                                   stderr=subprocess.DEVNULL, **as_user)  # fmt: skip
        url = f"postgresql://postgres@/postgres?host={urllib.parse.quote(name)}"
        try:
            for _ in range(200):
                try:
                    psycopg.connect(url).close()
                    break
                except psycopg.OperationalError:
                    time.sleep(0.05)
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
