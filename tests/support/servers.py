"""Real servers for tests: found on this machine, started once per pytest process, stopped by pid.

Belongs here: PostgreSQL, nginx, Redis and where the browser is. Each starts in a short temporary
folder on its own socket or a free port, so that workers of a parallel run never meet. Does not
belong here: anything of the trade; those fixtures are other modules of this package.

A missing program skips the test with a sentence that names it. With OPSBOOK_TEST_STRICT=1 that
skip is a failure: see tests/conftest.py.
"""

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import psycopg.sql
import pytest

START_WITHIN = 30.0
STOP_WITHIN = 10.0

PACKAGES = {
    "amtool": "prometheus-alertmanager",
    "chromium": "chromium",
    "initdb": "postgresql",
    "postgres": "postgresql",
    "nginx": "nginx",
    "promtool": "prometheus",
    "redis-server": "redis-server",
}


CHROMIUM_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

INITDB_OPTIONS = ("--encoding=UTF8", "--locale=C", "--no-sync")

POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
}

NGINX_CONF = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/root;
    }}
}}
"""


def find(program: str) -> Path | None:
    """Where a program is: on PATH, where Debian keeps PostgreSQL's, or in sbin."""
    found = shutil.which(program)
    if found:
        return Path(found)
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), reverse=True)
    others = [Path("/usr/sbin") / program, Path("/usr/local/sbin") / program]
    return next((path for path in (*debian, *others) if os.access(path, os.X_OK)), None)


def needs(program: str) -> Path:
    """The program's path; a test that needs what is not installed is skipped and says so."""
    found = find(program)
    if found is None:
        package = PACKAGES.get(program, program)
        pytest.skip(f"{program} is not installed; on Debian and Ubuntu: apt install {package}")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser's path, for playwright's `executable_path`."""
    return needs("chromium")


@dataclass(frozen=True)
class Postgres:
    """A running PostgreSQL: no TCP, no fsync, and a socket that only this user can reach."""

    folder: Path

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={urllib.parse.quote(str(self.folder))}"

    def create(self, database: str) -> None:
        """Make an empty database; quick, since it copies PostgreSQL's own template."""
        self._execute(psycopg.sql.SQL("CREATE DATABASE {} TEMPLATE template0"), database)

    def drop(self, database: str) -> None:
        """Remove a database, whoever still holds a connection to it."""
        self._execute(psycopg.sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)"), database)

    def answer(self) -> None:
        psycopg.connect(self.url("postgres")).close()

    def _execute(self, statement: psycopg.sql.SQL, name: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.format(psycopg.sql.Identifier(name)))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL for this pytest process; tests ask for `postgres_url` instead."""
    initdb, server = needs("initdb"), needs("postgres")
    with _folder() as folder:
        data = folder / "data"
        subprocess.run(
            [initdb, "-D", data, "-U", "postgres", "-A", "trust", *INITDB_OPTIONS],
            check=True,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            **_unprivileged(),
        )
        settings = {"unix_socket_directories": str(folder), **POSTGRES_SETTINGS}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        running = Postgres(folder)
        command = [str(server), "-D", str(data), *flags]
        with _running(command, folder, running.answer, stop=signal.SIGINT):
            yield running


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """The URL of a fresh, empty database, dropped after the test."""
    name = f"opsbook_{uuid.uuid4().hex[:12]}"
    postgres.create(name)
    try:
        yield postgres.url(name)
    finally:
        postgres.drop(name)


@dataclass(frozen=True)
class Nginx:
    """A running nginx that serves the files of `root`."""

    root: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture(scope="session")
def nginx() -> Iterator[Nginx]:
    """One nginx for this pytest process; a test puts its own files under `root`."""
    server = needs("nginx")
    with _folder() as folder:
        running = Nginx(root=folder / "root", port=free_port())
        running.root.mkdir()
        running.root.chmod(0o755)
        configuration = folder / "nginx.conf"
        configuration.write_text(NGINX_CONF.format(folder=folder, port=running.port))
        command = [str(server), "-p", str(folder), "-c", str(configuration), "-e", "stderr"]
        with _running(command, folder, lambda: _connect(running.port)):
            yield running


@contextlib.contextmanager
def proxy(location: str) -> Iterator[str]:
    """An nginx with these directives for every address; its URL."""
    server, port = needs("nginx"), free_port()
    with _folder() as folder:
        configuration = folder / "nginx.conf"
        text = NGINX_CONF.format(folder=folder, port=port)
        inner = f"location / {{\n{location}\n}}"
        configuration.write_text(text.replace(f"root {folder}/root;", inner))
        command = [str(server), "-p", str(folder), "-c", str(configuration), "-e", "stderr"]
        with _running(command, folder, lambda: _connect(port)):
            yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def redis_port() -> Iterator[int]:
    """The port of one empty Redis for this pytest process."""
    server, port = needs("redis-server"), free_port()
    with _folder() as folder:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        with _running([str(server), *options], folder, lambda: _connect(port)):
            yield port


@contextlib.contextmanager
def _running(
    command: list[str],
    folder: Path,
    answer: Callable[[], None],
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[None]:
    """Start a server, wait until it answers, and stop it by its own pid afterwards."""
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_stop_with_parent(stop),  # noqa: PLW1509  a test run that is killed must leave no server
            **_unprivileged(),
        )
    try:
        _wait(process, answer, log)
        yield
    finally:
        process.send_signal(stop)
        try:
            process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], answer: Callable[[], None], log: Path) -> None:
    deadline = time.monotonic() + START_WITHIN
    while True:
        try:
            return answer()
        except (OSError, psycopg.OperationalError) as refusal:
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{process.args!r} did not start: {said}") from refusal
        time.sleep(0.02)


def _connect(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), timeout=1).close()


def _stop_with_parent(stop: signal.Signals) -> Callable[[], object]:
    """For the child, before exec: get `stop` when the parent dies (Linux; elsewhere nothing)."""
    if not sys.platform.startswith("linux"):
        return lambda: None
    prctl, set_parent_death_signal = ctypes.CDLL(None).prctl, 1
    return lambda: prctl(set_parent_death_signal, int(stop))


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder with a path short enough for a socket, owned by whoever runs the server."""
    folder = Path(tempfile.mkdtemp(prefix="opsbook-", dir="/tmp"))
    try:
        if owner := _owner():
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _owner() -> pwd.struct_passwd | None:
    """Who runs the servers when we are root, since PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("running as root, and there is neither a user postgres nor nobody")


def _unprivileged() -> dict[str, Any]:
    owner = _owner()
    if owner is None:
        return {}
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
