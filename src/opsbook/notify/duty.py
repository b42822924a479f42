"""Telling people of duty: that a swap is asked of them, and what was answered.

A question about tonight rings; one about next week waits in the inbox.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.base.events import Consumer, Event
from opsbook.book import Book
from opsbook.book.library import Library
from opsbook.notify import outbox
from opsbook.people import agreeing, store

SOON: Final = timedelta(hours=24)
TITLES: Final = {
    "asked": {"ko": "당번 교대 요청: {rotation}", "en": "Swap asked: {rotation}"},
    "accepted": {"ko": "당번 교대 수락: {rotation}", "en": "Swap accepted: {rotation}"},
    "declined": {"ko": "당번 교대 거절: {rotation}", "en": "Swap declined: {rotation}"},
}
BODIES: Final = {
    "asked": {"ko": "{giver} → {taker}, {when}", "en": "{giver} → {taker}, {when}"},
    "accepted": {
        "ko": "{when}: {taker}이(가) 당번입니다.", "en": "{when}: {taker} is on duty."
    },
    "declined": {
        "ko": "{when}: 그대로 {giver}이(가) 당번입니다.", "en": "{when}: it stays with {giver}."
    },
}  # fmt: skip


class DutyTelling:
    """The consumer ``duty``."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.consumer = Consumer(
            "duty", frozenset({agreeing.ASKED, agreeing.ANSWERED}), self.handle
        )

    def handle(self, tx: Transaction, event: Event, now: datetime) -> None:
        """Tell whoever has to answer, or whoever asked."""
        row = store.swapping(tx, event.data["swap"])
        if row is None or row["state"] not in TITLES:
            return
        try:
            book = self.library.current(row["book"])
        except NotFound:  # nobody of a book that does not run has anything to answer
            return
        asked = row["state"] == "asked"
        tell(tx, now, book, row, row["taker"] if asked else row["giver"])


def tell(tx: Transaction, now: datetime, book: Book, row: dict[str, Any], person: str) -> None:
    """Page one of the two; that there was a page for this state makes no second one."""
    rotation = book.rotations.get(row["rotation"])
    when = agreeing.said(book, row["rotation"], row["starts_at"], row["ends_at"])

    def words(texts: dict[str, str]) -> dict[str, str]:
        found = {}
        for language, text in texts.items():
            values = {"rotation": row["rotation"], "when": when}
            if rotation is not None and rotation.title is not None:
                values["rotation"] = rotation.title.in_language(language)
            for who in ("giver", "taker"):
                named = book.people.get(row[who])
                values[who] = named.name.in_language(language) if named is not None else row[who]
            found[language] = text.format(**values)
        return found

    outbox.page(
        tx, now, book=book, person_id=person, cause=f"swap {row['id']} {row['state']}",
        key=f"swap:{row['id']}/{row['state']}/{person}", thread=None,
        title=words(TITLES[row["state"]]), body=words(BODIES[row["state"]]),
        path=f"/book/{quote(book.id)}/rotations/{quote(row['rotation'])}",
        urgent=row["starts_at"] - now < SOON,
    )  # fmt: skip
