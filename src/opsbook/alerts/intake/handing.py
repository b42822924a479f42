"""Handing alerts on to be worked in: a row, on disk with the transaction it is written in."""

from __future__ import annotations

from datetime import datetime

from opsbook.alerts.intake import store
from opsbook.base.database import Transaction

TOPIC = "alerts.intake"


def hand_in(tx: Transaction, now: datetime, book: str, source: str, body: bytes) -> None:
    """Keep a batch until the server that decides has worked it in.

    `source` is an intake and `body` alerts (`posted.encode`); or ``rules`` and the number of an
    alert of the book's own that fired or is over.
    """
    tx.touch(TOPIC)
    store.put(tx, [{"book": book, "source": source, "at": now, "body": body}])
