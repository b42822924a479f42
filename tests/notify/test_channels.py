"""Messages to the channels of a book: one row each, sent and tried again like a page."""

from typing import Any

import pytest

from opsbook.book import Book, load
from opsbook.notify import outbox, store
from tests.notify.conftest import BOOK, VOCABULARY, Post
from tests.notify.sink import Sink

CHANNELS = """
channels:
  chat: {{title: Chat, to: {chat}}}
  status: {{title: Status page, to: {status}, public: true}}
"""


def use(post: Post, chat: str = "json://127.0.0.1:9/", status: str = "json://127.0.0.1:9/") -> Book:
    text = BOOK.format(operator="", standby="") + CHANNELS.format(
        chat=chat if chat.startswith("{") else f'"{chat}"', status=f'"{status}"'
    )
    book = load({"book.yaml": text}, VOCABULARY)
    post.library.remember(book)
    return book


async def tell(post: Post, channel: str = "chat", **changed: Any) -> int:
    what: dict[str, Any] = {
        "book": post.library.current("shop"), "channel_id": channel, "cause": "run:1 notify",
        "key": f"run:1/step:say/0/{channel}", "thread": "run:1", "path": "/runs/1",
        "title": {"ko": "배포", "en": "Deployment"}, "body": "새 버전입니다.",
    }  # fmt: skip
    now = post.clock.now()
    return await post.database.write(lambda tx: outbox.tell(tx, now, **{**what, **changed}))


async def test_a_channel_is_told_once_in_the_books_language_and_is_in_no_inbox(post: Post) -> None:
    async with Sink() as sink:
        use(post, sink.url())
        assert await tell(post) == 1
        assert await tell(post) == 0
        await post.settle()
        (got,) = sink.got
        assert (got["title"], got["type"]) == ("배포", "info")
        assert got["message"] == "새 버전입니다.\nhttp://127.0.0.1:8420/runs/1"
        row = await post.row()
        assert (row["person"], row["destination"], row["state"]) == ("chat", "channel:chat", "sent")
        assert await post.rows("inbox") == []
        assert await post.told("run:1") == ["page.sent"]
        assert await post.database.read(lambda tx: store.inbox(tx, "chat")) == []


async def test_a_channel_that_stumbles_is_told_again_and_at_last_given_up(post: Post) -> None:
    async with Sink("500", "reset", "200") as sink:
        use(post, sink.url())
        await tell(post)
        await post.settle()
        assert (await post.row())["state"] == "retry"
        await post.wind(seconds=10)
        assert (await post.row())["state"] == "sent"
        assert sink.titles[2] == "(반복일 수 있음) 배포"
    await tell(post, key="run:2/step:say/0/chat", thread="run:2")
    await post.wind(hours=25)
    gone = (await post.rows())[1]
    assert gone["state"] == "failed"
    (event,) = await post.published("page.failed")
    assert (event["person"], event["destination"]) == ("chat", "channel:chat")
    assert await post.told("run:2") == ["page.delayed", "page.failed"]


async def test_a_long_message_to_a_channel_is_sent_whole(post: Post) -> None:
    async with Sink() as sink:
        use(post, sink.url())
        await tell(post, body="한 줄 " * 300)
        await post.settle()
        assert sink.got[0]["message"].count("한 줄") == 300


async def test_a_public_channel_gets_no_link_to_our_pages(post: Post) -> None:
    async with Sink() as sink:
        use(post, status=sink.url())
        await tell(post, "status")
        await post.settle()
        assert sink.got[0]["message"] == "새 버전입니다."


async def test_secret_addresses_of_the_book_are_hidden_in_what_a_channel_reads(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Sink() as sink:
        token = "T0KENxyz0123456789abc"
        address = f"{sink.url()}{token}/operations"
        monkeypatch.setenv("CHAT", address)
        use(post, '{secret: "env:CHAT"}')
        post.outbox.secrets = lambda: ("geheim123",)
        await tell(post, body=f"operations: {address} and {token}", title="geheim123 is known")
        await post.settle()
        assert sink.got[0]["message"].startswith("operations: •••• and ••••")
        assert token not in str(sink.got[0]["message"])
        assert sink.titles == ["•••• is known"]


async def test_an_address_that_is_corrected_helps_what_waits_and_a_lost_channel_says_so(
    post: Post,
) -> None:
    use(post, '{secret: "env:NOWHERE_AT_ALL"}')
    await tell(post)
    await post.settle()
    assert "NOWHERE_AT_ALL" in (await post.row())["error"]
    post.library.remember(load({"book.yaml": BOOK.format(operator="", standby="")}, VOCABULARY))
    await post.wind(seconds=1)
    assert "chat is no channel of the book shop any more" in (await post.row())["error"]
    async with Sink() as sink:
        use(post, sink.url())
        await post.wind(seconds=10)
        assert (await post.row())["state"] == "sent"


async def test_a_channel_that_hangs_does_not_hold_up_a_page(post: Post) -> None:
    async with Sink("hang") as stuck, Sink() as fine:
        text = BOOK.format(operator=f'"{fine.url()}"', standby="")
        text += CHANNELS.format(
            chat=f'"{stuck.url(query="rto=0.3")}"', status='"json://127.0.0.1:9/"'
        )
        post.library.remember(load({"book.yaml": text}, VOCABULARY))
        await tell(post)
        await post.page()
        await post.settle()
        assert len(fine.got) == 1
