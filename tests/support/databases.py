"""Databases with every table, on the real engines: SQLite always, PostgreSQL where installed."""

import importlib
import pkgutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import opsbook
from opsbook.base.database import Database, metadata, sqlite_url


def all_tables() -> None:
    """Import every module that declares tables."""
    for package in pkgutil.iter_modules(opsbook.__path__):
        name = f"opsbook.{package.name}.tables"
        if package.ispkg and importlib.util.find_spec(name) is not None:
            importlib.import_module(name)
    importlib.import_module("opsbook.base.events")
    importlib.import_module("opsbook.base.lease")


@pytest.fixture
def now() -> datetime:
    """A Tuesday morning."""
    return datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


@pytest.fixture
async def sqlite_database(tmp_path: Path) -> AsyncIterator[Database]:
    """A started database in a file."""
    all_tables()
    database = Database(sqlite_url(tmp_path / "test.db"))
    metadata.create_all(database.engine)
    database.start()
    yield database
    await database.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A started database, once on each engine."""
    all_tables()
    if request.param == "sqlite":
        url = sqlite_url(tmp_path / "test.db")
    else:
        url = request.getfixturevalue("postgres_url")
    database = Database(url)
    metadata.create_all(database.engine)
    database.start()
    yield database
    await database.stop()
