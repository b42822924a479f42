"""The doors for alerts: who is let in, what a body may be, and what whoever sends is answered."""

import asyncio
import base64
import contextlib
import gzip
import json
import socket
import zlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2 as httpx
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsbook.alerts.intake.accepting import Accepting
from opsbook.alerts.intake.doors import Allowance
from opsbook.base.database import Database
from opsbook.web import bodies
from tests.alerts.intake.gate import (
    BOOK,
    NOW,
    SECRETS,
    TOKEN,
    Gate,
    firing,
    notification,
    opened,
)

GOOD = json.dumps(notification(firing())).encode()
BEARER = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
HERE = {"Content-Type": "application/json", "Host": "127.0.0.1:8420"}


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def gate(sqlite_database: Database) -> AsyncIterator[Gate]:
    one = await opened(sqlite_database)
    yield one
    await one.doors.close()


@contextlib.asynccontextmanager
async def served(gate: Gate) -> AsyncIterator[str]:
    """The doors behind a real server; its address."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.setblocking(False)
    config = uvicorn.Config(gate.site, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


# ---- who is let in ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "authorization"),
    [
        ("/in/shop/webhook", f"Bearer {TOKEN}"), ("/in/shop/webhook", f"bearer  {TOKEN} "),
        ("/in/shop/webhook", "Basic " + base64.b64encode(f"x:{TOKEN}".encode()).decode()),
        ("/in/shop/webhook", "Basic " + base64.b64encode(f":{TOKEN}".encode()).decode()),
        (f"/in/shop/webhook/{TOKEN}", ""), (f"/in/shop/webhook/{TOKEN}", "Bearer wrong"),
    ],
)  # fmt: skip
async def test_a_token_opens_in_a_header_or_in_the_path(
    gate: Gate, path: str, authorization: str
) -> None:
    headers = {"Content-Type": "application/json"}
    headers |= {"Authorization": authorization} if authorization else {}
    assert (await gate.ask("POST", path, GOOD, headers)).status == 200
    assert len(await gate.stored()) == 1


@pytest.mark.parametrize(
    ("path", "authorization"),
    [
        ("/in/shop/webhook", ""), ("/in/shop/webhook", "Bearer "), ("/in/shop/webhook", "Bearer x"),
        ("/in/shop/webhook", f"Token {TOKEN}"), ("/in/shop/webhook", "Basic !!!"),
        ("/in/shop/webhook", f"Bearer {TOKEN}x"), ("/in/shop/webhook", "Bearer \xff\xfe"),
        ("/in/shop/webhook", "Basic " + base64.b64encode(TOKEN.encode()).decode()),
        ("/in/shop/webhook/wrong", ""), (f"/in/shop/webhook/{TOKEN}/more", ""),
        ("/in/shop/webhook/\ufffd", ""), ("/in/shop/nothing", f"Bearer {TOKEN}"),
        (f"/in/shop/nothing/{TOKEN}", ""), ("/in/other/webhook", f"Bearer {TOKEN}"),
        ("/in/", ""), ("/in//", ""), ("/in/shop", ""), ("/in/shop/open", ""),
        ("/in/shop/sentry", f"Bearer {TOKEN}"),
    ],
)  # fmt: skip
async def test_a_wrong_token_and_a_door_that_is_not_there_look_the_same(
    gate: Gate, path: str, authorization: str
) -> None:
    headers = {"Content-Type": "application/json"}
    headers |= {"Authorization": authorization} if authorization else {}
    answer = await gate.ask("POST", path, GOOD, headers)
    nowhere = await gate.ask("POST", "/in/no/where", GOOD, {"Content-Type": "application/json"})
    assert answer == nowhere
    assert (answer.status, answer.json["type"]) == (401, "urn:opsbook:problem:not-signed-in")
    assert answer.headers["content-type"] == "application/problem+json"
    assert await gate.rows() == []


async def test_whoever_looks_after_a_door_sees_that_a_token_was_wrong(gate: Gate) -> None:
    await gate.post("webhook", notification(firing()), token="wrong")
    status = await gate.status("webhook")
    assert (status.accepted, status.refused) == (0, 1)
    assert status.error == "a token that is missing or wrong"
    assert status.refused_at == gate.clock.now()


@pytest.mark.parametrize("client", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
async def test_without_a_token_a_door_is_open_to_this_machine(gate: Gate, client: str) -> None:
    answer = await gate.ask("POST", "/in/shop/open", GOOD, HERE, client=client)
    assert answer.status == 200


@pytest.mark.parametrize(
    ("client", "headers"),
    [
        ("10.0.0.7", {}), ("192.0.2.1", {"Host": "localhost"}), ("", {}), ("nonsense", {}),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}),
        ("127.0.0.1", {"Forwarded": "for=203.0.113.9"}), ("127.0.0.1", {"Via": "1.1 proxy"}),
        ("127.0.0.1", {"Origin": "http://127.0.0.1:8420"}), ("127.0.0.1", {"Origin": "null"}),
        ("127.0.0.1", {"Sec-Fetch-Site": "cross-site"}),
        ("127.0.0.1", {"Host": "rebound.evil.example"}), ("127.0.0.1", {"Host": "["}),
    ],
)  # fmt: skip
async def test_what_comes_through_others_does_not_come_from_this_machine(
    gate: Gate, client: str, headers: dict[str, str]
) -> None:
    answer = await gate.ask("POST", "/in/shop/open", GOOD, HERE | headers, client=client)
    assert answer.status == 401
    assert "came from another machine" in (await gate.status("open")).error


async def test_a_secret_that_is_not_there_lets_nobody_in_and_the_sender_tries_again(
    gate: Gate,
) -> None:
    for token in ("", "anything"):
        answer = await gate.post("lost", notification(firing()), token=token)
        assert (answer.status, answer.headers["retry-after"]) == (503, "60")
        assert "NOT_SET" not in answer.body.decode()
    assert "the secret env:NOT_SET_ANYWHERE is not there" in (await gate.status("lost")).error


async def test_an_empty_secret_is_no_secret(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOT_SET_ANYWHERE", " ")
    answer = await gate.post("lost", notification(firing()), token="")
    assert answer.status == 503


async def test_a_secret_that_was_changed_holds_a_moment_later(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsbook.alerts.intake.doors.KEPT_S", 0.0)
    assert (await gate.post("webhook", notification(firing()))).status == 200
    monkeypatch.setenv("DOOR_TOKEN", "another-one")
    assert (await gate.post("webhook", notification(firing()))).status == 401
    assert (await gate.post("webhook", notification(firing()), token="another-one")).status == 200


async def test_the_doors_of_a_draft_are_shut(gate: Gate) -> None:
    await gate.publish(BOOK.replace("title: Shop\n", "title: Shop\nstatus: draft\n", 1))
    assert (await gate.post("webhook", notification(firing()))).status == 401


async def test_what_is_no_door_goes_on_to_the_rest_of_the_web(gate: Gate) -> None:
    for path in ("/", "/inbox", "/in", "/api/v1/me"):
        assert (await gate.ask("POST", path)).body == b"the rest"


# ---- what a request may be ----------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "HEAD"])
async def test_alerts_are_handed_in_with_post(gate: Gate, method: str) -> None:
    answer = await gate.ask(method, "/in/shop/webhook", GOOD, BEARER)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "form", ["", "application/json", "Application/JSON; charset=utf-8", "text/plain; charset=UTF-8",
             "application/vnd.alerts+json"],
)  # fmt: skip
async def test_json_is_read_under_the_names_that_senders_give_it(gate: Gate, form: str) -> None:
    answer = await gate.ask("POST", "/in/shop/webhook", GOOD, BEARER | {"Content-Type": form})
    assert answer.status == 200


@pytest.mark.parametrize(
    "form", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/html",
             "application/json; charset=euc-kr", "application/xml"],
)  # fmt: skip
async def test_anything_else_is_refused_by_name(gate: Gate, form: str) -> None:
    answer = await gate.ask("POST", "/in/shop/webhook", GOOD, BEARER | {"Content-Type": form})
    assert (answer.status, answer.json["title"]) == (415, "Unsupported Media Type")


@pytest.mark.parametrize(
    "packed", [gzip.compress(GOOD), gzip.compress(GOOD[:9]) + gzip.compress(GOOD[9:])]
)
async def test_a_body_may_be_packed(gate: Gate, packed: bytes) -> None:
    headers = BEARER | {"Content-Encoding": "gzip"}
    assert (await gate.ask("POST", "/in/shop/webhook", packed, headers, parts=3)).status == 200
    assert len(await gate.stored()) == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (GOOD, "said to be packed"), (gzip.compress(GOOD)[:-9], "cut off"),
        (gzip.compress(GOOD) + b"more", "said to be packed"), (b"", "The body is no JSON"),
        (zlib.compress(GOOD), "said to be packed"),
    ],
)  # fmt: skip
async def test_what_is_badly_packed_is_refused(gate: Gate, body: bytes, told: str) -> None:
    answer = await gate.ask("POST", "/in/shop/webhook", body, BEARER | {"Content-Encoding": "gzip"})
    assert answer.status == 400
    assert told in answer.json["detail"]


async def test_a_packed_body_that_would_grow_beyond_bounds_does_not(gate: Gate) -> None:
    bomb = gzip.compress(b" " * (64 * 1024 * 1024), 9)
    headers = BEARER | {"Content-Encoding": "gzip"}
    assert len(bomb) < 100_000
    assert (await gate.ask("POST", "/in/shop/webhook", bomb, headers)).status == 413
    many = gzip.compress(b" " * 1024 * 1024, 9) * 5
    assert (await gate.ask("POST", "/in/shop/webhook", many, headers)).status == 413


async def test_other_ways_of_packing_are_not_known(gate: Gate) -> None:
    answer = await gate.ask("POST", "/in/shop/webhook", GOOD, BEARER | {"Content-Encoding": "br"})
    assert (answer.status, answer.headers["accept-encoding"]) == (415, "gzip")


async def test_4_mib_are_taken_and_a_byte_more_is_not(gate: Gate) -> None:
    body = GOOD + b" " * (bodies.LARGEST - len(GOOD))
    assert (await gate.ask("POST", "/in/shop/webhook", body, BEARER, parts=9)).status == 200
    over = await gate.ask("POST", "/in/shop/webhook", body + b" ", BEARER, parts=9)
    assert (over.status, over.json["detail"]) == (413, "The body is larger than 4 MiB.")
    said = await gate.ask("POST", "/in/shop/webhook", b"", BEARER | {"Content-Length": "4194305"})
    assert said.status == 413
    assert gate.site.proven.taken == 0


async def test_what_comes_in_at_one_time_is_bounded(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate.site.proven, "most", 10_000)
    answer = await gate.ask("POST", "/in/shop/webhook", GOOD + b" " * 20_000, BEARER)
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert (await gate.ask("POST", "/in/shop/webhook", GOOD, BEARER)).status == 200


async def test_a_body_that_does_not_arrive_is_not_waited_for(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "LONGEST_BODY_S", 0.1)
    async with served(gate) as address:
        port = int(address.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = "".join(f"{name}: {value}\r\n" for name, value in BEARER.items())
        line = f"POST /in/shop/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n{head}\r\n{{"
        writer.write(line.encode())
        assert b" 408 " in await asyncio.wait_for(reader.readline(), 5)
        writer.close()


async def test_who_hangs_up_halfway_leaves_nothing_behind(gate: Gate) -> None:
    async with served(gate) as address:
        port = int(address.rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        head = "".join(f"{name}: {value}\r\n" for name, value in BEARER.items())
        line = f"POST /in/shop/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n{head}\r\n{{"
        writer.write(line.encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        async with httpx.AsyncClient(base_url=address, headers=BEARER) as client:
            assert (await client.post("/in/shop/webhook", content=GOOD)).status_code == 200
        for _ in range(100):
            if gate.site.proven.taken == 0:
                break
            await asyncio.sleep(0.01)
        assert gate.site.proven.taken == 0
    assert len(await gate.stored()) == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b"7", b'"x"', b"{}", b'{"alerts": {}}', b"\xff\xfe", b"NaN",
     b'{"alerts": [], "version": 4}', b"[" * 100_000, b'{"alerts": [' + b'{"labels":' * 50_000,
     b"\xef\xbb\xbf" + GOOD, GOOD + b"x", b'{"alerts": [{"labels": {"a": "\\ud800"}}]}'],
)  # fmt: skip
async def test_what_can_never_be_taken_is_refused_with_what_is_wrong(
    gate: Gate, body: bytes
) -> None:
    answer = await gate.ask("POST", "/in/shop/webhook", body, BEARER)
    assert (answer.status, answer.json["type"]) == (400, "urn:opsbook:problem:bad-request")
    assert answer.json["detail"].startswith(("The body", "None of"))
    assert (await gate.status("webhook")).refused == 1


async def test_each_bad_alert_is_named_and_the_good_ones_are_taken(gate: Gate) -> None:
    bad = [{"labels": {"a": 1}}, {"labels": {}}, 7, {}, firing(startsAt="noon")]
    answer = await gate.post("webhook", notification(firing("one"), *bad, firing("two")))
    assert answer.status == 400
    assert answer.json["detail"] == "5 of 7 alerts cannot be taken; the others were."
    named = {one["name"]: one["message"] for one in answer.json["problems"]}
    assert set(named) == {f"alerts[{n}]" for n in range(1, 6)}
    assert named["alerts[1]"] == "labels.a is 1, and not text (put it in quotes)"
    assert named["alerts[2]"] == "it has no labels; give it at least one, such as alertname"
    assert named["alerts[3]"] == "it is 7, and not an object (write it as {…})"
    assert named["alerts[4]"] == "labels is missing (send it)"
    wanted = "startsAt is 'noon', and not a time (write it as 2026-01-31T18:00:00Z)"
    assert named["alerts[5]"] == wanted
    assert "Correct those that problems names" in answer.json["remedy"]
    assert [one.labels["alertname"] for one in await gate.stored()] == ["one", "two"]


async def test_all_that_is_wrong_with_one_alert_is_told_at_once(gate: Gate) -> None:
    bad = firing(labels={"a": 1, "b": None, "c": "d"}, startsAt="noon", endsAt=7, annotations=[])
    answer = await gate.post("webhook", notification(bad))
    (one,) = answer.json["problems"]
    assert one["message"] == (
        "labels.a is 1, and not text (put it in quotes); "
        "labels.b is null, and not text (put it in quotes); "
        "annotations is a list, and not an object (write it as {…}); "
        "startsAt is 'noon', and not a time (write it as 2026-01-31T18:00:00Z); "
        "endsAt is 7, and not a time (write it as 2026-01-31T18:00:00Z)"
    )
    assert (await gate.status("webhook")).error == f"alerts[0]: {one['message']}"


async def test_all_that_is_wrong_with_a_body_is_told_at_once(gate: Gate) -> None:
    answer = await gate.post("webhook", {"alerts": {}, "version": 4, "truncatedAlerts": "x"})
    assert [one["message"] for one in answer.json["problems"]] == [
        "alerts is an object, and not a list (write it as […])",
        "version is 4, and not text (put it in quotes)",
        "truncatedAlerts is 'x', and not a whole number (write one such as 3)",
    ]
    assert answer.json["remedy"] == "Correct what is sent: the same again is refused again."


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"Content-Type": "text/html"}, "The Content-Type is 'text/html'"),
        ({"Content-Type": "application/json; charset=euc-kr"}, "said to be in 'euc-kr'"),
        ({"Content-Encoding": "br"}, "packed with 'br'"),
        ({"Content-Length": "99999999"}, "larger than 4 MiB"),
    ],
)
async def test_the_token_is_looked_at_before_what_was_sent(
    gate: Gate, headers: dict[str, str], told: str
) -> None:
    """Whoever has no token learns nothing of a door; whoever looks after it, why it refused."""
    stranger = await gate.ask("POST", "/in/shop/webhook", GOOD, headers)
    assert stranger.status == 401
    assert stranger == await gate.ask("POST", "/in/no/where", GOOD, headers)
    known = await gate.ask("POST", "/in/shop/webhook", GOOD, BEARER | headers)
    assert known.status in {413, 415}
    assert told in known.json["detail"]
    assert known.json["remedy"]
    assert told in (await gate.status("webhook")).error


# ---- how much -----------------------------------------------------------------------------------


async def test_what_is_beyond_a_minutes_worth_is_asked_for_later(gate: Gate) -> None:
    batch = notification(*(firing(f"a{n}") for n in range(40)))
    assert (await gate.post("few", batch)).status == 200
    answer = await gate.post("few", batch)
    assert (answer.status, answer.headers["retry-after"]) == (429, "20")
    assert answer.json["detail"] == "This intake takes 60 alerts a minute."
    assert len(await gate.stored()) == 40
    gate.clock.advance(timedelta(seconds=20))
    assert (await gate.post("few", batch)).status == 200
    status = await gate.status("few")
    assert (status.accepted, status.refused) == (80, 40)


async def test_a_batch_of_more_than_a_minutes_worth_is_taken_when_nothing_else_was(
    gate: Gate,
) -> None:
    batch = notification(*(firing(f"a{n}") for n in range(90)))
    assert (await gate.post("few", batch)).status == 200
    answer = await gate.post("few", notification(firing()))
    assert (answer.status, answer.headers["retry-after"]) == (429, "31")
    gate.clock.advance(timedelta(seconds=31))
    assert (await gate.post("few", notification(firing()))).status == 200


def test_a_clock_that_is_set_back_keeps_no_door_shut() -> None:
    allowance = Allowance(60, NOW)
    allowance.left = 0.0
    assert allowance.wait(1, NOW - timedelta(hours=5)) == 1.0
    assert allowance.wait(1, NOW - timedelta(hours=5) + timedelta(seconds=1)) == 0.0


async def test_one_doors_limit_is_not_anothers(gate: Gate) -> None:
    batch = notification(*(firing(f"a{n}") for n in range(61)))
    assert (await gate.post("few", batch)).status == 200
    assert (await gate.post("webhook", batch)).status == 200


async def test_a_sender_over_its_limit_is_refused_before_its_body_is_read(gate: Gate) -> None:
    await gate.post("few", notification(*(firing(f"a{n}") for n in range(60))))
    assert (await gate.post("few", b"[" * 1000)).status == 429


# ---- the server itself --------------------------------------------------------------------------


async def test_a_real_server_answers_a_real_client(gate: Gate) -> None:
    async with served(gate) as address, httpx.AsyncClient(base_url=address) as client:
        here = await client.post("/in/shop/open", json=notification(firing()))
        assert (here.status_code, here.json()) == (200, {"accepted": 1})
        url = f"/in/shop/webhook/{TOKEN}"

        async def streamed() -> AsyncIterator[bytes]:
            for at in range(0, len(GOOD), 100):
                yield GOOD[at : at + 100]

        chunked = await client.post(url, content=streamed(), headers={"Content-Type": "text/plain"})
        assert chunked.status_code == 200
        wrong = await client.post("/in/shop/webhook", content=GOOD)
        assert wrong.status_code == 401
        assert wrong.headers.get_list("www-authenticate") == ["Bearer", 'Basic realm="Opsbook"']
        assert wrong.headers["cache-control"] == "no-store"
    assert len(await gate.stored()) == 2


HEADERS = st.dictionaries(
    st.sampled_from(
        ["content-type", "content-encoding", "content-length", "authorization", "host",
         "sentry-hook-resource", "sentry-hook-signature", "x-routing-key", "x-forwarded-for"]
    ),
    st.text(st.characters(max_codepoint=255), max_size=30) | st.sampled_from(
        ["application/json", "gzip", "event_alert", "metric_alert", f"Bearer {TOKEN}", "9" * 40]
    ),
)  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20) | st.sampled_from(["resolved", "ALARM", "trigger", "critical", TOKEN])
)  # fmt: skip
NAMES = st.sampled_from(
    ["alerts", "labels", "annotations", "status", "startsAt", "endsAt", "version", "values", "data",
     "event", "metric_alert", "action", "state", "current_state", "title", "targets", "payload",
     "routing_key", "event_action", "dedup_key", "custom_details", "summary", "source", "severity",
     "what", "name", "where", "since", "Type", "TopicArn", "Message", "MessageId", "Timestamp",
     "SignatureVersion", "Signature", "SigningCertURL", "truncatedAlerts", "impactedEntities"]
) | st.text(max_size=10)  # fmt: skip
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=8),
    max_leaves=30,
)  # fmt: skip
BODIES = st.binary(max_size=200) | JSON.map(lambda about: json.dumps(about).encode())


async def test_no_bytes_at_any_door_are_a_failure_of_ours(gate: Gate) -> None:
    """Every kind, with and without what lets one in; never a 500, and the server goes on."""
    tried: list[tuple[str, bytes, dict[str, str]]] = []

    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from([*BOOK_DOORS, "nothing"]), BODIES, HEADERS, st.booleans())
    def collect(door: str, body: bytes, headers: dict[str, str], let_in: bool) -> None:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"} | (
            headers if not let_in else {}
        )
        tried.append((door, body, headers))

    collect()
    for door, body, headers in tried:
        answer = await gate.ask("POST", f"/in/shop/{door}", body, headers, client="127.0.0.1")
        assert answer.status in {200, 202, 400, 401, 413, 415, 429, 503}, (door, body, headers)
        assert answer.status != 503 or door == "lost"
        json.loads(answer.body)
    assert (await gate.post("webhook", notification(firing()))).status == 200


BOOK_DOORS = (
    "open", "webhook", "grafana", "sentry", "cloudwatch", "newrelic", "pagerduty", "json", "few",
    "lost", "prometheus",
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_are_unpacked_into_a_failure(body: bytes) -> None:
    with contextlib.suppress(bodies.Wrong):
        bodies.unpacked(body)


async def test_a_bug_is_answered_so_that_the_sender_tries_again(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("the token is 1234")

    monkeypatch.setattr(Accepting, "take_encoded", broken)
    answer = await gate.post("webhook", notification(firing()))
    assert (answer.status, answer.json["type"]) == (500, "urn:opsbook:problem:failed")
    assert b"1234" not in answer.body
