import asyncio
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from opsbook.book import BookError
from tests.checks.making import FINE, Looking, answering, book, closed_port, serving, silent
from tests.support.prometheus import Prometheus, running_prometheus

RULES = """\
groups:
- name: shop
  rules:
  - {record: "queue:length", expr: "vector(3)", labels: {queue: orders}}
  - {record: "queue:length", expr: "vector(12)", labels: {queue: mail}}
  - {record: "queue:length", expr: "vector(7)", labels: {queue: images}}
  - {record: "errors:share", expr: "vector(0) / vector(0)", labels: {shop: seoul}}
- name: once
  interval: 3s
  rules: [{record: "once:made", expr: "vector(5)"}]
"""
CONFIGURATION = """\
global: {evaluation_interval: 200ms}
rule_files: [rules.yml]
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Prometheus]:
    with running_prometheus(CONFIGURATION, {"rules.yml": RULES}) as running:
        running.until("queue:length and on() errors:share and on() once:made")
        yield running


def json_answer(body: object, status: str = "200 OK") -> bytes:
    text = json.dumps(body)
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}"
    return f"{head}\r\n\r\n{text}".encode()


async def test_one_sample_is_the_value_and_its_labels_are_told(
    looking: Looking, shop: Prometheus
) -> None:
    seen = await looking.look(
        kind="promql", url=shop.url, query='queue:length{queue="mail"}',
        bands={"warning": ">= 10", "critical": ">= 20"},
    )  # fmt: skip
    assert (seen.state, seen.value, seen.unit) == ("warning", 12.0, "")
    assert seen.message == 'queue:length{queue="mail"}'
    scalar = await looking.look("2", kind="promql", url=shop.url, query="scalar(vector(2))")
    assert (scalar.state, scalar.value, scalar.message) == ("ok", 2.0, "")


@pytest.mark.parametrize(
    ("bands", "worst"),
    [
        ({"warning": "> 5", "critical": "> 10"}, 12.0),
        ({"warning": "< 5", "critical": "< 4"}, 3.0),
        ({"critical": "6..8"}, 7.0),
        ({"normal": ">= 5"}, 3.0),
        ({}, 12.0),
    ],
)
async def test_of_several_samples_the_worst_by_the_bands_is_the_value(
    looking: Looking, shop: Prometheus, bands: dict[str, str], worst: float
) -> None:
    seen = await looking.look(kind="promql", url=shop.url, query="queue:length", bands=bands)
    assert seen.value == worst
    names = {12.0: "mail", 3.0: "orders", 7.0: "images"}
    assert seen.message == f'queue:length{{queue="{names[worst]}"}}, the worst of 3'


@pytest.mark.parametrize(
    ("several", "state", "value", "told"),
    [
        ("count", "ok", 3.0, 'queue:length{queue="mail"}'),
        ("each", "ok", 12.0, 'queue:length{queue="mail"}: 12; queue:length{queue="images"}: 7'),
        ("one", "nodata", None, "the query gives 3 samples"),
    ],
)
async def test_the_book_says_what_several_samples_mean(
    looking: Looking,
    shop: Prometheus,
    several: str,
    state: str,
    value: float | None,
    told: str,
) -> None:
    asked = {"kind": "promql", "url": shop.url, "query": "queue:length", "several": several}
    seen = await looking.look(**asked)
    assert (seen.state, seen.value) == (state, value)
    assert told in seen.message


@pytest.mark.parametrize(
    ("empty", "state", "value"), [(None, "nodata", None), ("ok", "ok", None), (0, "critical", 0.0)]
)
async def test_no_sample_is_missing_data_unless_the_book_says_what_it_means(
    looking: Looking, shop: Prometheus, empty: Any, state: str, value: float | None
) -> None:
    more = {} if empty is None else {"empty": empty}
    seen = await looking.look(
        kind="promql", url=shop.url, query="no_such_series", bands={"critical": "< 1"}, **more
    )
    assert (seen.state, seen.value) == (state, value)
    assert "the query gives no sample" in seen.message


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("errors:share", 'the value is nan: errors:share{shop="seoul"}'),
        ("vector(1) / vector(0)", "the value is inf"),
        ("queue:length[5m]", "the query gives a matrix; write one that gives numbers"),
        ("sum()", "does not answer the query: invalid parameter"),
        ("'text'", "the query gives a string"),
    ],
)
async def test_what_is_no_number_is_missing_data_and_a_bad_query_is_told_in_its_words(
    looking: Looking, shop: Prometheus, query: str, told: str
) -> None:
    seen = await looking.look(kind="promql", url=shop.url, query=query)
    assert (seen.state, seen.value) == ("nodata", None)
    assert told in seen.message


async def test_samples_that_are_no_numbers_do_not_hide_those_that_are(
    looking: Looking, shop: Prometheus
) -> None:
    query = "queue:length or errors:share"
    seen = await looking.look(kind="promql", url=shop.url, query=query)
    assert seen.value == 12.0
    assert seen.message.endswith("the worst of 3; 1 of 4 samples are no number")


async def test_a_sample_that_is_too_old_does_not_count(looking: Looking, shop: Prometheus) -> None:
    asked = {"kind": "promql", "url": shop.url, "query": "once:made"}
    fresh = await looking.look(**asked, stale="5m")
    assert (fresh.state, fresh.value, fresh.message) == ("ok", 5.0, "once:made")
    old = await looking.look("old", **asked, stale="1ms")
    assert (old.state, old.value) == ("nodata", None)
    assert old.message == "the newest sample is older than 1 ms: nothing scrapes it any longer"
    asked["query"] = '{__name__=~"once:made|queue:length"}'
    with pytest.raises(BookError, match="stale is only known of plain series"):
        await looking.look("sum", **asked, stale="1m")


async def test_a_targets_credential_for_reading_lets_in_and_is_never_told(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS", "Bearer sesame-open-up-17")
    asked: list[bytes] = []

    async def door(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        said = {"status": "error", "error": "no tenant for sesame-open-up-17"}
        writer.write(json_answer(said, "422 Unprocessable"))
        writer.close()

    async with serving(door) as port:
        looking.targets = {
            "metrics": {
                "title": "Metrics", "kind": "prometheus", "url": f"http://127.0.0.1:{port}/base/",
                "read": {"headers": {"Authorization": "env:METRICS"}},
                "change": {"headers": {"Authorization": "env:NOT_THIS"}},
            }
        }  # fmt: skip
        seen = await looking.look(kind="promql", on="metrics", query="up", timeout="10s")
    assert b"GET /base/api/v1/query?query=up&timeout=9.000 HTTP/1.1" in asked[0]
    assert b"Authorization: Bearer sesame-open-up-17" in asked[0]
    assert (seen.state, seen.message) == (
        "nodata", f"127.0.0.1:{port} does not answer the query: no tenant for ••••",
    )  # fmt: skip


async def test_a_secret_that_is_missing_is_missing_data_and_asks_nobody(looking: Looking) -> None:
    with closed_port() as port:
        seen = await looking.look(
            kind="promql", url=f"http://127.0.0.1:{port}", query="up",
            headers={"Authorization": "file:/no/such/token"},
        )  # fmt: skip
    assert seen.state == "nodata"
    assert "/no/such/token: No such file" in seen.message


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (FINE, "does not answer as Prometheus does (status 200)"),
        (json_answer({"status": "success"}), "does not answer the query: no reason given"),
        (json_answer([1]), "does not answer as Prometheus does"),
        (
            json_answer({"status": "success", "data": {"resultType": "vector", "result": [{}]}}),
            "does not answer as Prometheus does",
        ),
        (json_answer({}, "401 Unauthorized"), "does not let us in (status 401)"),
        (b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n", "(status 302)"),
        (b"\x00\x01garbage\r\n\r\n", "does not speak HTTP"),
        (b"", "closed the connection without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 8_500_000, "8 MiB"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nhalf", "broke off in the middle"),
    ],
    ids=range(10),
)
async def test_whatever_is_no_answer_of_prometheus_is_missing_data(
    looking: Looking, answer: bytes, told: str
) -> None:
    async with serving(answering(answer)) as port:
        seen = await looking.look(kind="promql", url=f"http://127.0.0.1:{port}", query="up")
    assert (seen.state, seen.value) == ("nodata", None)
    assert told in seen.message


async def test_a_prometheus_that_refuses_or_hangs_is_missing_data(looking: Looking) -> None:
    with closed_port() as port:
        seen = await looking.look(kind="promql", url=f"http://127.0.0.1:{port}", query="up")
    assert (seen.state, seen.message) == ("nodata", f"127.0.0.1:{port} refuses connections")
    async with serving(silent) as port:
        hung = await looking.look(
            "2", kind="promql", url=f"http://127.0.0.1:{port}", query="up", timeout="50ms"
        )
    assert (hung.state, hung.message) == ("nodata", "no answer within 50ms")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "it must say in one way what it asks"),
        ({"on": "metrics", "url": "http://127.0.0.1"}, "it must say in one way what it asks"),
        ({"on": "metrics", "headers": {"A": "env:B"}}, "headers means nothing beside on"),
        ({"on": "metrix"}, "there is no target 'metrix'. did you mean 'metrics'"),
        ({"on": "stock"}, "a check of kind promql cannot ask stock, which is of kind sqlite"),
        ({"url": "http://127.0.0.1", "headers": {"A": "sesame"}}, "headers"),
        ({"url": "http://127.0.0.1", "empty": "1"}, "empty"),
    ],
)
def test_a_book_says_whom_it_asks_and_the_target_must_fit(
    fields: dict[str, Any], told: str
) -> None:
    targets = {
        "metrics": {"title": "Metrics", "kind": "prometheus", "url": "http://127.0.0.1:9090"},
        "stock": {"title": "Stock", "kind": "sqlite", "path": "/srv/stock.db"},
    }
    with pytest.raises(BookError) as caught:
        book({"it": {"kind": "promql", "query": "up", **fields}}, targets=targets)
    said = [str(problem) for problem in caught.value.problems]
    assert len(said) == 1, said
    assert told in said[0]
    with contextlib.suppress(AssertionError):
        assert said[0].startswith("book.yaml:")
