"""Following where books come from: look, load, compare, publish or hold, remember.

One loop for each source, so that a remote that hangs holds up no other book. Whatever is wrong with
a source is kept as its trouble (a row, told once) while the running revision goes on: a broken edit
never replaces a good one. Reading, loading, comparing and git run in threads.

A source's lock makes following it and writing an edit to it exclude each other. Pages and loops are
told (``books``) after the library remembers what was committed, never before.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from opsbook import audit
from opsbook.base.clock import Clock
from opsbook.base.database import Database, Transaction
from opsbook.base.errors import Conflict, StartError
from opsbook.base.hub import Hub
from opsbook.base.loops import Loops
from opsbook.book import Book, BookError, Problem, load
from opsbook.book import store as books
from opsbook.book.library import Library, Trouble
from opsbook.book.memory import Memory
from opsbook.revisions import deciding, intents, model, publishing, store
from opsbook.revisions.address import Address, FolderAddress
from opsbook.revisions.errors import Unreachable
from opsbook.revisions.folder import FolderWatch
from opsbook.revisions.model import Candidate, Outcome
from opsbook.revisions.plan import Plan, compare
from opsbook.revisions.reading import Look
from opsbook.revisions.remote import Remote

LOOK_EVERY: Final = timedelta(seconds=1)
FETCH_EVERY: Final = timedelta(minutes=1)
REFRESH_EVERY: Final = timedelta(seconds=5)
TRIES: Final = 5
REST: Final = 0.5
log = structlog.get_logger("opsbook.revisions")


class Followed:
    """One source: how it is read, the book it holds once that is known, and who may touch it."""

    def __init__(self, address: Address, clones: Path, every: timedelta) -> None:
        self.address = address
        self.every = every
        self.book: str | None = None
        self.lock = asyncio.Lock()
        self.folder = FolderWatch(address) if isinstance(address, FolderAddress) else None
        self.remote = None if isinstance(address, FolderAddress) else Remote(address, clones)
        self.followed: str | None = None
        self.judged: str | None = None
        self.memory = Memory()
        self.content: str | None = None  # the hash of what it held at the last look
        self.unsettled = True  # an edit may have been on its way there when we were last heard of

    @property
    def key(self) -> str:
        """The source's name in the database and to people."""
        return self.address.key

    def look(self, *, now: bool = False) -> Look | None:
        """Return what the source holds if that is new (or, with ``now``, in any case). Blocks.

        Raises:
            BookError: it cannot be taken for a book.
            Unreachable: it is a remote, and gone.
        """
        if self.folder is not None:
            return self.folder.read() if now else self.folder.look()
        assert self.remote is not None  # noqa: S101  one of the two
        commit = self.remote.fetch()
        if commit == self.judged and not now:
            return None
        self.judged = commit
        return self.remote.look(commit, self.followed)

    def forget(self) -> None:
        """Judge what is there anew at the next look: it was not dealt with to the end."""
        self.judged = None
        if self.folder is not None:
            self.folder.forget()


class Revisions:
    """Every source of this server."""

    def __init__(
        self, database: Database, library: Library, hub: Hub, clock: Clock, loops: Loops,
        addresses: Sequence[Address], clones: Path, *, look_every: timedelta = LOOK_EVERY,
        fetch_every: timedelta = FETCH_EVERY,
    ) -> None:  # fmt: skip
        self.database = database
        self.library = library
        self.hub = hub
        self.clock = clock
        self.loops = loops
        self.sources = [
            Followed(one, clones, look_every if isinstance(one, FolderAddress) else fetch_every)
            for one in addresses
        ]

    def source_of(self, book: str) -> Followed | None:
        """Return where a running book comes from."""
        return next((one for one in self.sources if one.book == book), None)

    @contextlib.asynccontextmanager
    async def alone(self, one: Followed) -> AsyncIterator[None]:
        """Have a source for oneself; a wound clock waits until it is given back."""
        async with self.loops.busy(), one.lock:
            yield

    async def start(self, now: datetime, *, leading: bool) -> None:
        """Look at every source once and let each book run, from its source or from the database.

        A source that is broken or gone does not stop a book that ran before: its running revision
        goes on from the database. While another server decides, what that one runs is run.

        Raises:
            StartError: a source holds no good book and none from there ever ran here, or two
                sources hold the same book.
        """
        for one in self.sources:
            row = await self.database.read(partial(store.source_of, key=one.key))
            if row is not None:
                one.followed = row["followed"]
            before = row["book"] if row is not None else None
            running = (await self._running(before))[1] if before is not None else None
            if running is not None and not leading:
                self._remember(one, running)
                await self._recall_rest(one)
                continue
            if before is not None:
                await intents.finish(self, one, before, now)
            await self._first(one, running, now)
            self._refuse_twice(one)
        self.hub.touch(["books"])

    async def _first(self, one: Followed, running: Book | None, now: datetime) -> None:
        """Look for the first time; what is wrong ends the start only where nothing ran before."""
        try:
            look = await self._settled_look(one, running.id if running else None)
            book = await asyncio.to_thread(load, look.files, self.library.vocabulary, one.memory)
        except (BookError, Unreachable) as error:
            if running is None:
                raise self._no_start(one, error) from error
            self._remember(one, running)
            await self.recall_held(running.id)
            await self.tell(one, now, error)
            return
        one.book = book.id
        self._refuse_twice(one)
        one.content = str(look.revision)
        await self.submit(one, book, look, now)

    async def _settled_look(self, one: Followed, book: str | None) -> Look:
        """Look at a source that may be written to at this moment: a start cannot come later."""
        for _ in range(TRIES):
            look = await asyncio.to_thread(one.look, now=True)
            if book is not None:
                look = await self._rested(one, look, book)
            if look is not None:
                return look
            await asyncio.sleep(REST)
        raise Unreachable(
            f"{one.key} is being written to without a pause.",
            remedy="Start again once that is over.",
        )

    async def _rested(self, one: Followed, look: Look | None, book: str) -> Look | None:
        """Return a look at a folder once it is surely no half of what somebody is saving.

        What runs, and what an edit of ours was to write, is whole. Anything else has to be the same
        a moment later; the moment is one of real time, since an editor knows no other clock.
        """
        if look is None or one.folder is None:
            return look

        def whole(tx: Transaction) -> set[str | None]:
            return {books.running(tx, book), *(row["target"] for row in store.writing(tx, book))}

        if str(look.revision) in await self.database.read(whole):
            return look
        await asyncio.sleep(REST)
        again = await asyncio.to_thread(one.look, now=True)
        return again if again is not None and again.revision == look.revision else None

    def _no_start(self, one: Followed, error: BookError | Unreachable) -> StartError:
        if isinstance(error, Unreachable):
            return StartError(error.message, remedy=error.remedy)
        told = "\n".join(str(problem) for problem in error.problems)
        return StartError(f"The book at {one.key} has problems:\n{told}")

    def _refuse_twice(self, one: Followed) -> None:
        other = next((x for x in self.sources if x is not one and x.book == one.book), None)
        if other is not None:
            raise StartError(
                f"{one.key} and {other.key} both hold the book {one.book!r}.",
                remedy="Give one of them another id in its book.yaml.",
            )

    def wire(self) -> None:
        """Add the loops: one for each source, one for what was decided, one for other servers."""
        for number, one in enumerate(self.sources, 1):
            name = f"source {number}" if len(self.sources) > 1 else "source"
            self.loops.add(name, partial(self._tick, one))
        if not self.database.sqlite:
            self.loops.add("library", self._refresh, deciding=False)
        wake = self.loops.add("revisions", partial(deciding.tick, self), patient="always")
        self.hub.on("approvals", wake)
        self.hub.on("books", wake)

    async def _tick(self, one: Followed, now: datetime) -> datetime:
        """Look at a source once."""
        async with one.lock:
            await self.follow(one, now)
        return now + one.every

    async def follow(self, one: Followed, now: datetime, *, at_once: bool = False) -> None:
        """Look, and do what follows from it. The caller has the source for itself.

        ``at_once`` takes what is there now, without waiting for the next look to agree.
        """
        if one.unsettled and one.book is not None:
            await intents.finish(self, one, one.book, now)
        try:
            look = await asyncio.to_thread(one.look, now=at_once)
            if at_once and one.book is not None:
                look = await self._rested(one, look, one.book)
            if look is None:
                if at_once:
                    one.content = None
                return
            one.content = str(look.revision)
            book = await asyncio.to_thread(load, look.files, self.library.vocabulary, one.memory)
        except (BookError, Unreachable) as error:
            one.content = None
            await self.tell(one, now, error)
            return
        except BaseException:
            one.forget()
            raise
        try:
            if one.book is not None and book.id != one.book:
                await self._renamed(one, book, now)
                return
            await self.submit(one, book, look, now)
        except BaseException:
            one.forget()
            raise

    async def submit(self, one: Followed, book: Book, look: Look, now: datetime) -> Outcome:
        """Publish or hold what a source holds, and keep what the source is like."""
        logins = model.writers_of(look.writers, book)
        _, running = await self._running(book.id)
        if running is not None:
            logins = tuple({**dict.fromkeys(logins),
                            **dict.fromkeys(model.writers_of(look.writers, running))})  # fmt: skip
        people = {one.login for one in (running or book).people.values()}
        found = await self.database.write(
            partial(store.accounts_of, now=now, logins=logins, people=people)
        )
        candidate = model.candidate_of(look, book, one.key, found, audit.SERVER)
        outcome = await self.settle(candidate, now)
        trouble = self._trouble(one, candidate, outcome, now)
        accepted = outcome in {"same", "publish"} or not candidate.rewritten
        one.followed = candidate.commit if accepted and candidate.commit else one.followed
        await self._keep(one, now, trouble, seen=str(book.revision), followed=one.followed)
        running = self.library.current(book.id)
        rest = partial(
            intents.settle_rest, now=now, book=book.id, files=running.files,
            following=running.revision == look.revision,
        )  # fmt: skip
        await self.database.write(rest)
        return outcome

    async def settle(self, candidate: Candidate, now: datetime) -> Outcome:
        """Compare a candidate with what runs until the answer holds, and remember what runs then.

        Raises:
            Conflict: other servers publish faster than this one can compare.
        """
        book = candidate.book
        for _ in range(TRIES):
            over, old = await self._running(book.id)
            plan = Plan()
            if old is not None and old.revision != book.revision:
                plan = await asyncio.to_thread(compare, old, book, now)
            work = partial(
                publishing.settle, now=now, library=self.library, candidate=candidate, over=over,
                old=old, plan=plan,
            )  # fmt: skip
            outcome = await self.database.write(work)
            if outcome == "stale":
                continue
            ran, waited = self._memory(book.id), self.library.held(book.id)
            if outcome in {"same", "publish"}:
                self.library.remember(book)
            elif old is not None:
                self.library.remember(old)
            await self.recall_held(book.id)
            if (ran, waited) != (self._memory(book.id), self.library.held(book.id)):
                self.hub.touch(["books"])
            return outcome
        raise Conflict(
            f"The book {book.id} is published faster than it can be compared.",
            remedy="Look whether two servers follow two different folders.",
        )

    def _memory(self, book: str) -> str | None:
        return next((str(one.revision) for one in self.library.books() if one.id == book), None)

    async def recall_held(self, book: str) -> None:
        """Let the memory of what waits say what the rows say."""
        rows = await self.database.read(lambda tx: store.open_held(tx, book, edits=False))
        self.library.hold(book, store.memory_of(rows[-1] if rows else None))

    async def tell(self, one: Followed, now: datetime, error: BookError | Unreachable) -> None:
        """Keep what is wrong with a source; the running revision goes on."""
        if isinstance(error, BookError):
            many = len(error.problems)
            told = f"{one.key} has {many} problem{'s' if many > 1 else ''}."
            remedy = "The revision from before goes on until they are mended."
            trouble = _trouble(one, "broken", told, remedy, now, error.problems)
        else:
            trouble = _trouble(one, error.kind, error.message, error.remedy, now)
            one.judged = None
        await self._keep(one, now, trouble)

    def _trouble(
        self, one: Followed, candidate: Candidate, outcome: Outcome, now: datetime
    ) -> Trouble | None:
        """Return what is to be said of a source whose good revision does not run."""
        short = candidate.book.revision.short
        if outcome == "rejected":
            return _trouble(
                one, "rejected", f"{one.key} holds the revision {short}, which was rejected.",
                "Change it there; the same content is not asked for again.", now,
            )  # fmt: skip
        if candidate.rewritten and outcome not in {"same", "publish"}:
            return _trouble(
                one, "rewritten",
                f"The history of {one.key} was rewritten; the revision {short} waits for approval.",
                "Approve it, or push the history that ran here.", now,
            )  # fmt: skip
        return None

    async def _renamed(self, one: Followed, book: Book, now: datetime) -> None:
        other = self.source_of(book.id)
        told = f"{one.key} holds the book {book.id!r} now, and ran as {one.book!r}."
        if other is not None:
            told = f"{one.key} holds the book {book.id!r} now, which {other.key} holds already."
        remedy = f"The id may not change while it runs: write id: {one.book} again, or restart."
        place = book.where("id") or "book.yaml:1"
        file, _, line = place.rpartition(":")
        problem = Problem(file, int(line), 1, f"the id {book.id!r} was {one.book!r}", remedy)
        await self._keep(one, now, _trouble(one, "other-book", told, remedy, now, (problem,)))

    async def _keep(
        self, one: Followed, now: datetime, trouble: Trouble | None, **values: Any
    ) -> None:
        """Store what a source is like, told once when it begins, changes its kind, or ends."""
        book = one.book
        kept = await self.database.write(lambda tx: keep(tx, now, one.key, book, trouble, values))
        if book is not None and self.library.trouble(book) != kept:
            self.library.note(book, kept)
            self.hub.touch(["books"])

    async def _running(self, book: str) -> tuple[str | None, Book | None]:
        """Return the hash of what runs according to the database, and the book.

        There may be a hash and no book: a revision that an older Opsbook took and this one does not
        can neither go on nor be compared, so what its source holds is published in its place.
        """

        def read(tx: Transaction) -> tuple[str | None, Book | None]:
            digest = books.running(tx, book)
            if digest is None:
                return None, None
            try:
                return digest, self.library.at(tx, digest)
            except BookError:
                log.warning("the running revision cannot be loaded any more", book=book)
                return digest, None

        return await self.database.read(read)

    def _remember(self, one: Followed, book: Book) -> None:
        one.book = book.id
        self.library.remember(book)

    async def _refresh(self, now: datetime) -> datetime:
        """Run what another server has published."""
        mine = {one.book for one in self.sources if one.book is not None}
        rows = await self.database.read(lambda tx: books.all_running(tx, mine))
        known = {book.id: str(book.revision) for book in self.library.books()}
        changed = [book for book, digest in rows.items() if known.get(book) != digest]
        for book in changed:
            _, found = await self._running(book)
            if found is not None:
                self.library.remember(found)
        rest = [await self._recall_rest(one) for one in self.sources]
        if changed or any(rest):
            self.hub.touch(["books"])
        return now + REFRESH_EVERY

    async def _recall_rest(self, one: Followed) -> bool:
        """Let the memory of trouble and of what waits follow the rows; return whether it moved."""
        if one.book is None:
            return False
        before = self.library.held(one.book), self.library.trouble(one.book)
        row = await self.database.read(partial(store.source_of, key=one.key))
        self.library.note(one.book, store.trouble_of(row))
        await self.recall_held(one.book)
        return before != (self.library.held(one.book), self.library.trouble(one.book))


def keep(
    tx: Transaction, now: datetime, key: str, book: str | None, trouble: Trouble | None,
    values: dict[str, Any],
) -> Trouble | None:  # fmt: skip
    """Store what a source is like; return its trouble with the moment that it began."""
    row = store.source_of(tx, key)
    before = store.trouble_of(row)
    if trouble is not None and before is not None and trouble.kind == before.kind:
        trouble = Trouble(
            trouble.source, trouble.kind, trouble.message, trouble.remedy, trouble.problems,
            before.since,
        )  # fmt: skip
    data: dict[str, Any] | None = None
    if trouble is not None:
        data = {"kind": trouble.kind, "message": trouble.message, "remedy": trouble.remedy,
                "problems": [_problem(one) for one in trouble.problems]}  # fmt: skip
    fresh = {"trouble": data, "trouble_since": trouble.since if trouble else None, **values}
    if book is not None:
        fresh["book"] = book
    if row is None or any(row[name] != value for name, value in fresh.items()):
        store.seen(tx, key, **fresh)
    if (trouble is None) != (before is None) or (
        trouble is not None and before is not None and trouble.kind != before.kind
    ):
        _record(tx, now, key, book, trouble)
    return trouble


def _record(
    tx: Transaction, now: datetime, key: str, book: str | None, trouble: Trouble | None
) -> None:
    subject = f"book:{book}" if book is not None else f"source:{key}"
    if trouble is None:
        audit.record(tx, now, audit.SERVER, "book.source_well", subject, data={"source": key})
        return
    data: dict[str, Any] = {"source": key, "kind": trouble.kind, "why": trouble.message}
    if trouble.problems:
        data["problems"] = [str(one) for one in trouble.problems[:20]]
    audit.record(tx, now, audit.SERVER, "book.source_trouble", subject, data=data)
    log.warning("a book's source is in trouble", source=key, kind=trouble.kind)


def _trouble(
    one: Followed, kind: str, message: str, remedy: str, now: datetime,
    problems: Sequence[Problem] = (),
) -> Trouble:  # fmt: skip
    return Trouble(one.key, kind, message, remedy, tuple(problems), now)


def _problem(one: Problem) -> dict[str, Any]:
    return {"file": one.file, "line": one.line, "column": one.column, "message": one.message,
            "remedy": one.remedy}  # fmt: skip
