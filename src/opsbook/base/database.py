"""One database, one writer, group commit.

Queries are plain synchronous functions that take a :class:`Transaction`; the event loop hands them
over with ``await database.write(work)`` or ``read(work)``. Two things follow. A whole transaction
costs one hop to a thread instead of one per statement, which is what made asynchronous drivers
slow here; and stores stay readable and testable without an event loop.

There is one writer thread. It takes every job that is waiting, runs each in its own savepoint and
commits them together: the answer to any of them is given only after that commit has reached the
disk (SQLite with ``synchronous=FULL``, or PostgreSQL). Under load a hundred jobs share one fsync.
What was refused: a connection per request (SQLite has one writer anyway, and lock waits were the
result) and autocommit (a cause and its event could part). Work passed to ``write`` may be run on a
thread and must not touch the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from opsbook.base.errors import Bug, OpsbookError

Result = TypeVar("Result")
BATCH = 256
FULL = "database or disk is full"
READERS = 4
MOST_TRIES = 5
DEADLOCK_OR_CONFLICT = frozenset({"40P01", "40001"})

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Instant(TypeDecorator[datetime]):
    """A moment, stored as microseconds since 1970 in UTC.

    The same on SQLite and PostgreSQL, sortable, and free of the zone that SQLite would drop.
    """

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        """Refuse a moment without a zone: it would be a different one on another machine."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; this is a bug")
        return (value - EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        """Return the moment, aware, in UTC."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


def table(name: str, *columns: sa.schema.SchemaItem) -> sa.Table:
    """Declare a table; ids are never reused, not even after the newest row is deleted."""
    return sa.Table(name, metadata, *columns, sqlite_autoincrement=True)


def id_column() -> sa.Column[int]:
    """Return the usual primary key: a number people can say aloud ("run 214")."""
    return sa.Column("id", Id, primary_key=True, autoincrement=True)


class DiskFull(OpsbookError):
    """The disk that holds the database is full."""

    status = 507
    remedy = "Free space there; nothing that was acknowledged is lost, and work goes on by itself."


class DatabaseAway(OpsbookError):
    """The database does not answer."""

    status = 503
    remedy = (
        "Try again in a moment: runs go on by themselves once it is back. If it stays away, look "
        "at the database server and at this server's log."
    )


class Transaction:
    """A connection inside a transaction, and the topics it will have touched once committed."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.topics: dict[str, None] = {}

    def execute(self, statement: sa.Executable, values: Any = None) -> sa.CursorResult[Any]:
        """Run one statement."""
        result: Any = self.connection.execute(statement, values)
        return result  # type: ignore[no-any-return]

    def insert(self, into: sa.Table, **values: Any) -> int:
        """Insert one row and return its id."""
        result: sa.CursorResult[Any] = self.connection.execute(_insert(into), values)
        key = result.inserted_primary_key
        return key[0] if key is not None else 0

    def many(self, statement: sa.Insert, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert many rows, for each of which `execute` would go through all of its machinery.

        `statement` is one that is built once and kept. All rows have the same keys.
        """
        if rows:
            self.connection.exec_driver_sql(
                *_prepared(statement, self.connection.dialect, tuple(rows[0])).with_(rows)
            )

    def numbers(self, of: sa.Table, count: int) -> Sequence[int]:
        """Return so many ids for new rows of a table, which nobody else will get."""
        if self.connection.dialect.name == "postgresql":
            return self.connection.execute(
                sa.text(
                    "SELECT nextval(pg_get_serial_sequence(:name, 'id')) "
                    "FROM generate_series(1, :count)"
                ),
                {"name": of.name, "count": count},
            ).scalars().all()  # fmt: skip
        last = self.connection.execute(
            sa.text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": of.name}
        ).scalar()
        first = int(last or 0) + 1
        return range(first, first + count)

    @contextlib.contextmanager
    def piece(self) -> Iterator[None]:
        """Take back only what is done within, should it fail; its error goes on."""
        self.connection.exec_driver_sql("SAVEPOINT piece")
        try:
            yield
        except Exception as error:
            if not self.connection.invalidated:
                _undo(self.connection, error, "piece")
            raise
        self.connection.exec_driver_sql("RELEASE SAVEPOINT piece")

    def claim(self, statement: sa.Update | sa.Delete) -> bool:
        """Run a conditional update; ``False`` means somebody else has it, which is no error."""
        return self.connection.execute(statement).rowcount > 0

    def rows(self, statement: sa.Executable) -> list[dict[str, Any]]:
        """Return all rows as plain dictionaries."""
        return [dict(row) for row in self.connection.execute(statement).mappings()]

    def row(self, statement: sa.Executable) -> dict[str, Any] | None:
        """Return the first row as a plain dictionary, or ``None``."""
        found = self.connection.execute(statement).mappings().first()
        return dict(found) if found is not None else None

    def scalar(self, statement: sa.Executable) -> Any:
        """Return the first column of the first row, or ``None``."""
        return self.connection.execute(statement).scalar()

    def touch(self, *topics: str) -> None:
        """Say what changed; listeners hear of it after the commit, and only then."""
        self.topics.update(dict.fromkeys(topics))


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A statement in the driver's words, and how the values of a row become what it takes."""

    text: str
    values: tuple[tuple[str, Callable[[Any], Any] | None], ...]
    always: Mapping[str, Any]
    positional: bool

    def with_(self, rows: Iterable[Mapping[str, Any]]) -> tuple[str, Any]:
        """Return the statement, and each row as its driver wants it."""
        bound = (
            tuple(to(row[key]) if to is not None else row[key] for key, to in self.values)
            for row in ({**self.always, **one} for one in rows)
        )
        if self.positional:
            return self.text, list(bound)
        names = [key for key, _ in self.values]
        return self.text, [dict(zip(names, one, strict=True)) for one in bound]


@functools.lru_cache(maxsize=64)
def _prepared(statement: sa.Insert, dialect: sa.Dialect, keys: tuple[str, ...]) -> _Prepared:
    compiled: Any = statement.compile(dialect=dialect, column_keys=list(keys), for_executemany=True)
    order = compiled.positiontup if compiled.positional else [*compiled.bind_names.values()]
    types = {name: compiled.binds[name].type.dialect_impl(dialect) for name in order}
    return _Prepared(
        str(compiled),
        tuple((name, types[name].bind_processor(dialect)) for name in order),
        {name: said for name, said in compiled.params.items() if name not in keys}
        | {one.key: one.default.arg for one in compiled.insert_prefetch},
        compiled.positional,
    )


@functools.cache
def _insert(into: sa.Table) -> sa.Insert:
    """One statement for each table: building and hashing it anew costs five times its execution."""
    return sa.insert(into)


Work = Callable[[Transaction], Result]


class Database:
    """The engine, its writer thread and its readers. ``url`` is an SQLAlchemy URL."""

    def __init__(self, url: str, on_commit: Callable[[Iterable[str]], None] = lambda _: None):
        self.url = url
        self.sqlite = url.startswith("sqlite")
        self.on_commit = on_commit
        self._jobs: queue.SimpleQueue[tuple[Work[Any], Future[Any]] | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._engine: sa.Engine | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._read_engine: sa.Engine | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._touched: dict[str, None] = {}

    @property
    def engine(self) -> sa.Engine:
        """The writing engine (migrations use it before the writer starts)."""
        if self._engine is None:
            self._engine = _engine(self.url, writing=True)
        return self._engine

    def start(self) -> None:
        """Start the writer and the readers on the running event loop; tables must exist."""
        self._loop = asyncio.get_running_loop()
        self._read_engine = _engine(self.url, writing=False)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="opsbook-read")
        self._writer = threading.Thread(target=self._write_all, name="opsbook-write", daemon=True)
        _ = self.engine
        self._writer.start()

    async def stop(self) -> None:
        """Finish what was handed in, then close."""
        if self._writer is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._writer.join)
            self._writer = None
        if self._readers is not None:
            self._readers.shutdown(wait=True)
            self._readers = None
        for engine in (self._engine, self._read_engine):
            if engine is not None:
                engine.dispose()
        self._engine = self._read_engine = None

    async def write(self, work: Work[Result]) -> Result:
        """Run ``work`` in a transaction; return only after its commit is on disk.

        A cancelled caller does not undo the work: it may already be part of a commit.
        """
        done: Future[Result] = Future()
        self._jobs.put((work, done))
        return await asyncio.shield(asyncio.wrap_future(done))

    async def read(self, work: Work[Result]) -> Result:
        """Run ``work`` on a reader: a consistent snapshot, never in the writer's way."""
        if self._readers is None or self._loop is None or self._read_engine is None:
            raise Bug("The database was read before it was opened: this is a bug in Opsbook.")
        return await self._loop.run_in_executor(self._readers, self._read, self._read_engine, work)

    def _read(self, engine: sa.Engine, work: Work[Result]) -> Result:
        try:
            with engine.connect() as connection:
                return work(Transaction(connection))
        except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
            raise DatabaseAway from error

    def _write_all(self) -> None:
        connection: sa.Connection | None = None
        ending = False
        while not ending:
            job = self._jobs.get()
            batch = []
            while job is not None:
                batch.append(job)
                if len(batch) >= BATCH:
                    break
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            else:
                ending = True
            if not batch:
                continue
            try:
                connection = connection or self.engine.connect()
                self._commit(connection, batch)
            except Exception as error:  # noqa: BLE001 (handed to every caller of the batch)
                told = _told(error)
                for _, done in batch:
                    if not done.done():
                        done.set_exception(told)
                if connection is not None:
                    with contextlib.suppress(Exception):
                        connection.invalidate()
                        connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _commit(
        self, connection: sa.Connection, batch: list[tuple[Work[Any], Future[Any]]], tries: int = 1
    ) -> None:
        """Run a batch and commit it; what another server's locks were in the way of runs again.

        Two servers on one PostgreSQL may each hold a row that the other waits for. The database
        then ends the work of one of them, of which nothing is left: it is done once more, after the
        rest of its batch has let go of its locks.
        """
        again: list[tuple[Work[Any], Future[Any]]] = []
        results: list[tuple[Future[Any], Any, BaseException | None]] = []
        with connection.begin():
            for work, done in batch:
                transaction = Transaction(connection)
                connection.exec_driver_sql("SAVEPOINT job")
                try:
                    results.append((done, work(transaction), None))
                    connection.exec_driver_sql("RELEASE SAVEPOINT job")
                except Exception as error:
                    if connection.invalidated:
                        raise
                    _undo(connection, error, "job")
                    if tries < MOST_TRIES and _passing(error):
                        again.append((work, done))
                    else:
                        results.append((done, None, error))
                else:
                    self._touched.update(transaction.topics)
        self._wake()  # before the answers, so that loops wake first
        self._touched.clear()
        for done, result, failure in results:
            if failure is not None:
                done.set_exception(failure)
            else:
                done.set_result(result)
        if again:
            self._commit(connection, again, tries + 1)

    def _wake(self) -> None:
        """Let loops look at what was touched: by this commit, and by those before it that failed.

        PostgreSQL may die between taking a commit down and saying so. Nothing else would tell
        anybody that a run was started or an approval given; the next commit, the lease's at the
        latest, does. (Not the failed one: loops would look again and again while it is away.)
        """
        if self._touched and self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.on_commit, list(self._touched))


def _undo(connection: sa.Connection, error: Exception, savepoint: str) -> None:
    """Go back to a savepoint. Where nothing is left to go back to, the error is the whole batch's.

    SQLite ends a whole transaction by itself on some errors, a full disk among them.
    """
    try:
        connection.exec_driver_sql(f"ROLLBACK TO SAVEPOINT {savepoint}")
        connection.exec_driver_sql(f"RELEASE SAVEPOINT {savepoint}")
    except sa.exc.DBAPIError:
        raise error from None


def _told(error: Exception) -> Exception:
    """What callers are told of an error that took their whole batch with it."""
    if FULL in str(error):
        return DiskFull()
    if isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
        away = DatabaseAway()
        away.__cause__ = error
        return away
    return error


def _passing(error: Exception) -> bool:
    """Whether PostgreSQL has ended this because of what others did at the same moment."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) in DEADLOCK_OR_CONFLICT


def sqlite_url(file: Path) -> str:
    """Return the URL of an SQLite file."""
    return f"sqlite:///{file}"


def _keep_private(url: str) -> None:
    """Let nobody else read the database file, nor lock it: SQLite's own files take its mode.

    A step runs as another user on the same machine, and a shared lock needs no more than the right
    to read. What cannot be made here is left to SQLite, which says why it cannot.

    A file that exists is never opened here: closing any descriptor of it would drop the POSIX locks
    that this very process holds on it through SQLite, and two writers then corrupt it.
    """
    name = sa.engine.make_url(url).database
    if not name or name == ":memory:":
        return
    with contextlib.suppress(OSError):
        with contextlib.suppress(FileExistsError):
            os.close(os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        for file in (Path(name), Path(f"{name}-wal"), Path(f"{name}-shm")):
            if file.exists():
                file.chmod(0o600)


def _json(value: Any) -> str:
    """A value as it is kept in a column of JSON; what msgspec cannot say, the slower way can.

    A storm of alerts spends a quarter of its time here otherwise.
    """
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError):
        return json.dumps(value)


def _engine(url: str, *, writing: bool) -> sa.Engine:
    if not url.startswith("sqlite"):
        if url.startswith("postgresql://"):
            url = "postgresql+psycopg://" + url.removeprefix("postgresql://")
        isolation = "READ COMMITTED" if writing else "REPEATABLE READ"
        return sa.create_engine(
            url, pool_size=READERS, max_overflow=2, pool_pre_ping=True, isolation_level=isolation,
            json_serializer=_json,
        )  # fmt: skip
    _keep_private(url)
    engine = sa.create_engine(
        url,
        poolclass=sa.pool.QueuePool,
        pool_size=1 if writing else READERS,
        json_serializer=_json,
        connect_args={"check_same_thread": False, "timeout": 10},
    )

    @sa.event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=10000",
            "temp_store=MEMORY",
            "cache_size=-16000",
            *(() if writing else ("query_only=ON",)),
        ):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begun(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine
