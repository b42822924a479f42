"""A primary and its streaming standby: two real PostgreSQLs, the second copied from the first."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import psycopg
import pytest

from tests.support import servers
from tests.support.servers import INITDB_OPTIONS, POSTGRES_SETTINGS, Postgres, needs

servers.PACKAGES |= {"pg_basebackup": "postgresql"}


@dataclass(frozen=True)
class Pair:
    """Both of them; `reader` is a role on both that may see what monitoring sees."""

    primary: Postgres
    standby: Postgres

    def on_primary(self, *statements: str) -> None:
        _execute(self.primary, statements)

    def on_standby(self, *statements: str) -> None:
        _execute(self.standby, statements)

    def until(self, server: Postgres, question: str, within: float = 20.0) -> None:
        """Wait until a query says true: a log takes its time to arrive."""
        deadline = monotonic() + within
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            while not (connection.execute(question).fetchone() or (False,))[0]:  # type: ignore[arg-type]
                assert monotonic() < deadline, f"still not: {question}"
                sleep(0.02)

    def caught_up(self) -> None:
        """Wait until the standby has replayed all there is."""
        self.until(
            self.primary,
            "SELECT coalesce(bool_and(replay_lsn = pg_current_wal_lsn()), false) "
            "FROM pg_stat_replication",
        )


def _execute(server: Postgres, statements: tuple[str, ...]) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]


@contextmanager
def _started(folder: Path, data: Path, **settings: str) -> Iterator[Postgres]:
    told = {"unix_socket_directories": str(folder), **POSTGRES_SETTINGS, **settings}
    flags = [part for name, value in told.items() for part in ("-c", f"{name}={value}")]
    running = Postgres(folder)
    command = [str(needs("postgres")), "-D", str(data), *flags]
    with servers._running(command, folder, running.answer, stop=servers.signal.SIGINT):
        yield running


def _done(command: list[object], folder: Path) -> None:
    subprocess.run(
        [str(part) for part in command],
        check=True,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **servers._unprivileged(),
    )


@pytest.fixture(scope="session")
def pair() -> Iterator[Pair]:
    """One pair for this pytest process; a test leaves the replay going."""
    initdb, copy = needs("initdb"), needs("pg_basebackup")
    wal = {"wal_level": "replica", "max_wal_senders": "5", "wal_keep_size": "64MB"}
    with servers._folder() as first, servers._folder() as second:
        _done(
            [initdb, "-D", first / "data", "-U", "postgres", "-A", "trust", *INITDB_OPTIONS], first
        )
        with _started(first, first / "data", **wal) as primary:
            where = f"host={first} user=postgres application_name=second"
            fast = ["--checkpoint=fast", "--no-sync", "-X", "stream", "-R"]
            _done([copy, "-D", second / "data", "-d", where, *fast], first)
            hot = {**wal, "wal_receiver_status_interval": "1s"}
            with _started(second, second / "data", **hot) as standby:
                yield Pair(primary, standby)
