"""What does not answer holds up nobody but itself, however much of it there is."""

import asyncio
import socket
import threading
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest

from opsbook.base.database import Database
from opsbook.notify.health import Health
from tests.notify import conftest as paging
from tests.notify.receiving import Office, Receiver, assemble, hook, running
from tests.notify.sink import Sink

HOOKS = [f"dead{n}" for n in range(20)]


async def queue(office: Office, hooks: Iterable[str], how_many: int) -> None:
    for id in hooks:
        for n in range(how_many):
            await office.queue(thread=f"run:{n}", hook=id)


async def heard(receiver: Receiver, how_many: int, within: float) -> None:
    async with asyncio.timeout(within):
        while len(receiver.got) < how_many:
            await asyncio.sleep(0.01)


async def hooks_of(office: Office, state: str) -> set[str]:
    return {row["hook"] for row in await office.rows() if row["state"] == state}


async def test_twenty_hooks_that_hang_hold_up_no_other(
    sqlite_database: Database, now: datetime
) -> None:
    async with (
        Receiver("hang") as dead,
        Receiver() as alive,
        running(assemble(sqlite_database, now, timeout=30)) as office,
    ):
        office.use(*(hook(dead.url, id=id) for id in HOOKS), hook(alive.url, id="alive"))
        await queue(office, HOOKS, 6)
        await queue(office, ["alive"], 1)
        await heard(alive, 1, within=5)
        await queue(office, ["alive"], 6)
        await heard(alive, 7, within=5)
        assert dead.most_at_once == len(HOOKS)


async def test_of_few_places_those_that_are_known_to_hang_have_half(
    sqlite_database: Database, now: datetime
) -> None:
    options = {"timeout": 0.5, "at_most": 8, "hangs": 0.1}
    async with (
        Receiver("hang") as dead,
        Receiver() as alive,
        running(assemble(sqlite_database, now, **options)) as office,
    ):
        office.use(*(hook(dead.url, id=id) for id in HOOKS), hook(alive.url, id="alive"))
        await queue(office, HOOKS, 30)
        await queue(office, ["alive"], 1)
        await heard(alive, 1, within=10)
        async with asyncio.timeout(20):
            while await hooks_of(office, "retry") != set(HOOKS):  # each has failed once
                await asyncio.sleep(0.05)
        await asyncio.sleep(options["timeout"] + 0.2)
        most = 0
        for n in range(2, 6):
            await queue(office, ["alive"], 1)
            await heard(alive, n, within=5)
            most = max(most, len(await hooks_of(office, "sending") - {"alive"}))
        assert 1 <= most <= 4


async def test_of_those_that_ail_each_has_its_turn(
    sqlite_database: Database, now: datetime
) -> None:
    async with (
        Receiver("hang") as dead,
        Receiver("500") as back,
        running(assemble(sqlite_database, now, timeout=0.1, at_most=4)) as office,
    ):
        office.use(*(hook(dead.url, id=id) for id in HOOKS), hook(back.url, id="back"))
        await queue(office, HOOKS, 30)
        await queue(office, ["back"], 2)
        await heard(back, 1, within=10)
        back.plan = ["200"]
        await heard(back, 2, within=20)


async def test_one_that_answers_again_has_all_its_places(
    sqlite_database: Database, now: datetime
) -> None:
    async with (
        Receiver("500", "slow") as receiver,
        running(assemble(sqlite_database, now)) as office,
    ):
        office.use(hook(receiver.url))
        await queue(office, ["ci"], 12)
        await office.settle()
        assert len(receiver.got) == 12
        assert receiver.most_at_once == 4


async def test_names_that_nobody_answers_for_hold_up_no_other_name(
    sqlite_database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = threading.Event()

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        if host.startswith("dead"):
            never.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async with (
        Receiver() as alive,
        running(assemble(sqlite_database, now, timeout=20)) as office,
    ):
        dead = [hook(f"https://{id}.example.org/", id=id) for id in HOOKS]
        office.use(*dead, hook(f"http://localhost:{alive.port}/", id="alive"))
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        await queue(office, HOOKS, 1)
        await queue(office, ["alive"], 1)
        await heard(alive, 1, within=5)
        never.set()


async def test_new_pages_to_a_destination_that_failed_wait_for_half_of_the_lanes(
    sqlite_database: Database, now: datetime
) -> None:
    async with Sink("500") as stuck, Sink() as fine:
        post = paging.assemble(sqlite_database, now, at_most=4, timeout=20.0)
        contacts = ", ".join(f'"{stuck.url(str(n), "rto=20")}"' for n in range(6))
        post.use(operator=contacts, standby=f'"{fine.url()}"')
        async with paging.running(post):
            await post.page("operator", key="first")
            await post.settle()
            assert {row["state"] for row in await post.rows()} == {"retry"}
            stuck.plan = ["hang"]
            await post.page("operator", key="second")
            async with asyncio.timeout(20):
                while not stuck.got[6:]:
                    await asyncio.sleep(0.01)
            await post.page("standby")
            await asyncio.wait_for(fine.arrived.wait(), 20)
            sending = [row["person"] for row in await post.rows() if row["state"] == "sending"]
            assert sending.count("operator") == 2


def test_health_is_what_attempts_have_shown() -> None:
    health: Health[str] = Health(hangs=2.0)
    number = health.begin("a", 10.0)
    assert health.ailing(12.0) == set()
    assert health.ailing(12.1) == {"a"}
    assert health.end(number, 13.0, taken=True)
    assert (health.ailing(13.0), health.well("a")) == (set(), True)
    assert not health.end(health.begin("a", 14.0), 14.0, taken=True)
    assert not health.end(health.begin("a", 15.0), 16.0, taken=False)
    assert (health.ailing(16.0), health.well("a"), health.failed_at("a")) == ({"a"}, False, 16.0)
    assert not health.end(health.begin("a", 17.0), 18.0, taken=None)
    assert health.ailing(18.0) == {"a"}
    assert health.end(health.begin("a", 19.0), 19.0, taken=True)
    assert (health.ailing(20.0), health.failed_at("a")) == (set(), 0.0)
