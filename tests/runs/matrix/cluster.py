"""A PostgreSQL of one test's own, which writes to the disk before it says so, and can be killed.

It is made once per session and copied for each death: `initdb` and the tables take a second.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg

from tests.support import servers
from tests.support.servers import Postgres, needs

NAME: Final = "opsbook"
SETTINGS: Final = {
    "listen_addresses": "",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_connections": "30",
    "shared_buffers": "16MB",
    "autovacuum": "off",
}
START_WITHIN: Final = 60.0


def pids_below(parent: int) -> list[int]:
    """The children of a process, by /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text()
                if int(stat[stat.rindex(")") + 2 :].split()[1]) == parent:
                    found.append(int(entry.name))
    return found


def kill_all(pids: list[int]) -> None:
    """SIGKILL to each that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_server(folder: Path) -> None:
    """End the postmaster and its backends by SIGKILL, and wait until the postmaster is gone."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        postmaster = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        kill_all([postmaster, *pids_below(postmaster)])


@dataclass
class Cluster:
    """One PostgreSQL: its data, its socket and its log lie in `folder`."""

    folder: Path
    settings: dict[str, str] = field(default_factory=lambda: dict(SETTINGS))
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return Postgres(self.folder).url(NAME)

    @property
    def postmaster(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def start(self) -> None:
        """Start it, and wait until it answers; after a death it first reads its log again.

        It refuses for as long as a backend of the one before still holds its memory.
        """
        async with asyncio.timeout(START_WITHIN):
            while not await self._answers():
                await asyncio.sleep(0.1)

    async def _answers(self) -> bool:
        """Start the postmaster; whether it came up."""
        assert self.process is None or self.process.poll() is not None
        settings = {"unix_socket_directories": str(self.folder), **self.settings}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(needs("postgres")), "-D", str(self.folder / "data"), *flags],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=servers._stop_with_parent(signal.SIGINT),  # noqa: PLW1509
                **servers._unprivileged(),
            )  # fmt: skip
        while self.process.poll() is None:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(Postgres(self.folder).url("postgres")).close()
                return True
            await asyncio.sleep(0.02)
        return False

    async def gone(self) -> None:
        """Wait for its end."""
        assert self.process is not None
        await asyncio.to_thread(self.process.wait, START_WITHIN)

    async def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT is what PostgreSQL calls a fast shutdown."""
        assert self.process is not None
        self.process.send_signal(how)
        await self.gone()

    def kill(self) -> None:
        """SIGKILL to all of it."""
        if self.process is not None and self.process.poll() is None:
            kill_all([self.process.pid, *pids_below(self.process.pid)])
            self.process.wait()

    def copy(self, folder: Path) -> "Cluster":
        """Another one with the same content, not started."""
        subprocess.run(
            ["cp", "-a", "--reflink=auto", str(self.folder / "data"), str(folder / "data")],
            check=True,
        )
        return Cluster(folder, self.settings)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A short path that PostgreSQL's user owns."""
    made = Path(tempfile.mkdtemp(prefix="opsbook-pg-", dir="/tmp"))
    try:
        if owner := servers._owner():
            os.chown(made, owner.pw_uid, owner.pw_gid)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


async def initialised(folder: Path) -> Cluster:
    """A fresh cluster with an empty database, started."""
    options = ["-U", "postgres", "-A", "trust", *servers.INITDB_OPTIONS, "--wal-segsize=1"]
    await asyncio.to_thread(
        subprocess.run,
        [str(needs("initdb")), "-D", str(folder / "data"), *options],
        check=True, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        **servers._unprivileged(),
    )  # fmt: skip
    made = Cluster(folder)
    await made.start()
    Postgres(folder).create(NAME)
    return made
