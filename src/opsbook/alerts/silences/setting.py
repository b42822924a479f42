"""Setting, changing and expiring a silence: rows, with an audit entry in their transaction."""

from __future__ import annotations

import uuid as uuids
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from opsbook import audit
from opsbook.alerts.silences import store
from opsbook.alerts.silences.model import (
    MOST_STEPS_OF_BOOK,
    InvalidSilence,
    Silence,
    Wanted,
    can_change,
    faults,
    steps,
)
from opsbook.alerts.tables import silence
from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound

TOPIC = "silences"
LONGEST_COMMENT = 2_000
MOST = 1_000
"""Silences of a book that are not over: each is looked at for every alert, sooner or later."""


def put(tx: Transaction, now: datetime, book: str, wanted: Wanted, actor: str) -> Silence:
    """Set a silence, or change the one it names; return it as it is now.

    One that cannot be changed in place (it would match others, or is over) ends, and the one that
    is returned has another name: that is how Alertmanager does it, and its programs expect it. A
    beginning in the past is moved to now: nothing was silenced before anybody said so.

    Raises:
        InvalidSilence: with everything that is wrong.
        NotFound: there is no silence of the name it gives.
    """
    now, wanted = (
        _whole(now),
        replace(wanted, starts_at=_whole(wanted.starts_at), ends_at=_whole(wanted.ends_at)),
    )
    before = _named(tx, book, wanted.uuid) if wanted.uuid else None
    if before is not None and can_change(before, wanted, now):
        found = faults(wanted, min(now, wanted.ends_at))
        _refuse([one for one in found if not one.startswith("its end is past")])
        return _change(tx, now, before, wanted, actor)
    if wanted.starts_at < now:
        wanted = replace(wanted, starts_at=now)
    replaced = before is not None and before.ends_at > now
    found = faults(wanted, now) + _full(store.count(tx, book, now) - replaced)
    _refuse(found or _too_much(tx, book, now, wanted))
    if before is not None and replaced:
        expire(tx, now, book, before.uuid, actor)
    return _begin(tx, now, book, replace(wanted, uuid=""), actor)


def _whole(at: datetime) -> datetime:
    """A time in whole milliseconds: what a program reads and hands back must be the same time."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def expire(tx: Transaction, now: datetime, book: str, uuid: str, actor: str) -> Silence:
    """End a silence now; one that is over stays as it is.

    Raises:
        NotFound: the book has no such silence.
    """
    known = _named(tx, book, uuid)
    if known.ends_at <= now:
        return known
    values: dict[str, Any] = {
        "starts_at": min(known.starts_at, now), "ends_at": now, "updated_at": now,
        "expired_by": actor,
    }  # fmt: skip
    if tx.claim(sa.update(silence).where(silence.c.id == known.id).values(**values)):
        tx.touch(TOPIC)
        _tell(tx, now, actor, "silence.expired", known)
    return replace(known, starts_at=values["starts_at"], ends_at=now, expired_by=actor)


def _begin(tx: Transaction, now: datetime, book: str, wanted: Wanted, actor: str) -> Silence:
    values: dict[str, Any] = {
        "uuid": str(uuids.uuid4()), "book": book, **_columns(wanted), "created_at": now,
        "updated_at": now, "expired_by": "",
    }  # fmt: skip
    made = tx.insert(silence, **values)
    tx.touch(TOPIC)
    set_now = store.get(tx, values["uuid"])
    if set_now is None:
        raise NotFound(f"The silence {made} is not there any more.")
    _tell(tx, now, actor, "silence.set", set_now)
    return set_now


def _change(tx: Transaction, now: datetime, before: Silence, wanted: Wanted, actor: str) -> Silence:
    values = {**_columns(wanted), "updated_at": now}
    tx.execute(sa.update(silence).where(silence.c.id == before.id).values(**values))
    tx.touch(TOPIC)
    after = replace(
        before, starts_at=wanted.starts_at, ends_at=wanted.ends_at, comment=values["comment"],
        created_by=wanted.created_by, updated_at=now,
    )  # fmt: skip
    _tell(tx, now, actor, "silence.changed", after)
    return after


def _columns(wanted: Wanted) -> dict[str, Any]:
    matchers = [{"name": m.name, "op": m.op, "value": m.value} for m in wanted.matchers]
    return {
        "matchers": matchers, "starts_at": wanted.starts_at, "ends_at": wanted.ends_at,
        "schedule": wanted.schedule, "length_s": int(wanted.length.total_seconds()),
        "timezone": wanted.timezone, "created_by": wanted.created_by[:200],
        "comment": wanted.comment[:LONGEST_COMMENT],
    }  # fmt: skip


def _named(tx: Transaction, book: str, uuid: str) -> Silence:
    found = store.get(tx, uuid)
    if found is None or found.book != book:
        raise NotFound(
            f"There is no silence {uuid[:64]!r} in the book {book}.",
            remedy="It may have been over for long; the list of silences has those there are.",
        )
    return found


def _full(count: int) -> list[str]:
    if count < MOST:
        return []
    return [
        f"the book has {count:,} silences that are not over, and takes no more than {MOST:,}: end "
        "some, or set one whose pattern takes the alerts of many"
    ]


def _too_much(tx: Transaction, book: str, now: datetime, wanted: Wanted) -> list[str]:
    own = steps(wanted.matchers)
    if not own:
        return []
    mine = [one for one in store.list_of(tx, book, now) if one.uuid != wanted.uuid]
    if own + sum(steps(one.matchers) for one in mine) <= MOST_STEPS_OF_BOOK:
        return []
    return [
        "the patterns of this book's silences are too much work together: end some, or match a "
        "value instead of a pattern"
    ]


def _refuse(found: list[str]) -> None:
    if found:
        raise InvalidSilence(
            f"The silence cannot be set: {'; '.join(found)}.",
            remedy="Give matchers for the alerts that are meant, an end, and a comment that says "
            "why.",
        )


def _tell(tx: Transaction, now: datetime, actor: str, action: str, one: Silence) -> None:
    audit.record(
        tx, now, actor, action, f"silence:{one.id}", thread=f"silence:{one.id}", text=one.comment,
        data={
            "book": one.book, "silence": one.uuid, "matchers": [str(m) for m in one.matchers],
            "starts_at": one.starts_at.isoformat(), "ends_at": one.ends_at.isoformat(),
            "schedule": one.schedule, "created_by": one.created_by,
        },
    )  # fmt: skip
