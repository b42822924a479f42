"""Doors of a book for each test."""

from collections.abc import AsyncIterator

import pytest

from opsbook.base.database import Database
from tests.alerts.intake.gate import SECRETS, Gate, opened


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def gate(sqlite_database: Database) -> AsyncIterator[Gate]:
    """All doors, on SQLite."""
    one = await opened(sqlite_database)
    yield one
    await one.doors.close()
