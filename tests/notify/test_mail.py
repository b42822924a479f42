"""Mail, through a real SMTP server on loopback."""

import email
from email.header import decode_header, make_header

from tests.notify.conftest import Post
from tests.notify.sink import MailSink


async def test_a_page_arrives_as_mail_with_its_title_as_subject(post: Post) -> None:
    async with MailSink() as sink:
        post.use(standby=f'"{sink.url}"')
        await post.page("standby", title={"ko": "P1 가게\nBcc: everybody@example.org", "en": "x"})
        await post.settle()
        assert (await post.row())["state"] == "sent"
    (raw,) = sink.mails
    mail = email.message_from_string(raw)
    assert str(make_header(decode_header(mail["Subject"]))) == "P1 가게 Bcc: everybody@example.org"
    assert mail["Bcc"] is None
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert "연결 거부됨" in body.decode()
    assert "http://127.0.0.1:8420/incidents/1" in body.decode()


async def test_a_mailbox_that_does_not_exist_is_a_sure_no(post: Post) -> None:
    async with MailSink("550 no such mailbox") as sink:
        post.use(operator=f'"{sink.url}"')
        await post.page()
        await post.settle()
        row = await post.row()
    assert (row["state"], row["repeated"]) == ("retry", False)
    assert "operator@example.org" not in row["error"]
    assert sink.mails == []
