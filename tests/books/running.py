"""An example book, run: a real server on a wound clock, with stand-ins for the machine around it.

Checks look at a small server of the test's, steps find the programs of ``standins/`` first on their
path, and everything else (bash, PostgreSQL, Redis, the file system) is real. What a test asserts is
the journal, and what the steps have done to the world.
"""

import contextlib
import os
import pwd
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from opsbook import runs
from opsbook.access import Principal, accounts, approvals
from opsbook.app import App, build
from opsbook.base.clock import WoundClock
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.runs import store
from opsbook.settings import Settings
from tests.books import shelf
from tests.checks.making import certificate, server_side, serving
from tests.support.watched import step_user

START = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)  # half past eight on a Tuesday morning in Seoul
MOST_ROUNDS = 60
Row = dict[str, Any]


class Around:
    """What stands around a server: a folder, programs, and addresses that answer.

    `answers` are the statuses by path (200 where none is set); `replaced` is what a book says and
    what it is to say here instead: an address, a folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin, self.state = folder / "bin", folder / "state"
        shutil.copytree(Path(__file__).parent / "standins", self.bin)
        for program in (self.bin, *self.bin.iterdir()):
            program.chmod(0o755)  # whatever the mask was that the repository was cloned under
        self.answers: dict[str, int] = {}
        self.replaced: dict[str, str] = {}
        self.since = time.time() - 1
        self.writable("state")
        for name in ("calls", "happened", "applied"):
            self.keeps(name)
        self.keeps("broken", "9.9.9\n/models/broken\n0043_broken\n")

    def writable(self, name: str) -> Path:
        """A folder that the steps' user may write to."""
        made = self.folder / name
        made.mkdir(parents=True, exist_ok=True)
        made.chmod(0o777)
        return made

    def keeps(self, name: str, text: str = "") -> None:
        """A file of the stand-ins."""
        file = self.state / name
        file.write_text(text)
        file.chmod(0o666)

    def told(self, name: str = "calls") -> list[str]:
        """What the stand-ins have been told, or what they have done."""
        return (self.state / name).read_text().splitlines()

    def dated(self, now: datetime) -> None:
        """Give what steps have written the server's time: theirs is the machine's, not wound."""
        for file in self.folder.glob("backup/**/*"):
            if file.is_file() and file.stat().st_mtime > self.since:
                os.utime(file, (now.timestamp(), now.timestamp()))

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[int, int]]:
        """The ports of a server that answers every path, without and with TLS."""
        page = certificate(
            self.folder, "127.0.0.1", starts=START - timedelta(days=1), ends=START + timedelta(400)
        )
        page.chmod(0o644)
        async with serving(self._answer) as plain, serving(self._answer, server_side(page)) as tls:
            yield plain, tls

    async def _answer(self, reader: Any, writer: Any) -> None:
        with contextlib.suppress(ConnectionError, EOFError):
            asked = (await reader.readuntil(b"\r\n\r\n")).decode().split()
            body = b'{"state": "ok", "issuer": "here"}'
            status = self.answers.get(asked[1], 200)
            head = (
                f"HTTP/1.1 {status} -\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await writer.drain()
        writer.close()


@dataclass
class Running:
    """A book that runs."""

    app: App
    around: Around
    book: Book
    people: dict[str, Principal] = field(default_factory=dict)

    async def person(self, id: str) -> Principal:
        """Somebody of the book, signed in."""
        login = self.book.people[id].login

        def find(tx: Transaction) -> Principal:
            row = accounts.by_login(tx, login)
            made = row["id"] if row else accounts.create(tx, self.app.clock.now(), login)
            return Principal.of_session({"account_id": made, "login": login, "first_admin": False})

        return await self.app.database.write(find)

    async def begin(self, runbook: str, by: str, **params: str) -> int:
        """Let somebody start a runbook, and go as far as it goes by itself."""
        who = await self.person(by)
        run_id = await self.app.database.write(
            lambda tx: runs.start(
                tx, self.app.clock.now(), book=self.book, runbook=runbook, params=params,
                started_by=who.actor, attended=True, principal=who,
            )
        )  # fmt: skip
        await self.app.settle()
        return run_id

    async def run(self, run_id: int) -> Row:
        found = await self.app.database.read(lambda tx: store.get(tx, run_id))
        assert found is not None
        return found

    async def of_trigger(self, trigger: str) -> list[Row]:
        """The runs that something started, the oldest first."""
        found = await self.app.database.read(lambda tx: store.list_runs(tx, limit=200))
        return [row for row in reversed(found) if row["trigger"] == trigger]

    async def states(self, run_id: int) -> dict[str, str]:
        rows = await self.app.database.read(lambda tx: store.steps(tx, run_id))
        return {row["key"]: row["state"] for row in rows}

    async def said(self, run_id: int) -> str:
        """All output of a run, for the message of a test that fails."""

        def read(tx: Transaction) -> str:
            tries = [one for row in store.steps(tx, run_id) for one in row["attempts"]]
            return "".join(piece["text"] for one in tries for piece in store.output(tx, one["id"]))

        return await self.app.database.read(read)

    async def answer(self, run_id: int, by: str = "", *, decision: str = "approve") -> bool:
        """Let the person asked answer what the run waits for; whether anybody was asked."""
        waits = await self.app.database.read(lambda tx: store.waits(tx, run_id))
        asked = next((one for one in waits if one["kind"] in {"approval", "person"}), None)
        if asked is None:
            return False
        starter = (await self.run(run_id))["started_by"]
        for id in [by] if by else self.holders(asked["role"]):
            who = await self.person(id)
            if who.actor == starter and asked["kind"] == "approval":
                continue

            def give(tx: Transaction, who: Principal = who, asked: Row = asked) -> None:
                now = self.app.clock.now()
                if asked["kind"] == "approval":
                    approvals.decide(tx, now, asked["approval_id"], who, self.book, decision)  # type: ignore[arg-type]
                else:
                    runs.confirm(tx, now, run_id, asked["step"], who, self.book, "seen")

            await self.app.database.write(give)
            await self.app.settle()
            return True
        raise AssertionError(f"nobody may answer {asked['step']}")

    def holders(self, role: str | None) -> list[str]:
        """Whoever has a role, in the book's order."""
        return [id for id, one in self.book.people.items() if role is None or role in one.roles]

    async def to_the_end(self, run_id: int) -> Row:
        """Answer whatever is asked and let time pass until the run is over."""
        for _ in range(MOST_ROUNDS):
            row = await self.run(run_id)
            if row["state"] in store.FINISHED:
                return row
            if not await self.answer(run_id):
                await self.later()
        raise AssertionError(f"run {run_id} never ended: {await self.states(run_id)}")

    async def later(self) -> None:
        """Let half a minute pass, within which every check step looks once."""
        self.around.dated(self.app.clock.now())
        await self.app.wind(timedelta(seconds=31))

    async def reads_by_itself(self, run_id: int) -> None:
        """Whatever came before the first person has run, and changed nothing."""
        await self.later()  # a file that has just been written is dated by now
        row = await self.run(run_id)
        states = await self.states(run_id)
        for step in self.book.runbooks[row["runbook"]].in_phase("main"):
            if step.kind in {"approval", "manual"} or step.effect == "change":
                assert states[step.key] in {"waiting", "pending"}, (step.key, states)
                return
            assert states[step.key] == "succeeded", (step.key, await self.said(run_id))
        assert row["state"] == "succeeded", (row["reason"], states)


def local_user() -> str:
    """Whom steps run as here: PostgreSQL's own user, who alone may use its socket in a test."""
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    return step_user()


@contextlib.asynccontextmanager
async def running(
    name: str, around: Around, patch: pytest.MonkeyPatch, *, at: datetime = START,
    replaced: Mapping[str, str],
) -> AsyncIterator[Running]:  # fmt: skip
    """Run a copy of the book in which every text of `replaced` stands for another one."""
    copy = around.folder / "book"
    shutil.copytree(shelf.FOLDER / name, copy)
    left = dict(replaced)
    for file in [*copy.glob("*.yaml"), *copy.glob("runbooks/*.md")]:
        text = file.read_text()
        for old, new in replaced.items():
            if old in text:
                left.pop(old, None)
                text = text.replace(old, new)
        file.write_text(text)
    assert not left, f"the book {name} says none of these any more: {sorted(left)}"
    steps = runs.kinds.environment
    patch.setattr(steps, "PATH", f"{around.bin}:{steps.PATH}")
    settings = Settings(
        books=(copy,), data=around.folder / "data", listen=("127.0.0.1", 0), step_user=local_user()
    )
    app = build(settings, WoundClock(at))
    await app.start()
    try:
        (book,) = app.library.books()
        await app.settle()
        yield Running(app, around, book)
    finally:
        await app.stop()
