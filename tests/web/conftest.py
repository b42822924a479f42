"""Sites in three states, and people at their front door without JavaScript."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from opsbook.web.visit import SESSION
from tests.support.visitor import Visitor
from tests.web import rig as sites
from tests.web.rig import Rig

Enter = Callable[..., Awaitable[Visitor]]


@pytest.fixture
async def trouble(tmp_path: Path) -> AsyncIterator[Rig]:
    """The shop at night, with payments too slow."""
    async with sites.serving(tmp_path / "data", sites.trouble) as rig:
        yield rig


@pytest.fixture
async def calm(tmp_path: Path) -> AsyncIterator[Rig]:
    """The shop on a quiet morning."""
    async with sites.serving(tmp_path / "data", sites.calm) as rig:
        yield rig


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[Rig]:
    """The shop before anything was looked at."""
    async with sites.serving(tmp_path / "data", sites.empty) as rig:
        yield rig


@pytest.fixture
async def enter() -> AsyncIterator[Enter]:
    """Let somebody of the cast in: ``await enter(rig, "viewer", "ko")``.

    By an open session and not by the password, which is slow on purpose; test_sign_in walks through
    the door itself.
    """
    inside: list[Visitor] = []

    async def entered(rig: Rig, login: str = "operator", language: str = "en") -> Visitor:
        visitor = Visitor(rig.url, language)
        inside.append(visitor)
        visitor.client.cookies.set(SESSION, await rig.session(login))
        return visitor

    yield entered
    for visitor in inside:
        await visitor.close()
