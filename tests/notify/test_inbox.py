"""The inbox, and what a page says."""

from datetime import UTC, datetime, timedelta

import pytest

from opsbook import notify
from opsbook.book import Text
from opsbook.notify import model, outbox
from tests.notify.conftest import Post

NOW = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


async def test_an_inbox_is_read_by_those_it_is_for(post: Post) -> None:
    for number in range(3):
        await post.page("plain", key=f"incident:{number}")
    await post.page("standby")
    read = post.database.read
    rows = await read(lambda tx: notify.inbox(tx, "plain"))
    assert [row["person"] for row in rows] == ["plain"] * 3
    assert rows[0]["id"] > rows[1]["id"]
    both = await read(lambda tx: notify.inbox(tx, ["plain", "standby"]))
    assert len(both) == 4
    assert await read(lambda tx: notify.inbox(tx, [])) == []
    first, now = rows[-1]["id"], post.clock.now()
    write = post.database.write
    assert not await write(lambda tx: notify.mark_read(tx, now, first, ["standby"]))
    assert await write(lambda tx: notify.mark_read(tx, now, first, ["plain"]))
    assert not await write(lambda tx: notify.mark_read(tx, now, first, ["plain"]))
    assert await read(lambda tx: notify.unread(tx, "plain")) == 2
    unread = await read(lambda tx: notify.inbox(tx, "plain", True))
    assert first not in [row["id"] for row in unread]
    older = await read(lambda tx: notify.inbox(tx, "plain", before=rows[0]["id"], limit=1))
    assert [row["id"] for row in older] == [rows[1]["id"]]
    assert await write(lambda tx: notify.mark_all_read(tx, now, "plain")) == 2
    assert await read(lambda tx: notify.unread(tx, "standby")) == 1


async def test_the_same_id_in_another_book_is_somebody_else(post: Post) -> None:
    await post.page("plain")
    mine, other = [("shop", "plain")], [("bank", "plain")]
    assert len(await post.database.read(lambda tx: notify.inbox(tx, mine))) == 1
    assert await post.database.read(lambda tx: notify.inbox(tx, other)) == []


async def test_a_page_is_written_in_the_language_of_its_reader(post: Post) -> None:
    await post.page("plain")
    await post.page("standby")  # says no language: the book's first one
    english, korean = await post.rows("inbox")
    assert (english["language"], english["title"]) == ("en", "P1 The shop does not answer")
    assert (korean["language"], korean["title"]) == ("ko", "P1 가게가 응답하지 않음")


async def test_what_a_check_said_cannot_break_a_header_or_hide_itself(post: Post) -> None:
    title = "P1 down\r\nBcc: everybody@example.org\x1b[2J \u202egnp.exe"
    await post.page("plain", title=title, body="one\r\n\r\n  two\x00\nthree" + "x" * 5000)
    (row,) = await post.rows("inbox")
    assert row["title"] == "P1 down Bcc: everybody@example.org[2J gnp.exe"
    assert row["body"].startswith("one\n\ntwo\nthreex")
    assert len(row["body"]) == model.LONGEST_BODY


def test_a_message_fits_on_a_watch() -> None:
    made = model.message(
        key="k", title="P1 " + "long " * 40, body="b" * 900, link="http://x/1", urgent=True,
        language="ko", repeated=True,
    )  # fmt: skip
    assert made.title.startswith("(반복일 수 있음) P1 long")
    assert len(made.title) <= model.WATCH_TITLE
    assert made.title.endswith("…")
    assert len(made.body) == model.WATCH_BODY
    assert made.text.endswith("…\nhttp://x/1")


def test_pauses_grow_and_end_after_a_day() -> None:
    pauses, at = [], NOW
    attempts = 0
    while (due := model.next_try(NOW, attempts := attempts + 1, at)) is not None:
        pauses.append((due - at).total_seconds())
        at = due
    assert pauses[:8] == [1, 5, 30, 120, 300, 600, 900, 900]
    assert at == NOW + timedelta(hours=24)
    assert len(pauses) < 110


@pytest.mark.parametrize(
    ("text", "said"),
    [("plain", "plain"), ({"ko": "디스크", "en": "Disk"}, "디스크"), (Text.of("one"), "one"),
     ({"en": "Disk"}, "Disk")],
)  # fmt: skip
def test_a_text_is_taken_as_it_comes(text: model.TextLike, said: str) -> None:
    assert model.in_language(text, "ko") == said


def test_the_outbox_offers_what_the_inbox_page_needs() -> None:
    assert outbox.inbox is notify.inbox
    assert outbox.mark_read is notify.mark_read
