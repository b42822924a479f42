"""A small book in a folder or in git, an app that runs it under a wound clock, and its people."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from opsbook import revisions
from opsbook.access import Principal, accounts, approvals
from opsbook.access.tables import approval
from opsbook.app import App, build
from opsbook.audit.tables import entry
from opsbook.base.clock import WoundClock
from opsbook.revisions import drafts, store
from opsbook.revisions.model import digest_of
from opsbook.settings import Settings
from tests.support.watched import step_user

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)

BOOK = """\
id: shop
title: Shop
timezone: Asia/Seoul
self_approval: forbid
people:
  lead: {name: Lead, roles: [lead]}
  deputy: {name: Deputy, roles: [lead]}
  editor: {name: Editor, roles: [editor]}
roles:
  lead: ["*:admin"]
  editor: ["book:write", "runs:write"]
teams:
  everybody: {members: [lead, deputy]}
"""
CHECKS = """\
checks:
  queue:
    kind: file
    title: Queue
    path: /nowhere/queue
    measure: size
    every: 10m
    bands: {warning: "> 1kB", critical: "> 2kB"}
"""
DEPLOY = """\
---
id: deploy
title: Deploy
risk: change
---
```bash {#before effect=read timeout=20s}
echo before
```
```approval {#allow by=lead within=1h}
Deploy now?
```
```bash {#apply timeout=20s}
echo applied
```
"""
FILES = {"book.yaml": BOOK, "checks.yaml": CHECKS, "runbooks/deploy.md": DEPLOY}
LOOSER = BOOK.replace("self_approval: forbid", "self_approval: record")


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files as an editor does."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def git(folder: Path, *words: str, who: str = "operator", **more: str) -> str:
    """Run git as a person does on their own machine."""
    names = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
             for what, value in (("NAME", who), ("EMAIL", f"{who}@example.org"))}  # fmt: skip
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", "-C", str(folder), *words], check=True,
        capture_output=True, text=True, env={**os.environ, **names, **more},
    )  # fmt: skip
    return done.stdout.strip()


@dataclass
class Origin:
    """A git remote, and somebody's clone of it that pushes there."""

    bare: Path
    clone: Path

    @classmethod
    def make(cls, folder: Path, files: Mapping[str, str] = FILES) -> "Origin":
        bare, clone = folder / "origin.git", folder / "clone"
        folder.mkdir(parents=True, exist_ok=True)
        git(folder, "init", "--quiet", "--bare", str(bare))
        git(folder, "clone", "--quiet", str(bare), str(clone))
        made = cls(bare, clone)
        if files:
            made.push(files, who="lead")
        return made

    @property
    def url(self) -> str:
        return f"file://{self.bare}"

    def push(self, files: Mapping[str, str], who: str = "operator", *more: str) -> str:
        """Commit files in the clone and push them; return the commit."""
        write(self.clone, files)
        git(self.clone, "add", "--all")
        git(self.clone, "commit", "--quiet", "--allow-empty", "-m", "change", who=who)
        git(self.clone, "push", "--quiet", "origin", "HEAD:main", *more)
        return git(self.clone, "rev-parse", "HEAD")


@dataclass
class House:
    """An app that can be stopped and started again on the same data."""

    data: Path
    books: tuple[Path | str, ...]
    database: str | None = None
    now: datetime = START
    more: dict[str, Any] = field(default_factory=dict)
    _app: App | None = None

    @property
    def app(self) -> App:
        assert self._app is not None
        return self._app

    async def up(self) -> App:
        settings = Settings(
            books=self.books, data=self.data, listen=("127.0.0.1", 0), database=self.database,
            step_user=step_user(), **self.more,
        )  # fmt: skip
        app = build(settings, WoundClock(self.now))
        await app.start()
        self._app = app
        await app.settle()  # the first look has been, and the next one is a second away
        return app

    async def down(self) -> None:
        if self._app is not None:
            self.now = self._app.clock.now()
            await self._app.stop()
            self._app = None

    async def again(self) -> App:
        await self.down()
        return await self.up()

    async def leads(self) -> None:
        """Let a server that was started again decide: on PostgreSQL it first watches the lease."""
        if self.database is not None:
            await self.app.wind(25 * SECOND)

    async def rows(self, statement: sa.Executable) -> list[dict[str, Any]]:
        return await self.app.database.read(lambda tx: tx.rows(statement))

    async def entries(self, action: str) -> list[dict[str, Any]]:
        query = sa.select(entry).where(entry.c.action == action).order_by(entry.c.id)
        return await self.rows(query)

    async def history(self) -> list[dict[str, Any]]:
        return await self.app.database.read(lambda tx: revisions.history(tx, "shop"))

    def running(self, file: str = "book.yaml") -> str:
        """What a file of the running book says."""
        return self.app.library.current("shop").files[file]

    async def person(self, login: str) -> Principal:
        """Sign somebody in."""

        def find(tx: Any) -> Principal:
            row = accounts.by_login(tx, login)
            made = row["id"] if row else accounts.create(tx, self.now, login)
            row = accounts.by_id(tx, made)
            assert row is not None
            about = {"account_id": made, "login": login, "first_admin": False}
            return Principal.of_session(about)

        return await self.app.database.write(find)

    async def approvals(self) -> list[dict[str, Any]]:
        return await self.rows(sa.select(approval).order_by(approval.c.id))

    async def vote(self, number: int, login: str, decision: Any = "approve") -> None:
        who = await self.person(login)
        book = self.app.library.current("shop")
        now = self.app.clock.now()
        await self.app.database.write(
            lambda tx: approvals.decide(tx, now, number, who, book, decision)
        )
        await self.app.settle()

    async def draft(self, login: str, files: Mapping[str, str | None]) -> int:
        """Begin an edit and change files in it."""
        who, app = await self.person(login), self.app
        now, book = app.clock.now(), app.library.current("shop")
        made = await app.database.write(lambda tx: drafts.open(tx, now, book, who))
        await self.change(made, login, files)
        return made

    async def change(self, number: int, login: str, files: Mapping[str, str | None]) -> None:
        who, now = await self.person(login), self.app.clock.now()

        def work(tx: Any) -> None:
            for path, text in files.items():
                row = drafts.require(tx, number)
                seen = digest_of(drafts.text_of(tx, row, path))
                drafts.change(tx, now, number, who, path, text, seen)

        await self.app.database.write(work)

    async def publish(self, number: int, login: str, reason: str = "because") -> Any:
        who = await self.person(login)
        app = self.app
        return await drafts.publish(app.revisions, number, who, reason, app.clock.now())

    async def state(self, number: int) -> dict[str, Any]:
        row = await self.app.database.read(lambda tx: store.draft_by_id(tx, number))
        assert row is not None
        return row
