"""An engine on a real database with real processes, a wound clock, and people who answer it.

`Stage` is also what the crash tests run in a process of its own, which they kill.
"""

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from opsbook import runs
from opsbook.access import Principal, accounts, approvals, tokens
from opsbook.audit.entries import timeline
from opsbook.base import places
from opsbook.base.clock import Clock, WoundClock
from opsbook.base.database import Database, Transaction, metadata, sqlite_url
from opsbook.base.hub import Hub
from opsbook.base.lease import TAKE_OVER_AFTER, Lease
from opsbook.base.loops import Loops
from opsbook.book import Book, Vocabulary, load
from opsbook.book.library import Library
from opsbook.checks import KINDS, Facts, Scheduler
from opsbook.runs import store
from opsbook.runs.supervisor import Spawner, kill_tree
from tests.support.databases import all_tables

Result = TypeVar("Result")
START = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
VOCABULARY = Vocabulary(
    check_kinds={name: kind.model for name, kind in KINDS.items()},
    step_kinds=frozenset(runs.STEP_KINDS),
)
BOOK = """
id: shop
title: Shop
timezone: Asia/Seoul
languages: [en, ko]
people:
  operator: {{name: Operator, roles: [responder]}}
  officer: {{name: Officer, roles: [security, responder]}}
  viewer: {{name: Viewer, roles: [viewer]}}
roles:
  responder: ["runs:write"]
  security: ["runs:read"]
  viewer: ["*:read"]
checks:
  small:
    kind: file
    title: The file is small
    path: {file}
    measure: size
    every: 1h
    bands: {{critical: "> 10B"}}
"""


def runbook(body: str, head: str = "", id: str = "fix") -> str:
    """A runbook file with this body; `head` are further lines of its front matter."""
    return f"---\nid: {id}\ntitle: Fix\n{head}\n---\n{body}\n"


def book(*runbooks: str, file: Path = Path("/nowhere")) -> Book:
    """A book with these runbooks (the first is `fix`), and a check on the size of `file`."""
    files = {f"runbooks/r{n}.md": text for n, text in enumerate(runbooks)}
    return load({"book.yaml": BOOK.format(file=file), **files}, VOCABULARY)


@dataclass
class Stage:
    """All that an engine stands on, in one folder. Used `async with`."""

    folder: Path
    url: str = ""
    clock: Clock = field(default_factory=lambda: WoundClock(START))
    secrets: tuple[str, ...] = ()
    steps_at_once: int = 64

    def __post_init__(self) -> None:
        self.hub = Hub()
        self.database = Database(self.url or sqlite_url(self.folder / "opsbook.db"), self.hub.touch)
        self.places = places.prepare(self.folder, places.step_user())
        self.library = Library(self.database, VOCABULARY)
        self.lease = Lease(self.database, "this")
        self.loops = Loops(self.clock, lambda: self.lease.held)
        self.spawner = Spawner()
        facts = Facts(data=str(self.folder), url="http://127.0.0.1:1", host="127.0.0.1", port=1)
        self.scheduler = Scheduler(self.database, self.library, self.loops, self.clock, facts)
        self.engine = runs.Engine(
            self.database, self.library, self.loops, self.clock, self.scheduler, self.places,
            self.spawner, self.lease, self.hub, steps_at_once=self.steps_at_once,
            secrets=lambda: self.secrets,
        )  # fmt: skip

    async def __aenter__(self) -> "Stage":
        all_tables()
        metadata.create_all(self.database.engine)
        self.database.start()
        self.engine.wire(self.hub)
        self.scheduler.wire(self.hub)
        self.hub.on("approvals", self.loops.add("approvals", self._expire))
        await self.lease.tick(self.clock.now())
        if not self.lease.held and isinstance(self.clock, WoundClock):  # after a server that died
            self.clock.advance(TAKE_OVER_AFTER)
            await self.lease.tick(self.clock.now())
        await self.spawner.start()
        await self.engine.start(self.clock.now())
        await self.scheduler.start()
        self.loops.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.loops.stop()
        await self.scheduler.stop()
        await self.engine.stop()
        await self.spawner.stop()
        await self.database.stop()

    async def _expire(self, now: datetime) -> datetime | None:
        return await self.database.write(lambda tx: approvals.expire(tx, now))

    # ---- the trade ----

    @property
    def work(self) -> Path:
        """The folder that the steps share."""
        return self.places.work / "shop"

    def ran(self) -> list[str]:
        """What the steps themselves have noted."""
        file = self.work / "ran"
        return file.read_text().split() if file.exists() else []

    async def publish(self, shop: Book) -> Book:
        await self.write(
            lambda tx: self.library.publish(tx, self.clock.now(), shop, "opsbook", "test")
        )
        self.library.remember(shop)
        return shop

    async def load(self, body: str, head: str = "") -> Book:
        """Publish a book whose runbook `fix` has this body."""
        return await self.publish(book(runbook(body, head), file=self.work / "size"))

    async def person(self, login: str) -> Principal:
        """Somebody who is signed in."""

        def find(tx: Transaction) -> Principal:
            row = accounts.by_login(tx, login)
            made = row["id"] if row else accounts.create(tx, self.clock.now(), login)
            about = {"account_id": made, "login": login, "first_admin": False}
            return Principal.of_session(about)

        return await self.write(find)

    async def local(self) -> Principal:
        """The token of programs on this machine."""

        def find(tx: Transaction) -> Principal:
            now = self.clock.now()
            row = tokens.find(tx, now, tokens.create(tx, now, None, "local", ["read", "run"], None))
            assert row is not None
            return Principal.of_token(row)

        return await self.write(find)

    async def begin(self, *, by: str = "", day: date | None = None, **params: str) -> int:
        """Start `fix`: as somebody, or unattended."""
        starter = (await self.person(by)).actor if by else "opsbook"
        return await self.write(
            lambda tx: runs.start(
                tx, self.clock.now(), book=self.library.current("shop"), runbook="fix",
                params=params, started_by=starter, attended=bool(by), day=day,
                sealer=self.engine.sealer,
            )
        )  # fmt: skip

    async def run(self, *, by: str = "operator", **params: str) -> int:
        """Start `fix` and let it go as far as it can by itself."""
        run_id = await self.begin(by=by, **params)
        await self.settle()
        return run_id

    async def settle(self) -> None:
        await self.loops.settle(60)

    async def wind(self, by: timedelta) -> None:
        await self.loops.wind(by)

    async def act(self, what: Callable[..., Result], *args: Any, **more: Any) -> Result:
        """Call `what(tx, now, …)` in a transaction, and let come what comes of it."""
        done = await self.write(lambda tx: what(tx, self.clock.now(), *args, **more))
        await self.settle()
        return done

    async def answer(self, run_id: int, login: str, decision: str, note: str = "") -> None:
        """Approve or reject what a run waits for."""
        asked = (await self.waits(run_id))[0]["approval_id"]
        who, shop = await self.person(login), self.library.current("shop")
        await self.act(runs.vote, asked, who, shop, decision, note)

    # ---- looking ----

    async def write(self, work: Callable[[Transaction], Result]) -> Result:
        return await self.database.write(work)

    async def row(self, run_id: int) -> dict[str, Any]:
        found = await self.database.read(lambda tx: store.get(tx, run_id))
        assert found is not None
        return found

    async def steps(self, run_id: int) -> dict[str, dict[str, Any]]:
        rows = await self.database.read(lambda tx: store.steps(tx, run_id))
        return {row["key"]: row for row in rows}

    async def states(self, run_id: int) -> dict[str, str]:
        return {key: row["state"] for key, row in (await self.steps(run_id)).items()}

    async def waits(self, run_id: int) -> list[dict[str, Any]]:
        return await self.database.read(lambda tx: store.waits(tx, run_id))

    async def text(self, run_id: int, key: str, number: int = -1) -> str:
        """What an attempt of a step wrote."""
        tried = (await self.steps(run_id))[key]["attempts"][number]["id"]
        rows = await self.database.read(lambda tx: store.output(tx, tried))
        return "".join(row["text"] for row in rows)

    async def actions(self, run_id: int) -> list[str]:
        rows = await self.database.read(lambda tx: timeline(tx, f"run:{run_id}"))
        return [row["action"] for row in rows]


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that the steps' user can pass through (pytest's are closed); removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="opsbook-runs-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        for scratch in (folder / "steps").glob("*"):
            kill_tree(scratch.name, scratch)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def stage_folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture
async def stage(stage_folder: Path) -> AsyncIterator[Stage]:
    """An engine on SQLite."""
    async with Stage(stage_folder) as one:
        yield one


@pytest.fixture(params=["sqlite", "postgresql"])
async def any_stage(request: pytest.FixtureRequest, stage_folder: Path) -> AsyncIterator[Stage]:
    """An engine on each database."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    async with Stage(stage_folder, url) as one:
        yield one
