"""Pages on their way: real HTTP servers on loopback, a clock that is wound."""

import asyncio
import contextlib
from datetime import datetime, timedelta

import pytest

from opsbook.base.database import Database
from opsbook.notify import store
from opsbook.notify.tables import page
from tests.notify.conftest import Post, assemble, running
from tests.notify.sink import Sink

SOON = "rto=0.3"  # seconds that Apprise waits for an answer, where none will come


async def test_a_page_is_in_the_inbox_and_out_by_every_contact(post: Post) -> None:
    async with Sink() as one, Sink() as other:
        post.use(operator=f'"{one.url()}", "{other.url()}"')
        assert await post.page() == 3
        await post.settle()
        assert [row["state"] for row in await post.rows()] == ["sent", "sent"]
        (inbox,) = await post.rows("inbox")
        assert (inbox["state"], inbox["sent_at"]) == ("sent", post.clock.now())
        (got,) = one.got
        assert got["title"] == "P1 The shop does not answer"
        assert got["message"] == "connection refused\nhttp://127.0.0.1:8420/incidents/1"
        assert len(other.got) == 1
        assert await post.told() == ["page.sent", "page.sent"]


async def test_a_cause_that_is_handled_twice_is_one_page(post: Post) -> None:
    async with Sink() as sink:
        post.use(operator=f'"{sink.url()}"')
        assert await post.page() == 2
        assert await post.page() == 0
        await post.settle()
        assert await post.page() == 0
        await post.settle()
        assert len(sink.got) == 1
        assert len(await post.rows("inbox")) == 1


async def test_a_server_that_stumbles_gets_it_at_the_next_try(post: Post) -> None:
    async with Sink("500", "503", "200") as sink:
        post.use(operator=f'"{sink.url()}"')
        await post.page()
        await post.settle()
        row = await post.row()
        assert (row["state"], row["attempts"]) == ("retry", 1)
        assert row["next_at"] == post.clock.now() + timedelta(seconds=1)
        assert "error=500" in row["error"]
        await post.wind(seconds=6)
        row = await post.row()
        assert (row["state"], row["attempts"], row["error"]) == ("sent", 3, "")
        assert not row["repeated"]
        assert not any("repeated" in title for title in sink.titles)
        assert await post.told() == ["page.delayed", "page.sent"]


async def test_a_broken_connection_may_have_delivered_and_the_next_try_says_so(post: Post) -> None:
    async with Sink("reset", "200") as sink:
        post.use(standby=f'"{sink.url()}"')
        await post.page("standby")
        await post.settle()
        row = await post.row()
        assert (row["state"], row["repeated"]) == ("retry", True)
        assert "broke before an answer" in row["error"]
        await post.wind(seconds=1)
        assert sink.titles == [
            "P1 가게가 응답하지 않음",
            "(반복일 수 있음) P1 가게가 응답하지 않음",
        ]
        assert (await post.row())["state"] == "sent"


async def test_a_server_that_never_answers_is_left_in_time(post: Post) -> None:
    async with Sink("hang", "200") as sink:
        post.use(operator=f'"{sink.url(query=SOON)}"')
        await post.page()
        await post.settle()
        row = await post.row()
        assert (row["state"], row["repeated"]) == ("retry", True)
        assert "no answer within the time" in row["error"]
        post.use(operator=f'"{sink.url()}"')
        await post.wind(seconds=1)
        assert sink.titles[1] == "(possibly repeated) P1 The shop does not answer"


async def test_an_answer_that_never_ends_is_cut_off_by_our_own_limit(
    sqlite_database: Database, now: datetime
) -> None:
    async with Sink("drip") as sink, running(assemble(sqlite_database, now, timeout=0.4)) as post:
        post.use(operator=f'"{sink.url()}"')
        await post.page()
        await post.settle()
        row = await post.row()
        assert (row["state"], row["repeated"]) == ("retry", True)
        assert "No end within 0.4 s" in row["error"]
        sink.plan, post.outbox.timeout = ["200"], 30.0
        await post.wind(seconds=1)
        assert (await post.row())["state"] == "sent"


async def test_nobody_listening_is_no_delivery_and_no_repetition(post: Post) -> None:
    async with Sink() as sink:
        port = sink.port
    post.use(operator=f'"json://127.0.0.1:{port}/"')
    await post.page()
    await post.settle()
    row = await post.row()
    assert (row["state"], row["repeated"]) == ("retry", False)
    assert "the connection was refused" in row["error"]


async def test_a_server_that_hangs_does_not_hold_up_the_others(post: Post) -> None:
    async with Sink("hang") as stuck, Sink() as fine:
        post.use(operator=f'"{stuck.url(query="rto=30")}"', standby=f'"{fine.url()}"')
        for number in range(3):
            await post.page("operator", key=f"stuck {number}")
        await post.page("standby", key="fine")
        await asyncio.wait_for(fine.arrived.wait(), 20)
        held = [row for row in await post.rows() if row["person"] == "operator"]
        assert [row["state"] for row in held] == ["sending", "queued", "queued"]
        assert len(stuck.got) <= 1


async def test_pages_to_one_destination_go_in_order(post: Post) -> None:
    async with Sink() as sink:
        post.use(operator=f'"{sink.url()}"')
        for number in range(45):
            await post.page(key=f"incident:{number}", title=f"page {number}")
        await post.settle()
        assert sink.titles == [f"page {number}" for number in range(45)]


async def test_what_is_not_urgent_goes_to_the_inbox_and_to_no_phone(post: Post) -> None:
    async with Sink() as sink:
        post.use(operator=f'"{sink.url()}"')
        await post.page(key="quiet", title="not urgent", urgent=False)
        await post.settle()
        assert sink.titles == []
        assert await post.rows() == []
        (row,) = await post.rows("inbox")
        assert row["state"] == "sent"


async def test_a_channel_that_is_down_for_an_hour_gets_everything_afterwards(post: Post) -> None:
    async with Sink("500") as sink:
        post.use(operator=f'"{sink.url()}"', standby=f'"{sink.url()}"')
        for to in ("operator", "standby"):
            await post.page(to)
        await post.wind(hours=1)
        assert {row["state"] for row in await post.rows()} == {"retry"}
        before = len(sink.got)
        assert before < 24
        sink.plan = ["200"]
        await post.wind(minutes=15)
        assert {row["state"] for row in await post.rows()} == {"sent"}
        assert len(sink.got) == before + 2


async def test_after_a_day_it_is_given_up_loudly_and_stays_in_the_inbox(post: Post) -> None:
    async with Sink() as sink:
        port = sink.port
    post.use(operator=f'"json://127.0.0.1:{port}/"')
    await post.page()
    made = post.clock.now()
    await post.settle()
    post.clock.advance(timedelta(hours=23, minutes=59))
    await post.wind(minutes=2)
    row = await post.row()
    assert (row["state"], row["next_at"]) == ("failed", None)
    assert row["attempts"] > 2
    assert row["created_at"] == made
    assert (await post.told())[-1] == "page.failed"
    (event,) = await post.published("page.failed")
    assert event == {
        "page": row["id"], "book": "shop", "person": "operator", "channel": "apprise",
        "destination": "contact:0", "thread": "incident:1",
    }  # fmt: skip
    assert await post.database.read(lambda tx: store.unread(tx, "operator")) == 1


async def test_a_corrected_contact_helps_pages_that_still_wait(post: Post) -> None:
    async with Sink("404") as wrong, Sink() as right:
        post.use(operator=f'"{wrong.url()}"')
        await post.page()
        await post.settle()
        post.use(operator=f'"{right.url()}"')
        await post.wind(seconds=1)
        assert (await post.row())["state"] == "sent"
        assert len(right.got) == 1


async def test_somebody_who_left_is_not_paged_and_the_row_says_why(post: Post) -> None:
    async with Sink("500") as sink:
        post.use(operator=f'"{sink.url()}"', standby=f'"{sink.url()}"')
        await post.page()
        await post.settle()
        post.use(standby=f'"{sink.url()}"')
        await post.wind(seconds=1)
        assert "no contact:0 in the book any more" in (await post.row())["error"]
        assert len(sink.got) == 1


async def test_somebody_the_book_does_not_know_is_on_record_and_breaks_nothing(post: Post) -> None:
    assert await post.page("nobody") == 0
    entries = await post.told()
    assert entries == ["page.unaddressed"]


async def test_a_crash_between_claim_and_sending_repeats_and_says_so(
    sqlite_database: Database, now: datetime
) -> None:
    async with Sink() as sink:
        killed = assemble(sqlite_database, now)
        killed.use(operator=f'"{sink.url()}"')
        await killed.page()
        lane = store.Lane("shop", "operator", "apprise", "contact:0")
        row = await sqlite_database.write(
            lambda tx: store.claim(tx, now, lane, now + timedelta(minutes=1))
        )
        assert row is not None

        after = assemble(sqlite_database, now)
        after.use(operator=f'"{sink.url()}"')
        await after.outbox.start(now)
        after.loops.start()
        await after.settle()
        assert sink.titles == ["(possibly repeated) P1 The shop does not answer"]
        sent = await after.row()
        assert (sent["state"], sent["attempts"], sent["repeated"]) == ("sent", 2, True)
        late = {"state": "sent", "sent_at": now}
        assert not await sqlite_database.write(lambda tx: store.settle(tx, row, **late))
        await after.loops.stop()
        await after.outbox.stop()


async def test_a_stop_lets_what_is_under_way_finish(
    sqlite_database: Database, now: datetime
) -> None:
    async with Sink() as sink:
        post = assemble(sqlite_database, now, grace=20)
        post.use(operator=f'"{sink.url()}"')
        await post.outbox.start(now)
        await post.page()
        await post.outbox.tick(now)
        await post.outbox.stop()
        assert (await post.row())["state"] == "sent"


async def test_a_stop_does_not_wait_for_what_hangs(
    sqlite_database: Database, now: datetime
) -> None:
    async with Sink("hang") as sink:
        post = assemble(sqlite_database, now, grace=0.05)
        post.use(operator=f'"{sink.url(query="rto=2")}"')
        await post.outbox.start(now)
        await post.page()
        await post.outbox.tick(now)
        await asyncio.wait_for(sink.arrived.wait(), 20)
        await post.outbox.stop()
        assert (await post.row())["state"] == "sending"


async def test_two_servers_on_one_database_send_each_page_once(
    database: Database, now: datetime
) -> None:
    other = Database(database.url)
    other.start()
    async with Sink() as sink, contextlib.AsyncExitStack() as stack:
        posts = [assemble(one, now) for one in (database, other)]
        for one in posts:
            one.use(operator=f'"{sink.url("a")}"', standby=f'"{sink.url("b")}"')
            await one.outbox.start(now)
        for number in range(20):
            for to in ("operator", "standby"):
                await posts[0].page(to, key=f"incident:{number}", title=f"{to} {number}")
        for one in posts:
            one.loops.start()
            stack.push_async_callback(one.outbox.stop)
            stack.push_async_callback(one.loops.stop)
        states = {"queued"}
        async with asyncio.timeout(60):
            while states != {"sent"}:
                for one in posts:
                    one.loops.wake("pages")
                    await one.settle()
                states = {row["state"] for row in await posts[0].rows()}
        assert sorted(sink.titles) == sorted(
            f"{to} {number}" for to in ("operator", "standby") for number in range(20)
        )
    await other.stop()


async def test_a_server_takes_over_what_a_dead_one_had_claimed(
    sqlite_database: Database, now: datetime
) -> None:
    async with Sink() as sink:
        alive = assemble(sqlite_database, now)
        alive.use(operator=f'"{sink.url()}"')
        await alive.outbox.start(now)
        until = now + timedelta(minutes=1)
        await alive.page()
        claimed = page.update().where(page.c.channel == "apprise")
        await sqlite_database.write(
            lambda tx: tx.claim(claimed.values(state="sending", next_at=until, attempts=1))
        )
        alive.loops.start()
        await alive.settle()
        assert sink.got == []
        await alive.wind(minutes=1)
        assert sink.titles == ["(possibly repeated) P1 The shop does not answer"]
        await alive.loops.stop()
        await alive.outbox.stop()


async def test_a_standby_server_does_not_touch_what_another_is_sending(
    sqlite_database: Database, now: datetime
) -> None:
    standby = assemble(sqlite_database, now)
    deciding = False
    standby.loops.may_decide = lambda: deciding
    standby.use(operator='"json://127.0.0.1:1/"')
    await standby.page()
    claimed = page.update().where(page.c.channel == "apprise")
    until = now + timedelta(hours=1)
    await sqlite_database.write(
        lambda tx: tx.claim(claimed.values(state="sending", attempts=1, next_at=until))
    )
    await standby.outbox.start(now)
    row = await standby.row()
    assert (row["state"], row["repeated"]) == ("sending", False)
    await standby.outbox.tick(now)  # its turn has come
    assert (await standby.row())["repeated"]
    await standby.outbox.stop()


@pytest.mark.parametrize("most", [2, 4])
async def test_half_of_the_lanes_are_kept_for_pages_not_tried_yet(
    sqlite_database: Database, now: datetime, most: int
) -> None:
    async with Sink("hang") as stuck, Sink() as fine:
        post = assemble(sqlite_database, now, at_most=most, timeout=20.0)
        contacts = ", ".join(f'"{stuck.url(str(n), "rto=20")}"' for n in range(most + 2))
        post.use(operator=contacts, standby=f'"{fine.url()}"')
        await post.outbox.start(now)
        await post.page()
        failed = page.update().where(page.c.channel == "apprise").values(state="retry", attempts=3)
        await sqlite_database.write(lambda tx: tx.claim(failed))
        await post.outbox.tick(now)
        await post.page("standby")
        await post.outbox.tick(now)
        await asyncio.wait_for(fine.arrived.wait(), 20)
        sending = [row for row in await post.rows() if row["state"] == "sending"]
        assert len([row for row in sending if row["person"] == "operator"]) == most // 2
        await post.outbox.stop()
