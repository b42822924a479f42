"""Live pages: nothing is missed between rendering and listening, and streams are bounded."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx2 as httpx
import pytest
import sqlalchemy as sa

from opsbook.base.hub import Hub
from opsbook.runs.tables import attempt, output, run
from opsbook.web import live
from opsbook.web.errors import TooOften
from opsbook.web.live import Changes, Streams, Topics
from tests.web.conftest import Enter
from tests.web.rig import Rig

LIMIT = 20.0


async def events(answer: httpx.Response) -> AsyncIterator[tuple[str, object]]:
    """The events of a stream as (kind, data)."""
    kind = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))


def test_a_page_that_is_behind_is_told_at_once() -> None:
    hub = Hub()
    changes = Changes(hub)
    rendered = changes.mark
    assert not changes.behind(rendered, Topics("checks"))
    hub.touch(["runs"])
    assert not changes.behind(rendered, Topics("checks"))
    hub.touch(["checks"])
    assert changes.behind(rendered, Topics("checks incidents"))
    assert not changes.behind(changes.mark, Topics("checks incidents"))


def test_a_page_of_another_process_or_long_ago_is_behind() -> None:
    hub = Hub()
    changes = Changes(hub)
    early = changes.mark
    assert changes.behind("0000.0", Topics("checks"))
    assert changes.behind("nonsense", Topics("checks"))
    hub.touch([f"run:{n}" for n in range(live.REMEMBERED + 10)])
    assert changes.behind(early, Topics("checks"))
    assert not changes.behind(changes.mark, Topics("checks"))


def test_the_topics_of_a_page_are_bounded() -> None:
    assert len(Topics(" ".join(f"run:{n}" for n in range(1000))).wanted) <= 20


async def test_a_stream_says_which_topics_changed_and_only_those(
    trouble: Rig, enter: Enter
) -> None:
    operator = await enter(trouble)
    async with (
        asyncio.timeout(LIMIT),
        operator.client.stream("GET", "/live?topics=checks+run:2&since=x") as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in answer.headers
        told = events(answer)
        assert await anext(told) == ("change", [])
        trouble.hub.touch(["pages", "run:2"])
        assert await anext(told) == ("change", ["run:2"])


async def test_a_stream_needs_a_session(trouble: Rig) -> None:
    async with httpx.AsyncClient(base_url=trouble.url) as nobody:
        for path in ("/live?topics=checks", "/runs/2/output"):
            answer = await nobody.get(path, headers={"Accept": "text/event-stream"})
            assert answer.status_code == 401


async def test_output_comes_as_it_is_stored_and_ends_with_the_run(
    trouble: Rig, enter: Enter
) -> None:
    operator = await enter(trouble)
    last = await trouble.database.read(lambda tx: tx.scalar(sa.select(sa.func.max(output.c.id))))
    mine = await trouble.database.read(
        lambda tx: tx.scalar(sa.select(attempt.c.id).where(attempt.c.run_id == 2))
    )
    async with (
        asyncio.timeout(LIMIT),
        operator.client.stream("GET", f"/runs/2/output?after={last}") as answer,
    ):
        told = events(answer)

        def write(tx):  # type: ignore[no-untyped-def]
            tx.insert(output, attempt_id=mine, start=9_000, text="한 줄\n<b>\n")
            tx.touch("run:2")

        await trouble.database.write(write)
        kind, piece = await anext(told)
        assert kind == "output"
        assert piece == {"attempt": mine, "end": last + 1, "html": "한 줄\n&lt;b&gt;\n"}

        def finish(tx):  # type: ignore[no-untyped-def]
            tx.execute(run.update().where(run.c.id == 2).values(state="succeeded"))
            tx.touch("run:2")

        await trouble.database.write(finish)
        assert await anext(told) == ("end", {})


async def test_output_goes_on_in_the_colour_and_the_line_where_the_page_left_it(
    trouble: Rig, enter: Enter
) -> None:
    def write(tx, start=9_000, text="done\n\x1b[31m10%"):  # type: ignore[no-untyped-def]
        made = tx.insert(output, attempt_id=mine, start=start, text=text)
        tx.touch("run:2")
        return made

    mine = await trouble.database.read(
        lambda tx: tx.scalar(sa.select(attempt.c.id).where(attempt.c.run_id == 2))
    )
    last = await trouble.database.write(write)
    operator = await enter(trouble)
    red = '<span class="red">{}%</span>'
    assert f'done\n<span class="open">{red.format(10)}</span></pre>' in await operator.see(
        "/runs/2"
    )
    async with (
        asyncio.timeout(LIMIT),
        operator.client.stream("GET", f"/runs/2/output?after={last}") as answer,
    ):
        told = events(answer)
        await trouble.database.write(lambda tx: write(tx, 9_100, "\r20"))
        _, piece = await anext(told)
        assert piece["html"] == f'<span class="open">{red.format(20)}</span>'
        await trouble.database.write(lambda tx: write(tx, 9_200, "\r99\n"))
        _, piece = await anext(told)
        assert piece["html"] == f"{red.format(99)}\n"


async def test_output_of_a_run_one_may_not_see_is_not_there(trouble: Rig, enter: Enter) -> None:
    stranger = await enter(trouble, "stranger")
    assert (await stranger.client.get("/runs/2/output")).status_code == 404


async def test_streams_end_at_once_when_the_server_stops() -> None:
    streams, hub = Streams(), Hub()
    told = live.changes(streams, hub, Topics("checks"), lambda: True)
    assert "change" in await anext(told)
    waiting = asyncio.ensure_future(anext(told, "over"))
    await asyncio.sleep(0)
    streams.close()
    async with asyncio.timeout(LIMIT):
        assert await waiting == "over"


async def test_one_session_cannot_hold_all_streams() -> None:
    streams = Streams()

    async def quiet() -> AsyncIterator[str]:
        await asyncio.Event().wait()
        yield ""

    held = []
    for _ in range(live.MOST_EACH):
        body = streams.answer("somebody", quiet()).body_iterator
        await anext(aiter(body))
        held.append(body)
    with pytest.raises(TooOften):
        streams.answer("somebody", quiet())
    streams.answer("somebody else", quiet())
    for body in held:
        await body.aclose()  # type: ignore[union-attr]
    streams.answer("somebody", quiet())
