"""Houses on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.revisions.making import FILES, House, Origin, write


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "book", FILES)


@pytest.fixture
async def house(tmp_path: Path, folder: Path) -> AsyncIterator[House]:
    """An app that runs a plain folder."""
    made = House(tmp_path / "data", (folder,))
    await made.up()
    yield made
    await made.down()


@pytest.fixture
async def both(tmp_path: Path, folder: Path, database: str | None) -> AsyncIterator[House]:
    """The same on either database."""
    made = House(tmp_path / "data", (folder,), database)
    await made.up()
    yield made
    await made.down()


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin.make(tmp_path / "git")


@pytest.fixture
async def remote(tmp_path: Path, origin: Origin) -> AsyncIterator[House]:
    """An app that follows a git remote."""
    made = House(tmp_path / "data", (origin.url,))
    await made.up()
    yield made
    await made.down()
