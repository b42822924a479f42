"""The program itself, run as people run it, and a server that it starts."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from opsbook.access import accounts, tokens
from opsbook.base.database import Transaction, sqlite_url
from tests.support.shopbook import write_shop
from tests.support.watched import step_user

PROGRAM = (sys.executable, "-m", "opsbook")
LIMIT = 60


def environment(**more: str) -> dict[str, str]:
    """An environment without anything of Opsbook's but what is named."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPSBOOK_")}
    user = step_user()
    return {**kept, "COLUMNS": "200", "OPSBOOK_STEP_USER": user, **more}


@dataclass
class Answer:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def call(*words: str | Path, cwd: Path | None = None, **more: str) -> Answer:
    """Run a command to its end."""
    done = subprocess.run(
        [*PROGRAM, *map(str, words)], capture_output=True, text=True, check=False, timeout=LIMIT,
        env=environment(**more), stdin=subprocess.DEVNULL, cwd=cwd,
    )  # fmt: skip
    return Answer(done.returncode, done.stdout, done.stderr)


@dataclass
class Up:
    """A server started with ``opsbook up``; ``lines`` are what it has said so far."""

    process: subprocess.Popen[str]
    data: Path
    book: Path
    lines: list[str] = field(default_factory=list)
    started: dict[str, Any] = field(default_factory=dict)
    token: str = ""
    person: str = "lead"

    @property
    def url(self) -> str:
        url: str = self.started["url"]
        return url

    def call(self, *words: str | Path, cwd: Path | None = None, **more: str) -> Answer:
        """Run a command on the server's machine, with the local token."""
        return call(*words, cwd=cwd, OPSBOOK_DATA=str(self.data), **more)

    def as_person(self, *words: str | Path) -> Answer:
        """Run a command with the token of the person who may do everything."""
        if not self.token:
            self.token = self.make_token(self.person, "read", "run", "approve")
        return self.call(*words, OPSBOOK_TOKEN=self.token)

    def make_token(self, login: str, *scopes: str) -> str:
        """Make a personal token, as the profile page does."""
        engine = sa.create_engine(sqlite_url(self.data / "opsbook.db"))
        now = datetime.now(UTC)
        with engine.begin() as connection:
            tx = Transaction(connection)
            known = accounts.by_login(tx, login)
            account = known["id"] if known else accounts.create(tx, now, login)
            made = tokens.create(tx, now, account, "tests", scopes, timedelta(days=1))
        engine.dispose()
        return made

    def sealed(self) -> None:
        """Wait until every entry is sealed; something else may not be writing any."""
        for _ in range(300):
            if self.call("audit", "verify", "-o", "json").json["waiting"] == 0:
                return
        raise AssertionError("the entries were never sealed")

    def until(self, wanted: str) -> str:
        """Read lines until one has ``wanted`` in it, and return that one."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if wanted in line:
                return line
        raise AssertionError(f"{wanted!r} was never said: {''.join(self.lines)}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Stop it as Ctrl-C does, and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            if self.process.stdout is not None and not self.process.stdout.closed:
                self.lines += self.process.stdout.readlines()
                self.process.stdout.close()
        return self.process.returncode


def start(*words: str | Path, data: Path, form: str = "json", **more: str) -> Up:
    """Start a server on a free port and wait until it is up; the first word is its book."""
    listen = ("--listen", "127.0.0.1:0", "--data", str(data))
    process = subprocess.Popen(
        [*PROGRAM, "up", *map(str, words), *listen, "-o", form],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=environment(**more),
    )  # fmt: skip
    up = Up(process, data, Path(words[0]))
    try:
        if form == "json":
            up.started = json.loads(up.until('"started"'))
        else:
            up.started = {"url": up.until("● http://").split()[-1]}
    except BaseException:
        up.stop(signal.SIGKILL)
        raise
    return up


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One server with the shop's book for all tests that leave it as they found it."""
    folder = tmp_path_factory.mktemp("shop")
    folder.chmod(0o755)
    up = start(write_shop(folder), data=folder / "data")
    try:
        yield up
    finally:
        up.stop()


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A server with an open incident, whose person has been paged."""
    folder = tmp_path_factory.mktemp("troubled")
    folder.chmod(0o755)
    book = write_shop(folder)
    (folder / "queue").write_text("x" * 5000)
    up = start(book, data=folder / "data")
    try:
        up.until('"incident.paged"')
        up.until('"page.sent"')
        yield up
    finally:
        up.stop()
