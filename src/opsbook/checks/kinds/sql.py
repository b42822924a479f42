"""``sql``: a number from a database: one of those that are worth watching, or any query's.

Ready-made are PostgreSQL's: see `opsbook.checks.databases`, one small SQL each. A `query` gives one
row with a number and, if the book likes, a text beside it for the message; it works on SQLite files
as well. Whatever it is, the session can only read, and a statement is ended before the look's time
is up.

A server that refuses, is starting or shutting down, has no connection left or no such database is
critical: whoever needs the database waits in vain. A wrong password, a missing grant, a query that
fails or takes too long are missing data.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from opsbook.book import postgres
from opsbook.book.fields import Duration, Whole
from opsbook.book.queries import sql
from opsbook.book.sections.targets import SQL, USER_FORM, SecretText
from opsbook.checks.asking import Asks, credential, masked
from opsbook.checks.databases import activity, replication, sqlite, upkeep
from opsbook.checks.databases.asked import Asked
from opsbook.checks.databases.session import reading
from opsbook.checks.fields import AbsolutePath, complaint
from opsbook.checks.kind import Context, Kind
from opsbook.checks.model import CannotLook, Reading
from opsbook.checks.own import data_of

if TYPE_CHECKING:
    from opsbook.checks.asking import Credential
    from opsbook.checks.databases.postgresql import Reader

METRICS: Final = {**activity.METRICS, **replication.METRICS, **upkeep.METRICS}
ITS_SHARE: Final = 0.8


def _address(value: Any) -> Any:
    if isinstance(value, str):
        try:
            postgres.address(value)
        except ValueError as error:
            raise complaint(f"it {str(error).replace('read: or change:', 'password:')}") from None
    return value


class Sql(Asks):
    """A target, a PostgreSQL's `url` or an SQLite file's `path`; a `metric` or a `query`.

    `longer_than` is for slow_queries and locks, `window` for deadlocks, `least_rows` for dead_rows;
    `standbys` and `role` for replication: how many there must be at least, and which this one is.
    """

    url: Annotated[str, BeforeValidator(_address), Field(max_length=2000)] | None = None
    path: AbsolutePath | None = None
    user: str | None = Field(default=None, pattern=USER_FORM)
    password: SecretText | None = None
    metric: (
        Literal[
            "connections",
            "slow_queries",
            "locks",
            "deadlocks",
            "replication_lag",
            "replication_lag_bytes",
            "database_size",
            "cache_hit",
            "dead_rows",
            "transaction_age",
        ]
        | None
    ) = None
    query: str | None = Field(default=None, min_length=1, max_length=10_000)
    longer_than: Duration = timedelta(minutes=1)
    window: Duration = timedelta(minutes=15)
    least_rows: Whole = Field(default=10_000, ge=1)
    standbys: Whole = Field(default=1, ge=0, le=100)
    role: Literal["primary", "standby"] | None = None

    @property
    def places(self) -> tuple[str, ...]:
        """Where it may be."""
        return ("on", "url", "path")

    @property
    def own(self) -> tuple[str, ...]:
        """What a target says itself."""
        return ("user", "password")

    @property
    def target_kinds(self) -> frozenset[str]:
        """What can be asked: the ready-made numbers are PostgreSQL's."""
        return SQL if self.query is not None else frozenset({"postgresql"})

    @property
    def value_unit(self) -> str | None:
        """The unit of a ready-made number; of a query, the book says it."""
        return METRICS[self.metric].unit if self.metric is not None else None

    def references(self) -> Iterator[str]:
        """Its password."""
        if self.password is not None:
            yield self.password

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        if (self.metric is None) == (self.query is None):
            raise complaint("it gives one number; write metric: or query:, exactly one of them")
        if self.path is not None and self.metric is not None:
            raise complaint(f"{self.metric} is PostgreSQL's, not a file's; write query: instead")
        if self.query is not None:
            try:
                found = sql.statements(self.query)
            except ValueError as error:
                raise complaint(f"its query cannot be read: {error}") from None
            if len(found) != 1 or found[0].word not in {"select", "with", "values", "table"}:
                raise complaint("its query is not one SELECT; write one, that gives a number")
        return self


async def observe(spec: Sql, context: Context) -> Reading:
    """Ask the file or the server."""
    target = context.target
    path = target.path if target is not None else spec.path
    if path is not None:
        return await _file(path, spec.query or "", context)
    let_in = await credential(context, user=spec.user, password=spec.password)
    return await masked(_server(spec, context, let_in), let_in.secret)


async def _file(path: str, query: str, context: Context) -> Reading:
    seconds = context.timeout.total_seconds() * ITS_SHARE
    data = data_of(context)
    return reading(await context.blocking(lambda: sqlite.query(path, query, seconds, data)))


async def _server(spec: Sql, context: Context, let_in: Credential) -> Reading:
    # The driver is 11 MB, and most servers look at no PostgreSQL: the first look brings it.
    from opsbook.checks.databases import postgresql  # noqa: PLC0415

    async def work(session: Reader) -> Reading:
        if spec.metric is None:
            return reading(await session.query(spec.query or ""))
        asked = Asked(
            context.now,
            context.memory,
            spec.longer_than,
            spec.window,
            spec.least_rows,
            spec.standbys,
            spec.role,
        )
        return await METRICS[spec.metric].look(session, asked)

    try:
        address = postgres.address((context.target.url if context.target else spec.url) or "")
    except ValueError as error:
        raise CannotLook(f"the address {error}") from None
    return await postgresql.look(context, address, let_in, work)


KIND = Kind("sql", Sql, observe, silence="critical")
