"""Logs that are kept elsewhere: the requests have the published shape, and no answer is a lie."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from opsbook.book import BookError
from opsbook.checks import references
from tests.checks.kinds.stores import Store, store
from tests.checks.making import Looking, book, closed_port, serving, silent

TOKEN = "Bearer of-a-secret-39a1"


@pytest.fixture
async def kept() -> AsyncIterator[Store]:
    async with store() as one:
        yield one


def loki(kept: Store, **more: Any) -> dict[str, Any]:
    query = '{app="shop"} |= "error"'
    return {"kind": "log", "source": "loki", "url": kept.url, "query": query, **more}


def elasticsearch(kept: Store, **more: Any) -> dict[str, Any]:
    about = {"index": "shop-*,other", "query": "level:error AND service:api"}
    return {"kind": "log", "source": "elasticsearch", "url": f"{kept.url}/es/", **about, **more}


def vector(*values: str) -> dict[str, Any]:
    result = [{"metric": {}, "value": [1772528400, value]} for value in values]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


async def test_loki_counts_what_a_query_selects_in_the_window(
    looking: Looking, kept: Store, now: datetime
) -> None:
    kept.answer = vector("17")
    seen = await looking.look(**loki(kept, window="10m", bands={"warning": ">= 10"}))
    assert (seen.state, seen.value, seen.unit) == ("warning", 17.0, "")
    assert seen.message == "17 lines in the last 10m"
    (asked,) = kept.asked
    assert (asked.method, asked.path) == ("GET", "/loki/api/v1/query")
    assert asked.query == {
        "query": 'sum(count_over_time({app="shop"} |= "error"[600s]))',
        "time": str(int(now.timestamp()) * 10**9),
    }


async def test_loki_answers_nothing_for_no_lines(looking: Looking, kept: Store) -> None:
    kept.answer = vector()
    seen = await looking.look(**loki(kept))
    assert (seen.state, seen.value) == ("ok", 0.0)


async def test_elasticsearch_counts_the_documents_of_the_window(
    looking: Looking, kept: Store, now: datetime
) -> None:
    kept.answer = {"count": 1204, "_shards": {"total": 5, "successful": 5, "failed": 0}}
    seen = await looking.look(**elasticsearch(kept, window="1h", time_field="event.created"))
    assert (seen.state, seen.value, seen.message) == ("ok", 1204.0, "1,204 lines in the last 1h")
    (asked,) = kept.asked
    assert (asked.method, asked.path) == ("POST", "/es/shop-*,other/_count")
    assert asked.headers["Content-Type"] == "application/json"
    until = int(now.timestamp()) * 1000
    assert asked.body == {
        "query": {
            "bool": {
                "must": [{"query_string": {"query": "level:error AND service:api"}}],
                "filter": [
                    {
                        "range": {
                            "event.created": {
                                "gt": until - 3_600_000, "lte": until, "format": "epoch_millis",
                            }
                        }
                    }
                ],
            }
        }
    }  # fmt: skip


async def test_half_a_count_is_no_count(looking: Looking, kept: Store) -> None:
    kept.answer = {"count": 3, "_shards": {"total": 5, "successful": 3, "failed": 2}}
    seen = await looking.look(**elasticsearch(kept))
    assert (seen.state, seen.message) == ("nodata", "2 of 5 shards did not answer")


@pytest.mark.parametrize("source", [loki, elasticsearch])
async def test_secret_headers_are_resolved_at_the_look_and_sent(
    looking: Looking, kept: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: Any
) -> None:
    monkeypatch.setenv("LOGS_TOKEN", TOKEN)
    (tmp_path / "tenant").write_text("shop\n")
    headers = {
        "Authorization": "env:LOGS_TOKEN",
        "X-Scope-OrgID": f"file:{tmp_path}/tenant",
        "X-Plain": "as it is",
    }
    check = source(kept, headers=headers)
    kept.answer = vector("1") if source is loki else {"count": 1}
    assert (await looking.look(**check)).state == "ok"
    sent = kept.asked[0].headers
    assert sent["Authorization"] == TOKEN
    assert (sent["X-Scope-OrgID"], sent["X-Plain"]) == ("shop", "as it is")
    known = ["env:LOGS_TOKEN", f"file:{tmp_path}/tenant"]
    assert list(references.of_book(book({"it": check}))) == known
    monkeypatch.delenv("LOGS_TOKEN")
    seen = await looking.look()
    assert seen.state == "nodata"
    assert "env:LOGS_TOKEN is not set" in seen.message
    monkeypatch.setenv("LOGS_TOKEN", f"{TOKEN}\r\nX-More: 1")
    seen = await looking.look()
    assert seen.message == "the secret env:LOGS_TOKEN is no value of a header: Authorization"
    assert len(kept.asked) == 1


async def test_a_store_that_repeats_what_it_was_sent_shows_no_secret(
    looking: Looking, kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGS_TOKEN", TOKEN)
    kept.status, kept.answer = 400, f"unknown tenant of {TOKEN} ({TOKEN.split()[1]})"
    seen = await looking.look(**loki(kept, headers={"Authorization": "env:LOGS_TOKEN"}))
    assert seen.state == "nodata"
    assert "unknown tenant of •••• (••••)" in seen.message


@pytest.mark.parametrize(
    ("status", "answer", "told"),
    [
        (400, "parse error at line 1, col 3: syntax error", "400: parse error at line 1"),
        (401, "no", "does not let us in (401)"),
        (200, "not json", "does not answer with an object of JSON"),
        (200, [1], "does not answer with an object of JSON"),
        (200, {"status": "error", "error": "too many series"}, "too many series"),
        (200, {"status": "success", "data": {"resultType": "streams", "result": []}}, "'streams'"),
        (200, vector("many"), "no number came back, but 'many'"),
        (500, "x" * 2_000_000, "answers more than 1 MiB"),
        (302, "", "answers 302"),
    ],
)
async def test_what_loki_cannot_answer_is_missing_data(
    looking: Looking, kept: Store, status: int, answer: Any, told: str
) -> None:
    kept.status, kept.answer = status, answer
    seen = await looking.look(**loki(kept))
    assert (seen.state, seen.value) == ("nodata", None)
    assert told in seen.message


@pytest.mark.parametrize(
    ("status", "answer", "told"),
    [
        (404, {"error": {"root_cause": [{"reason": "no such index [shop]"}]}}, "no such index"),
        (400, {"error": "plain words"}, "400: plain words"),
        (200, {"hits": 3}, "no number came back, but 'None'"),
    ],
)
async def test_what_elasticsearch_cannot_answer_is_missing_data(
    looking: Looking, kept: Store, status: int, answer: Any, told: str
) -> None:
    kept.status, kept.answer = status, answer
    seen = await looking.look(**elasticsearch(kept))
    assert (seen.state, seen.value) == ("nodata", None)
    assert told in seen.message


async def test_a_store_that_is_away_says_nothing_of_the_service(looking: Looking) -> None:
    with closed_port() as port:
        url = f"http://127.0.0.1:{port}"
        seen = await looking.look(kind="log", source="loki", url=url, query='{a="b"}')
    assert seen.state == "nodata"
    assert seen.message == f"127.0.0.1:{port} refuses connections"
    async with serving(silent) as port:
        seen = await looking.look(
            kind="log", source="loki", url=f"http://127.0.0.1:{port}", query='{a="b"}',
            timeout="100ms",
        )  # fmt: skip
    assert (seen.state, seen.message) == ("nodata", "no answer within 100ms")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "source file needs path: and pattern:"),
        ({"path": "/a"}, "needs pattern:"),
        ({"path": "/a", "pattern": "a", "url": "http://a/"}, "url: means nothing for the source"),
        ({"source": "loki", "url": "http://a/"}, "needs query:"),
        ({"source": "loki", "url": "http://a/", "query": "{}", "pattern": "a"}, "means nothing"),
        ({"source": "elasticsearch", "url": "http://a/", "query": "a"}, "needs index:"),
        ({"source": "journald", "units": ["a b"]}, "units"),
        ({"source": "journald", "window": "0s"}, "a second or longer"),
        (
            {"source": "loki", "url": "http://a/", "query": "{}", "headers": {"Host": "b"}},
            "is set by the request itself",
        ),
        (
            {
                "source": "loki", "url": "http://a/", "query": "{}",
                "headers": {"Authorization": "Bearer x"},
            },
            "must not stand in a book",
        ),
    ],
)  # fmt: skip
async def test_a_book_must_say_what_the_source_takes(
    looking: Looking, fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(BookError, match=told):
        await looking.look(kind="log", **fields)
