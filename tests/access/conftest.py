"""`play` runs a piece of sync code with the cast in one transaction, on each engine.

The transaction is undone afterwards, so that all tests share one database an engine.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from opsbook.base.database import Database, Transaction, metadata, sqlite_url
from tests.access.cast import Cast, Story
from tests.support.databases import all_tables

Play = Callable[[Story], None]


@contextlib.asynccontextmanager
async def another(database: Database) -> AsyncIterator[Database]:
    """A second server's connection to the same database."""
    second = Database(database.url)
    second.start()
    yield second
    await second.stop()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared_engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sa.Engine]:
    all_tables()
    server = None
    if request.param == "sqlite":
        folder: Path = tmp_path_factory.mktemp("access")
        url = sqlite_url(folder / "test.db")
    else:
        server = request.getfixturevalue("postgres")
        server.create("opsbook_access")
        url = server.url("opsbook_access")
    engine = Database(url).engine
    metadata.create_all(engine)
    yield engine
    engine.dispose()
    if server is not None:
        server.drop("opsbook_access")


@pytest.fixture
def play(shared_engine: sa.Engine, now: datetime) -> Play:
    def run(story: Story) -> None:
        with shared_engine.connect() as connection:
            transaction = connection.begin()
            try:
                story(Cast(Transaction(connection), now))
            finally:
                transaction.rollback()

    return run
