"""A contact may hold a password or a token; it is nowhere but on the wire."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from opsbook.audit.tables import entry
from opsbook.base import events
from opsbook.base.logs import close_log, open_log
from opsbook.book.sections.people import Contact
from opsbook.notify.channels import apprise
from opsbook.notify.tables import page
from tests.notify.conftest import Post
from tests.notify.sink import Sink

PASSWORD = "Zwiebelkuchen-77"
TOKEN = "T0kenInThePath/with-more"
OPTION = "geheimeOption123"


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[Path]:
    """The server's log, with every level of every library let through."""
    file = tmp_path / "opsbook.log"
    handler = open_log(file)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    yield file
    root.setLevel(level)
    close_log(handler)


async def everything(post: Post) -> str:
    """Every row that could hold a word of it."""
    tables = (page, entry, events.event)
    rows = [await post.database.read(lambda tx, t=t: tx.rows(sa.select(t))) for t in tables]
    return json.dumps(rows, default=str)


@pytest.mark.parametrize("how", ["500", "reset", "hang", "nobody", "200"])
async def test_no_part_of_a_secret_contact_is_in_any_row_or_log(
    post: Post, logged: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    async with Sink("500" if how == "nobody" else how) as sink:
        port = 1 if how == "nobody" else sink.port
        url = (
            f"json://robot:{PASSWORD}@127.0.0.1:{port}/{TOKEN}?-key={OPTION}&+X-Key={OPTION}"
            f"&rto={0.3 if how == 'hang' else 20}"
        )
        monkeypatch.setenv("OPERATOR_CONTACT", url)
        post.use(operator="{secret: env:OPERATOR_CONTACT}")
        await post.page()
        await post.settle()
        row = await post.row()
        assert row["state"] == ("sent" if how == "200" else "retry")
        assert row["error"] or how == "200"
    for place in (await everything(post), logged.read_text()):
        for secret in (PASSWORD, OPTION, *TOKEN.split("/"), url):
            assert secret not in place


@pytest.mark.parametrize(
    "url", [f"nosuchservice://{PASSWORD}/{TOKEN}", f"tgram://{PASSWORD}", f"slack://{PASSWORD}/x"]
)
async def test_an_address_that_cannot_be_one_is_told_without_its_words(
    post: Post, logged: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("OPERATOR_CONTACT", url)
    post.use(operator="{secret: env:OPERATOR_CONTACT}")
    await post.page()
    await post.settle()
    row = await post.row()
    assert (row["state"], row["repeated"]) == ("retry", False)
    assert "Correct it in the book" in row["error"]
    assert url.split("://", maxsplit=1)[0] in row["error"]
    assert PASSWORD not in await everything(post) + logged.read_text()


async def test_a_reference_to_nothing_fails_visibly_with_what_to_do_and_works_once_it_is_there(
    post: Post, tmp_path: Path
) -> None:
    file = tmp_path / "contact"
    post.use(
        operator=f"{{secret: 'file:{file}'}}", standby="{secret: env:THERE_IS_NO_SUCH_VARIABLE}"
    )
    await post.page()
    await post.page("standby")
    await post.settle()
    by_file, by_name = await post.rows()
    assert by_file["state"] == by_name["state"] == "retry"
    assert "Create the file" in by_file["error"]
    assert "Set the environment variable THERE_IS_NO_SUCH_VARIABLE" in by_name["error"]
    assert (await post.told()).count("page.delayed") == 2
    async with Sink() as sink:
        file.write_text(sink.url() + "\n")
        await post.wind(seconds=1)
        assert [row["state"] for row in await post.rows()] == ["sent", "retry"]
        assert len(sink.got) == 1


def test_a_contact_is_the_url_or_what_its_reference_leads_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOMEWHERE", "json://127.0.0.1/")
    assert apprise.address(Contact(url="json://a/")) == "json://a/"
    assert apprise.address(Contact(secret="env:SOMEWHERE")) == "json://127.0.0.1/"


def test_every_part_of_an_address_is_hidden_also_in_disguise() -> None:
    hidden = apprise.hidden("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnl%2Bfazkcs#general?name=x")
    for part in ("T1JJ3T3L2", "A1BRTD4JD", "TIiajkdnl%2Bfazkcs", "TIiajkdnl+fazkcs", "general"):
        assert part in hidden
    assert "user:password1" in apprise.hidden("mailto://user:password1@example.org")
    assert apprise.hidden("json://[broken") >= {"[broken"}


@pytest.mark.parametrize(
    ("broke", "says", "unsure"),
    [
        ("Socket Exception: [Errno 111] Connection refused", "was refused", False),
        ("Socket Exception: ConnectTimeoutError(connect timeout=4.0)", "no connection", False),
        ("Socket Exception: [Errno -2] Name or service not known", "not known", False),
        ("Socket Exception: certificate verify failed: expired", "certificate", False),
        ("Socket Exception: (550, b'no such mailbox')", "failed", False),
        ("Socket Exception: Read timed out. (read timeout=4.0)", "no answer", True),
        ("I/O Exception: [Errno 104] Connection reset by peer", "broke before", True),
        ("Socket Exception: something never seen before", "failed", True),
        ("JSON Payload: {'message': 'Connection refused'}", "failed", False),
    ],
)
def test_only_what_surely_did_not_arrive_is_sent_again_without_a_word(
    broke: str, says: str, unsure: bool
) -> None:
    heard = apprise.Heard(everything=[broke], warnings=["Sending failed."])
    why, maybe = apprise.reason(heard)
    assert says in why
    assert maybe is unsure
