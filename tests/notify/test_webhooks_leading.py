"""Webhooks: where they may never lead, what runs tell by them, and what the reference says."""

import asyncio
import json
import re
import socket
from typing import Any, get_args

import pytest

from opsbook import runs
from opsbook.base import events
from opsbook.book import BookError, Vocabulary, load
from opsbook.book.sections.webhooks import HookEvent
from opsbook.notify.tables import delivery
from opsbook.notify.webhooks import model, reaching
from opsbook.runs.hooks import KINDS, Hooks
from tests.notify.receiving import BOOK, REFERENCE, ROOT, Office, book, hook
from tests.support.runs import Stage, runbook

pytestmark = pytest.mark.usefixtures("signing")


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

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        found = plan.pop(0) if len(plan) > 1 else plan[0]
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "",
             (one, port)) for one in found
        ]  # fmt: skip

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


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
    events = text.split("## Events")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z.]+)` \|", events, re.MULTILINE)) == {
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
