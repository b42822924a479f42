"""Webhooks: what is told, that it arrives, that it is signed, and where it may never lead."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import re
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from opsbook import runs
from opsbook.audit.entries import latest
from opsbook.base import events
from opsbook.base.clock import WoundClock
from opsbook.base.database import Database, metadata
from opsbook.base.hub import Hub
from opsbook.base.loops import Loops
from opsbook.book import Book, BookError, Vocabulary, load
from opsbook.book.library import Library
from opsbook.book.sections.webhooks import HookEvent
from opsbook.notify import webhooks
from opsbook.notify.tables import delivery, page
from opsbook.notify.webhooks import model, reaching, store
from opsbook.runs.hooks import KINDS, Hooks
from tests.support.databases import all_tables
from tests.support.runs import Stage, runbook

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference" / "webhooks.md"
SECRET = "a-long-enough-signing-secret"
VOCABULARY = Vocabulary(check_kinds={})
BOOK = """
id: shop
title: Shop
timezone: Asia/Seoul
languages: [ko, en]
owner: operator
people:
  operator: {{name: Operator, language: en}}
webhooks:
{hooks}
"""


class Receiver:
    """A program that is told: answers each request by the next word of `plan`, then by the last.

    ``200``, ``500`` and so on answer; ``hang`` takes the request and says nothing; ``reset`` takes
    it and breaks the connection; ``flood`` answers without an end; ``302`` sends elsewhere.
    """

    def __init__(self, *plan: str) -> None:
        self.plan = list(plan) or ["200"]
        self.got: list[tuple[dict[str, str], str]] = []
        self.at_once = self.most_at_once = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> "Receiver":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for one in list(self._open):
            one.transport.abort()
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in/T0KEN-OF-THE-PATH"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]

    @property
    def events(self) -> list[str]:
        return [one["event"] for one in self.bodies]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            head = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
            exact = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
            body = await reader.readexactly(int(head["content-length"]))
            self.got.append((exact, body.decode()))
            await self._answer(self.plan.pop(0) if len(self.plan) > 1 else self.plan[0], writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.at_once -= 1
            self._open.discard(writer)
            writer.close()

    async def _answer(self, how: str, writer: asyncio.StreamWriter) -> None:
        if how == "hang":
            await asyncio.Event().wait()
        elif how == "reset":
            writer.transport.abort()
        elif how == "slow":
            await asyncio.sleep(0.05)
            writer.write(b"HTTP/1.1 204 Nothing\r\nContent-Length: 0\r\n\r\n")
        elif how == "flood":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            while not writer.is_closing():
                writer.write(b"." * 65536)
                await writer.drain()
        else:
            where = f"Location: {self.url}/elsewhere\r\n" if how == "302" else ""
            writer.write(f"HTTP/1.1 {how} said\r\n{where}Content-Length: 0\r\n\r\n".encode())
            await writer.drain()


def hook(url: str, more: str = "", *, id: str = "ci", wants: str = "run.finished") -> str:
    """One hook of a book, in YAML."""
    given = f"{{url: {url!r}, title: {id}, events: [{wants}], loopback: true{more}}}"
    return f"  {id}: {given}\n"


def book(*hooks: str) -> Book:
    """A book with these hooks."""
    return load({"book.yaml": BOOK.format(hooks="".join(hooks) or "  {}")}, VOCABULARY)


@dataclass
class Office:
    """What sends deliveries, on a clock that is wound."""

    database: Database
    clock: WoundClock
    loops: Loops
    library: Library
    deliveries: webhooks.Deliveries
    made: int = 0
    hub: Hub = field(default_factory=Hub)

    def use(self, *hooks: str) -> None:
        """Let this be the running book."""
        self.library.remember(book(*hooks))
        self.loops.wake("webhooks")

    async def queue(
        self, key: str = "", *, thread: str = "run:1", hook: str = "ci", at: datetime | None = None
    ) -> int | None:
        """Queue a delivery as the consumer of events does."""
        self.made += 1
        key = key or f"shop/ci/run.finished/{self.made}"
        now = at or self.clock.now()
        body = webhooks.envelope(
            webhooks.identity(key, now), "run.finished", now, self.made, {"id": "shop"}, {}
        )
        return await self.database.write(
            lambda tx: webhooks.queue(
                tx, now, book="shop", hook=hook, event="run.finished", key=key, thread=thread,
                body=body,
            )
        )  # fmt: skip

    async def rows(self) -> list[dict[str, Any]]:
        query = delivery.select().order_by(delivery.c.id)
        return await self.database.read(lambda tx: tx.rows(query))

    async def row(self) -> dict[str, Any]:
        (found,) = await self.rows()
        return found

    async def told(self) -> list[str]:
        entries = await self.database.read(latest)
        return [one["action"] for one in reversed(entries)]

    async def inbox(self) -> list[dict[str, Any]]:
        query = page.select().where(page.c.channel == "inbox").order_by(page.c.id)
        return await self.database.read(lambda tx: tx.rows(query))

    async def wind(self, **by: float) -> None:
        await self.loops.wind(timedelta(**by))

    async def settle(self) -> None:
        await self.loops.settle()


def assemble(database: Database, now: datetime, **options: Any) -> Office:
    clock, hub = WoundClock(now), Hub()
    database.on_commit = hub.touch
    loops = Loops(clock)
    library = Library(database, VOCABULARY)
    made = webhooks.Deliveries(database, library, loops, clock, **{"grace": 0.1, **options})
    hub.on("webhooks", loops.add("webhooks", made.tick))
    return Office(database, clock, loops, library, made, hub=hub)


@contextlib.asynccontextmanager
async def running(office: Office) -> AsyncIterator[Office]:
    office.loops.start()
    yield office
    await office.loops.stop()
    await office.deliveries.stop()


@pytest.fixture
async def office(sqlite_database: Database, now: datetime) -> AsyncIterator[Office]:
    async with running(assemble(sqlite_database, now)) as made:
        yield made


@pytest.fixture(autouse=True)
def _signing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)


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


# ---- where it may lead --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"), ("127.8.8.8", "loopback"), ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"), ("64:ff9b::7f00:1", "loopback"),
        ("2002:7f00:1::", "loopback"), ("169.254.169.254", "refused"), ("fe80::1", "refused"),
        ("fe80::1%eth0", "refused"), ("::ffff:169.254.169.254", "refused"),
        ("64:ff9b::a9fe:a9fe", "refused"), ("0.0.0.0", "refused"), ("0.1.2.3", "refused"),
        ("::", "refused"), ("224.0.0.1", "refused"), ("255.255.255.255", "refused"),
        ("ff02::1", "refused"), ("fd00:ec2::254", "refused"), ("100.100.100.200", "refused"),
        ("no address", "refused"), ("10.1.2.3", "fine"), ("192.168.1.2", "fine"),
        ("172.20.0.1", "fine"), ("93.184.215.14", "fine"), ("2606:2800:21f::1", "fine"),
        ("fd12:3456::1", "fine"), ("100.64.1.1", "fine"),
    ],
)  # fmt: skip
def test_every_address_is_judged_by_what_it_leads_to(address: str, kind: str) -> None:
    assert reaching.judged(address) == kind


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/latest/meta-data", "https://[fe80::1]/", "https://0.0.0.0/",
        "https://[::ffff:a9fe:a9fe]/", "https://2852039166/", "https://0xa9fea9fe/",
        "https://0251.0376.0251.0376/", "https://169.254.43518/", "https://[::]/",
        "https://１６９.254.169.254/",
    ],
)  # fmt: skip
async def test_a_link_local_address_is_never_connected_to(
    url: str, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = _no_connections(monkeypatch)
    office.use(hook(url))
    await office.queue()
    await office.settle()
    row = await office.row()
    assert row["state"] == "retry"
    assert row["error"]
    assert connected == []


def _no_connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Note every connection that is tried, and let none be made."""
    tried: list[Any] = []

    async def connect(_loop: Any, _sock: Any, address: Any) -> None:
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.selector_events.BaseSelectorEventLoop, "sock_connect", connect)
    return tried


def _answers(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
    """Let the resolver answer every name with these addresses, then with the last for ever."""
    plan = list(answers)

    async def look_up(_loop: Any, host: str, port: int, **_: Any) -> list[Any]:
        found = plan.pop(0) if len(plan) > 1 else plan[0]
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "",
             (one, port)) for one in found
        ]  # fmt: skip

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", look_up)


async def test_a_name_that_leads_to_this_machine_is_refused_unless_the_book_says_so(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = _no_connections(monkeypatch)
    _answers(monkeypatch, ["127.0.0.1"])
    office.use(hook("https://inside.example.org/").replace("loopback: true", "loopback: false"))
    await office.queue()
    await office.settle()
    assert "loopback: true" in (await office.row())["error"]
    assert tried == []


async def test_a_name_that_changes_its_mind_leads_where_it_was_checked(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = _no_connections(monkeypatch)
    _answers(monkeypatch, ["10.0.0.9"], ["169.254.169.254"])
    office.use(hook("https://rebinding.example.org/").replace("loopback: true", "loopback: false"))
    await office.queue()
    await office.settle()
    assert [address[0] for address in tried] == ["10.0.0.9"]
    await office.wind(seconds=5)
    assert [address[0] for address in tried] == ["10.0.0.9"]
    assert "may not lead to" in (await office.row())["error"]


async def test_of_several_addresses_only_those_that_pass_are_tried(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = _no_connections(monkeypatch)
    _answers(monkeypatch, ["169.254.169.254", "10.0.0.9", "127.0.0.1"])
    office.use(hook("https://mixed.example.org/").replace("loopback: true", "loopback: false"))
    await office.queue()
    await office.settle()
    assert [address[0] for address in tried] == ["10.0.0.9"]


async def test_a_secret_address_of_plain_http_leads_to_this_machine_alone(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = _no_connections(monkeypatch)
    _answers(monkeypatch, ["10.0.0.9"])
    monkeypatch.setenv("HOOK_URL", "http://plain.example.org/")
    office.use(hook("x").replace("url: 'x'", "url: {secret: env:HOOK_URL}"))
    await office.queue()
    await office.settle()
    assert "https://" in (await office.row())["error"]
    monkeypatch.setenv("HOOK_URL", "ftp://plain.example.org/")
    await office.wind(seconds=5)
    assert "no address of the web" in (await office.row())["error"]
    assert tried == []


# ---- the book -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/", "ftp://hooks.example.org/", "https://", "https://u:p@h.example/",
        "https://h.example/a b", "//h.example/", "https://h.example:port/", "json://127.0.0.1/",
    ],
)  # fmt: skip
def test_an_address_that_is_none_for_a_webhook_is_refused_by_the_loader(url: str) -> None:
    with pytest.raises(BookError, match="is not where a webhook can lead"):
        book(hook(url))


def test_a_hook_on_this_machine_has_to_say_so() -> None:
    with pytest.raises(BookError, match="is the machine that Opsbook runs on"):
        book(hook("http://localhost:9/").replace("loopback: true", "loopback: false"))


def test_headers_that_are_opsbooks_own_are_refused() -> None:
    for name in ("Host", "content-length", "Opsbook-Signature"):
        with pytest.raises(BookError, match="itself"):
            book(hook("http://localhost:9/", f", headers: {{{name}: x}}"))
    with pytest.raises(BookError, match="is not a header's value"):
        book(hook("http://localhost:9/", ', headers: {X-A: "a\\r\\nb"}'))


# ---- what runs tell -----------------------------------------------------------------------------


HOOKED = """
id: shop
title: Shop
timezone: Asia/Seoul
languages: [en]
people:
  operator: {{name: Operator, roles: [responder]}}
  officer: {{name: Officer, roles: [security, responder]}}
roles:
  responder: ["runs:write"]
  security: ["runs:read"]
webhooks:
  all: {{title: All, url: "http://127.0.0.1:9/", loopback: true, events: [{all}]}}
  narrow: {{title: Narrow, url: "http://127.0.0.1:9/", loopback: true, events: [run.finished],
           runbooks: [other]}}
"""
BODY = """
- [ ] Look first {#look by=responder}
```bash {#break effect=read timeout=20s}
echo plain-secret-value; exit 3
```
"""


async def _hooked(stage: Stage, body: str, head: str = "") -> None:
    text = HOOKED.format(all=", ".join(get_args(HookEvent)))
    vocabulary = stage.library.vocabulary
    pages = {"runbooks/a.md": runbook(body, head), "runbooks/b.md": runbook(body, id="other")}
    await stage.publish(load({"book.yaml": text, **pages}, vocabulary))


async def _drained(stage: Stage, hooks: Hooks) -> list[dict[str, Any]]:
    await events.drain(stage.database, hooks.consumer, stage.clock.now())
    query = delivery.select().order_by(delivery.c.id)
    return [
        {**json.loads(row["body"]), "hook": row["hook"]}
        for row in await stage.database.read(lambda tx: tx.rows(query))
    ]


def test_every_event_that_runs_publish_is_heard() -> None:
    found = set()
    for path in (ROOT / "src" / "opsbook" / "runs").rglob("*.py"):
        text = path.read_text()
        found |= set(re.findall(r"announce\([^\n]*?\"([a-z]+\.[a-z]+)\"", text))
    assert {"run.created", "run.changed", "run.asks", "run.finished"} <= found <= KINDS


async def test_a_run_tells_its_story_in_the_order_of_its_events(stage: Stage) -> None:
    await _hooked(stage, BODY, "params:\n  who: {default: everybody}\n")
    hooks = Hooks(stage.library, "https://ops.example.org/", lambda: ("plain-secret-value",))
    started = await stage.run(who="plain-secret-value")
    waiting = await _drained(stage, hooks)
    assert [one["event"] for one in waiting] == ["run.started", "run.running", "run.waiting"]
    (asked,) = waiting[-1]["waits"]
    assert (asked["kind"], asked["step"], asked["role"]) == ("person", "look", "responder")
    who = await stage.person("operator")
    await stage.act(runs.confirm, started, "look", who, stage.library.current("shop"))
    told = await _drained(stage, hooks)
    assert await _drained(stage, hooks) == told
    assert {one["hook"] for one in told} == {"all"}
    names = [one["event"] for one in told]
    assert names[-2:] == ["run.finished", "run.failed"]
    assert names.count("step.failed") == 1
    assert [one["sequence"] for one in told] == sorted(one["sequence"] for one in told)
    assert len({one["id"] for one in told}) == len(told)
    last = told[-1]
    assert last["book"]["id"] == "shop"
    assert (last["run"]["id"], last["run"]["state"]) == (started, "failed")
    assert last["run"]["url"] == f"https://ops.example.org/runs/{started}"
    assert last["run"]["params"] == {"who": "••••"}
    failed = next(one["step"] for one in told if one["event"] == "step.failed")
    assert (failed["key"], failed["state"]) == ("break", "failed")


async def test_an_approval_is_told_when_it_is_asked_for_and_when_it_is_decided(
    stage: Stage,
) -> None:
    await _hooked(stage, "```approval {#allow by=security}\nGo on?\n```\n")
    hooks = Hooks(stage.library, "https://ops.example.org")
    run = await stage.run()
    asked = await _drained(stage, hooks)
    (told,) = [one for one in asked if one["event"] == "approval.requested"]
    assert told["approval"]["question"].strip() == "Go on?"
    assert (told["approval"]["role"], told["approval"]["step"]) == ("security", "allow")
    await stage.answer(run, "officer", "approve")
    decided = await _drained(stage, hooks)
    (told,) = [one for one in decided if one["event"] == "approval.decided"]
    assert told["approval"]["state"] == "approved"
    assert decided[-1]["event"] == "run.finished"
    assert decided[-1]["run"]["state"] == "succeeded"


async def test_an_event_older_than_a_day_is_passed_over(stage: Stage) -> None:
    await _hooked(stage, BODY)
    hooks = Hooks(stage.library, "https://ops.example.org")
    await stage.run()
    later = stage.clock.now() + model.GIVE_UP
    await events.drain(stage.database, hooks.consumer, later)
    assert await _drained(stage, hooks) == []


# ---- the reference ------------------------------------------------------------------------------


def test_the_reference_documents_every_event_with_its_body() -> None:
    text = REFERENCE.read_text()
    assert set(re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", text, re.MULTILINE)) == {
        *get_args(HookEvent), model.TEST,
    }  # fmt: skip
    shown = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    assert shown
    for one in shown:
        told = json.loads(one)
        assert {"id", "event", "at", "sequence", "book"} <= told.keys()


def test_the_pieces_of_books_in_the_reference_are_pieces_of_books() -> None:
    pieces = re.findall(r"```yaml\n(.*?)```", REFERENCE.read_text(), re.DOTALL)
    assert pieces
    for text in pieces:
        whole = BOOK.format(hooks="").replace("webhooks:\n", "") + text
        page = {"runbooks/deploy.md": runbook("```bash\ntrue\n```", id="deploy")}
        load({"book.yaml": whole, **page}, Vocabulary({}, frozenset({"bash"})))
