"""Putting a page into the outbox: rows, written in their cause's transaction.

One row for the inbox, which is thereby delivered, and one for each contact the person has. The
cause may be handled twice (a crash, a consumer that is repeated); the key keeps it one page.

A message to a channel of the book is one row, and nobody's inbox: its ``person`` is the channel's
id, which no person or team of the book has, and its destination says that it is one.
"""

from __future__ import annotations

from datetime import datetime

from opsbook import audit
from opsbook.audit.entries import SERVER
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.notify import model, store
from opsbook.notify.channel import Sender
from opsbook.notify.channels import CHANNELS
from opsbook.notify.channels.apprise import Apprise
from opsbook.notify.model import TextLike
from opsbook.notify.store import inbox, mark_all_read, mark_read, unread

TOPIC = "pages"
OF_BOOK = "channel:"

__all__ = ["inbox", "mark_all_read", "mark_read", "page", "tell", "unread"]


def page(
    tx: Transaction, now: datetime, *, book: Book, person_id: str, cause: str, key: str,
    thread: str | None, title: TextLike, body: TextLike, path: str, urgent: bool = True,
) -> int:  # fmt: skip
    """Page a person by every way the book knows; return how many rows that made.

    What is not urgent goes to the inbox alone: a phone that rings for everything is put away.
    ``cause`` says why in a word or two, ``thread`` is the story it belongs to, ``path`` the page of
    ours to open. Texts are taken in the person's language, or in the book's first one.

    Somebody the book does not know is put on record and paged nowhere: an error here would undo
    the incident it is about, and with it the pages to everybody else.
    """
    person = book.people.get(person_id)
    if person is None:
        audit.record(
            tx, now, SERVER, "page.unaddressed", thread or f"book:{book.id}", thread=thread,
            data={"person": person_id, "book": book.id, "cause": cause},
        )  # fmt: skip
        return 0
    language = person.language or book.languages[0]
    common = {
        "book": book.id, "person": person_id, "urgent": urgent, "cause": cause, "thread": thread,
        "language": language, "path": path, "created_at": now, "attempts": 0, "error": "",
        "repeated": False,
        "title": model.tidy(model.in_language(title, language), model.LONGEST_TITLE, lines=False),
        "body": model.tidy(model.in_language(body, language), model.LONGEST_BODY, lines=True),
    }  # fmt: skip
    made = 0
    for name, channel in CHANNELS.items():
        sends = issubclass(channel, Sender)
        if sends and not urgent:
            continue
        how = {"state": "queued", "next_at": now} if sends else {"state": "sent", "sent_at": now}
        for destination in channel.destinations(person):
            row_key = "/".join(one for one in (key, name, destination) if one)
            values = {**common, **how, "channel": name, "destination": destination, "key": row_key}
            page_id = store.add(tx, **values)
            if page_id is None:
                continue
            made += 1
            if not sends:
                sent(tx, now, {**values, "id": page_id})
    if made:
        tx.touch(TOPIC)
    return made


def tell(
    tx: Transaction, now: datetime, *, book: Book, channel_id: str, cause: str, key: str,
    thread: str | None, title: TextLike, body: TextLike, path: str, urgent: bool = False,
) -> int:  # fmt: skip
    """Tell a channel of the book; return how many rows that made.

    It is sent whether or not it is urgent, as a channel has no inbox to be looked into later. It is
    in the book's first language. Where people outside of the organisation read it there is no link
    to a page of ours: they cannot open it, and it is none of their business that there is one.
    """
    channel = book.channels[channel_id]
    language = book.languages[0]
    destination = f"{OF_BOOK}{channel_id}"
    made = store.add(
        tx, book=book.id, person=channel_id, channel=Apprise.name, destination=destination,
        key=f"{key}/{Apprise.name}/{destination}", urgent=urgent, cause=cause, thread=thread,
        language=language, path="" if channel.public else path, created_at=now, attempts=0,
        error="", repeated=False, state="queued", next_at=now,
        title=model.tidy(model.in_language(title, language), model.LONGEST_TITLE, lines=False),
        body=model.tidy(model.in_language(body, language), model.LONGEST_BODY, lines=True),
    )  # fmt: skip
    if made is None:
        return 0
    tx.touch(TOPIC)
    return 1


def sent(tx: Transaction, now: datetime, row: store.Row) -> None:
    """Put on record that a page is out."""
    record(tx, now, "page.sent", row, attempts=row["attempts"], repeated=row["repeated"])


def record(tx: Transaction, now: datetime, action: str, row: store.Row, **data: object) -> None:
    """Put what became of a page into its story. Never the contact itself: it may be a secret."""
    subject = f"page:{row['id']}"
    tx.touch(TOPIC)
    where = {name: row[name] for name in ("book", "person", "channel", "destination")}
    audit.record(
        tx, now, SERVER, action, subject, thread=row["thread"] or subject, data={**where, **data}
    )
