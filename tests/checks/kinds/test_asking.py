import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from opsbook.base.database import Database
from opsbook.book import BookError
from opsbook.checks import KINDS
from opsbook.checks.asking import Asks
from opsbook.runs import targets
from tests.checks.making import FINE, Watch, answering, book, serving

DRIVERS = {"lightkube", "redis", "psycopg.connection_async", "opsbook.checks.databases.postgresql"}


def test_a_driver_is_loaded_by_the_first_look_that_needs_it_and_not_before() -> None:
    told = "import sys, opsbook.checks; print(*sorted(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert {"opsbook.checks.kinds.kubernetes", "opsbook.checks.kinds.sql"} <= loaded
    assert loaded.isdisjoint(DRIVERS)


def test_every_secret_of_a_check_is_known_for_masking() -> None:
    checks: Mapping[str, Mapping[str, Any]] = {
        "a": {"kind": "sql", "url": "postgresql://h/d", "metric": "locks", "password": "env:A"},
        "b": {"kind": "redis", "url": "redis://h", "metric": "ping", "password": "env:B"},
        "c": {"kind": "kubernetes", "metric": "pods", "kubeconfig": "file:/c"},
        "d": {"kind": "promql", "url": "http://h", "query": "up", "headers": {"X": "env:D"}},
    }
    assert set(targets.secret_references(book(checks))) == {"env:A", "env:B", "file:/c", "env:D"}
    asking = {name for name, kind in KINDS.items() if issubclass(kind.model, Asks)}
    assert asking == {one["kind"] for one in checks.values()}


async def test_an_edited_target_counts_from_the_next_look_on(
    sqlite_database: Database, now: Any
) -> None:
    def with_url(port: int) -> Any:
        target = {"title": "M", "kind": "prometheus", "url": f"http://127.0.0.1:{port}"}
        check = {"kind": "promql", "on": "m", "query": "up", "every": "1m"}
        return book({"up": check}, targets={"m": target})

    good = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 78\r\n\r\n"
        b'{"status": "success", "data": {"resultType": "scalar", "result": [1.5, "42"]}}'
    )
    async with (
        serving(answering(FINE)) as first,
        serving(answering(good)) as second,
        Watch(sqlite_database, now, with_url(first)) as watch,
    ):
        seen = await watch.scheduler.look("shop", "up")
        assert seen.state == "nodata"
        await watch.reload(with_url(second))
        seen = await watch.scheduler.look("shop", "up")
        assert (seen.state, seen.value) == ("ok", 42.0)
        planned = watch.scheduler.plan.planned["shop", "up"]
        assert planned.target is not None
        assert planned.target.url == f"http://127.0.0.1:{second}"


@pytest.mark.parametrize("kind", ["promql", "sql", "redis", "kubernetes"])
def test_a_targets_name_that_is_none_is_told_with_what_was_meant(kind: str) -> None:

    more = {"promql": {"query": "up"}, "kubernetes": {"metric": "pods"}}
    fields = {"kind": kind, "on": "mian", "metric": "locks" if kind == "sql" else "ping"}
    if kind in more:
        fields = {"kind": kind, "on": "mian", **more[kind]}
    with pytest.raises(BookError) as caught:
        book({"it": fields}, targets={"main": {"title": "Main"}})
    assert [str(one).split("checks.")[1] for one in caught.value.problems] == [
        "it.on: there is no target 'mian'. did you mean 'main'?"
    ]
