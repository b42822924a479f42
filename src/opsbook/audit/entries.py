"""Writing and reading audit entries."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from opsbook.audit.tables import entry
from opsbook.base.database import Transaction

Actor = str
SERVER: Actor = "opsbook"


def record(
    tx: Transaction,
    now: datetime,
    actor: Actor,
    action: str,
    subject: str,
    *,
    thread: str | None = None,
    data: dict[str, Any] | None = None,
    text: str | None = None,
) -> int:
    """Record a transition in its cause's transaction; the sealer chains it once committed.

    ``actor`` is ``opsbook``, ``account:3`` or ``token:9``. ``subject`` is what changed
    (``run:214``); ``thread`` is the story it belongs to (``incident:12``). ``text`` is what a
    person wrote: only its salted hash is sealed, so that it can be erased without breaking the
    chain. Nothing else in an entry may hold a person's words.
    """
    salt = secrets.token_hex(16) if text is not None else None
    tx.touch("audit", subject, *([thread] if thread else []))
    return tx.insert(
        entry,
        at=now,
        actor=actor,
        action=action,
        subject=subject,
        thread=thread or subject,
        data=data or {},
        text=text,
        text_salt=salt,
        text_hash=text_hash(text, salt) if text is not None and salt is not None else None,
    )


def text_hash(text: str, salt: str) -> str:
    """Return the hash under which a person's words are sealed."""
    return hashlib.sha256(f"{salt}\n{text}".encode()).hexdigest()


def timeline(tx: Transaction, thread: str, also: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Return every entry of one story, and of the threads that led to it, in order of time."""
    mine = entry.c.thread.in_([thread, *also])
    return tx.rows(sa.select(entry).where(mine).order_by(entry.c.at, entry.c.id))


def latest(
    tx: Transaction, *, limit: int = 100, before: int | None = None, after: int | None = None
) -> list[dict[str, Any]]:
    """Return entries newest first; ``before`` pages back, ``after`` only those that are newer."""
    query = sa.select(entry).order_by(entry.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(entry.c.id < before)
    if after is not None:
        query = query.where(entry.c.id > after)
    return tx.rows(query)


def newest_id(tx: Transaction) -> int:
    """Return the newest entry's id; 0 when there is none."""
    return int(tx.scalar(sa.select(sa.func.max(entry.c.id))) or 0)


def unsealed(tx: Transaction) -> int:
    """Return how many committed entries wait for the sealer."""
    return int(tx.scalar(sa.select(sa.func.count()).where(entry.c.seq.is_(None))) or 0)
