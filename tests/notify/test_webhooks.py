"""Webhooks: what is told arrives, signed, and holds no secret."""

import asyncio
import hashlib
import hmac
import json
import re
import socket
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opsbook.audit.entries import latest
from opsbook.base.database import Database, metadata
from opsbook.notify import webhooks
from opsbook.notify.webhooks import store
from tests.notify.receiving import (
    REFERENCE,
    SECRET,
    Office,
    Receiver,
    assemble,
    book,
    hook,
    running,
)
from tests.support.databases import all_tables

pytestmark = pytest.mark.usefixtures("signing")


# ---- a delivery and its receiver ----------------------------------------------------------------


async def test_a_delivery_is_sent_once_and_signed(office: Office) -> None:
    async with Receiver() as receiver:
        office.use(hook(receiver.url, ", secret: env:HOOK_SECRET, headers: {X-Team: shop}"))
        await office.queue()
        await office.settle()
        ((head, body),) = receiver.got
        row = await office.row()
    assert (row["state"], row["status"], row["attempts"]) == ("sent", 200, 1)
    assert head["Opsbook-Event"] == "run.finished"
    assert head["Opsbook-Delivery"] == json.loads(body)["id"]
    assert head["Opsbook-Attempt"] == "1"
    assert head["X-Team"] == "shop"
    assert head["Content-Type"] == "application/json; charset=utf-8"
    assert "Opsbook-Possibly-Repeated" not in head
    stamp, given = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", head["Opsbook-Signature"]).groups()
    assert int(stamp) == int(office.clock.now().timestamp())
    wanted = hmac.new(SECRET.encode(), f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()
    assert given == wanted
    assert await office.told() == []


async def test_the_example_of_the_reference_tells_a_true_signature_from_a_false_one() -> None:
    text = REFERENCE.read_text()
    code = re.search(r"```python\n(import.*?)```", text, re.DOTALL)
    assert code
    made: dict[str, Any] = {}
    exec(code[1], made)
    check, body = made["is_from_opsbook"], '{"event":"run.finished"}'
    fresh = webhooks.signature(SECRET, datetime.now(UTC), body)
    old = webhooks.signature(SECRET, datetime.now(UTC) - timedelta(hours=1), body)
    assert check(SECRET, fresh, body.encode())
    assert not check("another secret", fresh, body.encode())
    assert not check(SECRET, fresh, body.encode() + b" ")
    assert not check(SECRET, old, body.encode())
    now = int(time.time())
    assert not check(SECRET, old.replace(old[2:12], str(now)), body.encode())
    assert not check(SECRET, "nonsense", body.encode())
    assert not check(SECRET, "", body.encode())


async def test_an_event_that_is_handled_twice_is_delivered_once(office: Office) -> None:
    async with Receiver() as receiver:
        office.use(hook(receiver.url))
        assert await office.queue("same") is not None
        await office.settle()
        assert await office.queue("same") is None
        await office.settle()
        assert len(receiver.got) == 1


async def test_a_failed_delivery_is_tried_again_with_growing_pauses(office: Office) -> None:
    async with Receiver("404", "404", "404", "200") as receiver:
        office.use(hook(receiver.url))
        await office.queue()
        await office.settle()
        for pause in (5, 30, 120):
            assert (await office.row())["state"] == "retry"
            assert (await office.row())["error"] == "It answered 404 Not Found."
            known = len(receiver.got)
            await office.wind(seconds=pause - 1)
            assert len(receiver.got) == known
            await office.wind(seconds=1)
            assert len(receiver.got) == known + 1
        assert (await office.row())["state"] == "sent"
        assert len({head["Opsbook-Delivery"] for head, _ in receiver.got}) == 1
        assert [head["Opsbook-Attempt"] for head, _ in receiver.got] == ["1", "2", "3", "4"]
        assert all("Opsbook-Possibly-Repeated" not in head for head, _ in receiver.got)
        assert await office.told() == ["webhook.delayed", "webhook.sent"]


@pytest.mark.parametrize("how", ["500", "reset", "hang"])
async def test_what_may_have_arrived_says_so_the_next_time(
    how: str, sqlite_database: Database, now: datetime
) -> None:
    async with (
        Receiver(how, "200") as receiver,
        running(assemble(sqlite_database, now, timeout=0.3)) as office,
    ):
        office.use(hook(receiver.url))
        await office.queue()
        await office.settle()
        assert (await office.row())["repeated"] is True
        await office.wind(seconds=5)
        assert receiver.got[-1][0]["Opsbook-Possibly-Repeated"] == "true"
        assert (await office.row())["state"] == "sent"


async def test_a_refused_connection_did_not_arrive(office: Office) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    office.use(hook(f"http://127.0.0.1:{port}/"))
    await office.queue()
    await office.settle()
    row = await office.row()
    assert row["repeated"] is False
    assert "refused" in row["error"]


async def test_after_a_day_it_is_given_up_loudly_and_once(office: Office) -> None:
    async with Receiver("503") as receiver:
        office.use(hook(receiver.url))
        for n in range(3):
            await office.queue(thread=f"run:{n}")
        await office.wind(hours=23, minutes=59)
        assert {row["state"] for row in await office.rows()} == {"retry"}
        await office.wind(minutes=1)
        assert {row["state"] for row in await office.rows()} == {"failed"}
        tried = len(receiver.got)
        await office.wind(hours=5)
        assert len(receiver.got) == tried
    assert (await office.told()).count("webhook.failed") == 3
    (told,) = [one for one in await office.inbox() if one["state"] == "sent"]
    assert (told["person"], told["title"]) == ("operator", "Webhook given up: ci")
    assert "503" in told["body"]


async def test_what_waits_for_a_hook_that_was_removed_ends(office: Office) -> None:
    async with Receiver("503") as receiver:
        office.use(hook(receiver.url))
        await office.queue()
        await office.settle()
        office.use()
        await office.settle()
    row = await office.row()
    assert (row["state"], row["error"]) == ("failed", "given up: the hook is gone")
    assert "webhook.failed" in await office.told()


async def test_a_book_that_does_not_run_keeps_what_waits_for_a_day(office: Office) -> None:
    await office.queue()
    await office.settle()
    assert (await office.row())["state"] == "queued"
    await office.wind(hours=25)
    office.loops.wake("webhooks")
    await office.settle()
    assert (await office.row())["state"] == "failed"


async def test_a_dead_receiver_delays_nobody_else(sqlite_database: Database, now: datetime) -> None:
    async with (
        Receiver("hang") as dead,
        Receiver() as alive,
        running(assemble(sqlite_database, now, timeout=30)) as office,
    ):
        office.use(hook(dead.url, id="dead"), hook(alive.url, id="alive"))
        for n in range(40):
            await office.queue(f"dead/{n}", thread=f"run:{n}", hook="dead")
        await office.queue("alive", thread="run:1", hook="alive")
        async with asyncio.timeout(5):
            while not alive.got:
                await asyncio.sleep(0.01)
        assert dead.most_at_once <= 4


async def test_deliveries_of_one_run_go_one_after_the_other(office: Office) -> None:
    async with Receiver("slow") as receiver:
        office.use(hook(receiver.url))
        for _ in range(6):
            await office.queue(thread="run:7")
        await office.settle()
        assert [one["sequence"] for one in receiver.bodies] == [1, 2, 3, 4, 5, 6]
        assert receiver.most_at_once == 1


async def test_deliveries_of_several_runs_go_side_by_side(office: Office) -> None:
    async with Receiver("slow") as receiver:
        office.use(hook(receiver.url))
        for n in range(12):
            await office.queue(thread=f"run:{n}")
        await office.settle()
        assert len(receiver.got) == 12
        assert 1 < receiver.most_at_once <= 4


async def test_what_a_crash_left_in_sending_is_sent_again_and_says_so(
    sqlite_database: Database, now: datetime
) -> None:
    async with Receiver() as receiver:
        first = assemble(sqlite_database, now)
        first.library.remember(book(hook(receiver.url)))
        await first.queue()
        lane = store.Lane("shop", "ci")
        until = now + timedelta(minutes=5)
        await first.database.write(lambda tx: store.claim(tx, now, lane, until))
        assert (await first.row())["state"] == "sending"
        second = assemble(sqlite_database, now)
        second.library.remember(book(hook(receiver.url)))
        async with running(second):
            await second.settle()
        ((head, _),) = receiver.got
        assert head["Opsbook-Possibly-Repeated"] == "true"
        assert (await second.row())["state"] == "sent"


async def test_postgresql_keeps_and_claims_deliveries_the_same(
    postgres_url: str, now: datetime
) -> None:
    all_tables()
    database = Database(postgres_url)
    metadata.create_all(database.engine)
    database.start()
    try:
        async with Receiver("500", "slow") as receiver, running(assemble(database, now)) as office:
            office.use(hook(receiver.url))
            for n in range(4):
                await office.queue(thread=f"run:{n % 2}")
            assert await office.queue("twice") is not None
            assert await office.queue("twice") is None
            await office.settle()
            await office.wind(seconds=5)
            assert {row["state"] for row in await office.rows()} == {"sent"}
            assert len(receiver.got) == 6
            last = await database.read(lambda tx: store.latest(tx, "shop"))
            assert last["ci"]["key"] == "twice"
    finally:
        await database.stop()


async def test_a_redirect_is_not_followed(office: Office) -> None:
    async with Receiver("302") as receiver:
        office.use(hook(receiver.url))
        await office.queue()
        await office.settle()
        assert len(receiver.got) == 1
        assert (await office.row())["error"] == "It answered 302 Found."


async def test_an_answer_without_an_end_is_taken_for_its_status(office: Office) -> None:
    async with Receiver("flood") as receiver:
        office.use(hook(receiver.url))
        await office.queue()
        async with asyncio.timeout(5):
            await office.settle()
        assert (await office.row())["state"] == "sent"


async def test_deliveries_are_forgotten_a_month_after_they_ended(office: Office) -> None:
    async with Receiver() as receiver:
        office.use(hook(receiver.url))
        await office.queue()
        await office.settle()
    soon, late = office.clock.now() + timedelta(days=29), office.clock.now() + timedelta(days=31)
    assert await office.database.write(lambda tx: webhooks.prune(tx, soon)) == 0
    assert await office.database.write(lambda tx: webhooks.prune(tx, late)) == 1


# ---- secrets ------------------------------------------------------------------------------------


async def test_an_address_kept_as_a_secret_appears_in_no_row(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Receiver("500", "200") as receiver:
        monkeypatch.setenv("HOOK_URL", receiver.url)
        monkeypatch.setenv("HOOK_KEY", "Bearer the-very-secret-key")
        text = hook("x", ", secret: env:HOOK_SECRET, headers: {Authorization: env:HOOK_KEY}")
        office.use(text.replace("url: 'x'", "url: {secret: env:HOOK_URL}"))
        await office.queue()
        await office.settle()
        await office.wind(seconds=5)
        assert [head["Authorization"] for head, _ in receiver.got] == [
            "Bearer the-very-secret-key"
        ] * 2
    entries = await office.database.read(latest)
    shown = repr((await office.rows(), entries, await office.inbox()))
    for hidden in ("T0KEN", "very-secret", SECRET, "127.0.0.1"):
        assert hidden not in shown


@pytest.mark.parametrize("what", ["HOOK_SECRET", "HOOK_KEY", "HOOK_URL"])
async def test_nothing_is_sent_while_a_secret_is_missing(
    what: str, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Receiver() as receiver:
        monkeypatch.setenv("HOOK_URL", receiver.url)
        monkeypatch.setenv("HOOK_KEY", "key")
        monkeypatch.delenv(what)
        text = hook("x", ", secret: env:HOOK_SECRET, headers: {X-Key: env:HOOK_KEY}")
        office.use(text.replace("url: 'x'", "url: {secret: env:HOOK_URL}"))
        await office.queue()
        await office.settle()
        assert receiver.got == []
        assert f"env:{what}" in (await office.row())["error"]
        monkeypatch.setenv(what, receiver.url if what == "HOOK_URL" else "there again")
        await office.wind(seconds=5)
        assert len(receiver.got) == 1


def test_secrets_are_hidden_in_every_value_of_a_body() -> None:
    about = {"run": {"reason": "it said hunter2-hunter2", "params": {"a": "aHVudGVyMi1odW50ZXIy"}}}
    now = datetime(2026, 3, 3, tzinfo=UTC)
    body = webhooks.envelope("id", "run.failed", now, 1, {"id": "b"}, about, ["hunter2-hunter2"])
    assert json.loads(body)["run"] == {"reason": "it said ••••", "params": {"a": "••••"}}
