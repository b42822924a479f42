"""Exceptions that people agree upon on the page: taking over, and swapping.

Whoever takes a duty upon themselves needs nobody's leave, as long as they are one of those who take
turns there: it takes work off somebody. Giving one's own duty to somebody else needs their yes (a
swap), since a night with somebody who does not know of it is a night with nobody. Whoever looks
after duty (``people:write``) may do either for others. Nothing is deleted: what does not hold any
more was withdrawn, by somebody.

Who acts is worked out by the callers, who know accounts; here is what that allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from opsbook import audit
from opsbook.base import events
from opsbook.base.database import Instant, Transaction
from opsbook.base.errors import Conflict, Invalid, NotFound, Refused
from opsbook.book import Book
from opsbook.people import store
from opsbook.people.tables import override, swap

LONGEST: Final = timedelta(days=92)
SHORTEST: Final = timedelta(minutes=5)
TOPIC: Final = "duty"
ASKED: Final = "duty.swap_asked"
ANSWERED: Final = "duty.swap_answered"


class InvalidAgreement(Invalid):
    """What was asked for cannot be: with everything that is wrong."""


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts: the actor for the record, their person in the book, if they look after duty."""

    actor: str
    person: str | None
    manages: bool = False


@dataclass(frozen=True, slots=True)
class Time:
    """From when until when, in one rotation."""

    rotation: str
    start: datetime
    end: datetime


def take_over(
    tx: Transaction, now: datetime, book: Book, time: Time, person: str, by: Acting,
    reason: str = "",
) -> int:  # fmt: skip
    """Let a person be called first for a time; return the exception's number.

    Raises:
        InvalidAgreement: with everything that is wrong.
        Refused: it is not theirs to decide.
    """
    refused = Refused(
        f"You may not put {person} on duty in {time.rotation}.",
        remedy="Ask them for a swap, or somebody who looks after duty (people:write).",
    )
    if not by.manages and by.person != person:
        raise refused
    check(book, time, now, persons=[person])
    if not by.manages and person not in turning(book, time.rotation):
        raise refused
    return _except(tx, now, book, time, person, by.actor, reason)


def withdraw(tx: Transaction, now: datetime, book: Book, number: int, by: Acting) -> None:
    """End an exception: what is left of its time goes back to whoever had it.

    Raises:
        NotFound: the book has no such exception.
        Refused: it is somebody else's.
        Conflict: it is over, or was withdrawn already.
    """
    row = tx.row(sa.select(override).where(override.c.id == number, override.c.book == book.id))
    if row is None:
        raise NotFound(f"There is no exception {number} in the book {book.id}.")
    if not by.manages and by.actor != row["made_by"]:
        raise Refused(
            f"Exception {number} was made by somebody else.",
            remedy="Take the duty over yourself, or ask somebody with people:write.",
        )
    mine = (override.c.id == number) & override.c.withdrawn_at.is_(None)
    change = sa.update(override).where(mine, override.c.ends_at > now)
    if not tx.claim(change.values(withdrawn_at=now, withdrawn_by=by.actor)):
        raise Conflict(f"Exception {number} does not hold any more.")
    tx.touch(TOPIC)
    _record(tx, now, by.actor, "duty.exception_withdrawn", book, row)


def ask(
    tx: Transaction, now: datetime, book: Book, time: Time, giver: str, taker: str, by: Acting,
    *, back: Time | None = None, reason: str = "",
) -> int:  # fmt: skip
    """Ask somebody to take a time of the giver's, perhaps for one of theirs; return the number.

    Raises:
        InvalidAgreement: with everything that is wrong, among it that the time is not the giver's.
        Refused: it is not theirs to give away.
    """
    if not by.manages and by.person != giver:
        raise Refused(f"You may not give away what is {giver}'s.")
    check(book, time, now, persons=[giver, taker])
    found = _not_theirs(tx, book, now, time, giver)
    if giver == taker:
        found.append("giver and taker are the same person")
    if back is not None:
        check(book, back, now, persons=[])
        found += _not_theirs(tx, book, now, back, taker)
    if taker not in turning(book, time.rotation):
        found.append(f"{taker} takes no turns in {time.rotation}, nor is a member of its teams")
    _refuse(found)
    number = tx.insert(
        swap, book=book.id, rotation=time.rotation, giver=giver, taker=taker,
        starts_at=time.start, ends_at=time.end, back_starts_at=back.start if back else None,
        back_ends_at=back.end if back else None, reason=audit.note(reason), state="asked",
        asked_by=by.actor, asked_at=now,
    )  # fmt: skip
    row = _swap(tx, book, number)
    tx.touch(TOPIC)
    _record(tx, now, by.actor, ASKED, book, row)
    events.publish(tx, now, ASKED, f"swap:{number}", {"swap": number, "book": book.id})
    return number


def answer(
    tx: Transaction, now: datetime, book: Book, number: int, by: Acting, *, accept: bool
) -> None:
    """Say yes or no to a swap. With a yes both times change hands, or neither.

    Raises:
        NotFound, Conflict: there is no such swap, or it waits for no answer.
        Refused: it is somebody else who was asked.
        InvalidAgreement: the times are not theirs any more.
    """
    row = _swap(tx, book, number)
    if by.person != row["taker"] and not by.manages:
        raise Refused(f"{row['taker']} was asked, and has to answer.")
    state = "accepted" if accept else "declined"
    _answered(tx, now, row, state, by)
    if accept:
        time, back = _times(row)
        found = _not_theirs(tx, book, now, time, row["giver"])
        found += _not_theirs(tx, book, now, back, row["taker"]) if back is not None else []
        _refuse(found)
        _except(tx, now, book, time, row["taker"], by.actor, row["reason"], number)
        if back is not None:
            _except(tx, now, book, back, row["giver"], by.actor, row["reason"], number)
    _record(tx, now, by.actor, f"duty.swap_{state}", book, row)
    events.publish(tx, now, ANSWERED, f"swap:{number}", {"swap": number, "book": book.id})


def take_back(tx: Transaction, now: datetime, book: Book, number: int, by: Acting) -> None:
    """Withdraw a question that nobody has answered."""
    row = _swap(tx, book, number)
    if by.person != row["giver"] and by.actor != row["asked_by"] and not by.manages:
        raise Refused(f"Swap {number} was asked for by somebody else.")
    _answered(tx, now, row, "withdrawn", by)
    _record(tx, now, by.actor, "duty.swap_withdrawn", book, row)


def expire(tx: Transaction, now: datetime) -> datetime | None:
    """End questions whose time has begun; return when the next one's does."""
    due = (swap.c.state == "asked") & (swap.c.starts_at <= now)
    change = sa.update(swap).where(due).values(state="expired", answered_at=now)
    if tx.execute(change).rowcount:
        tx.touch(TOPIC)
    soonest = sa.select(sa.type_coerce(sa.func.min(swap.c.starts_at), Instant))
    found: datetime | None = tx.scalar(soonest.where(swap.c.state == "asked"))
    return found


def turning(book: Book, rotation: str) -> set[str]:
    """Return the people who take turns in a rotation, and the members of teams it is for."""
    found = {who for layer in book.rotations[rotation].layers for who in layer.people}
    for team in book.teams.values():
        if team.rotation == rotation:
            found |= set(team.members)
    return found


def check(book: Book, time: Time, now: datetime, persons: list[str]) -> None:
    """Refuse a time that cannot be meant.

    Raises:
        InvalidAgreement: with everything that is wrong.
    """
    found = [f"there is nobody {one!r} in the book" for one in persons if one not in book.people]
    if time.rotation not in book.rotations:
        known = ", ".join(book.rotations) or "none"
        found.append(f"there is no rotation {time.rotation!r}; there is {known}")
    if time.end - time.start < SHORTEST:
        found.append("it ends before it begins, or within five minutes")
    if time.end <= now:
        found.append("it is over already")
    if time.end - time.start > LONGEST:
        found.append(f"it is longer than {LONGEST.days} days; change the rotation in the book")
    _refuse(found)


def said(book: Book, rotation: str, start: datetime, end: datetime) -> str:
    """A time as the clocks of a rotation show it."""
    found = book.rotations.get(rotation)
    zone = ZoneInfo(found.timezone or book.timezone if found is not None else book.timezone)
    return " – ".join(f"{at.astimezone(zone):%Y-%m-%d %H:%M}" for at in (start, end))


def _not_theirs(tx: Transaction, book: Book, now: datetime, time: Time, person: str) -> list[str]:
    shifts = store.duty(tx, book, now).shifts(time.rotation, max(time.start, now), time.end)
    others = sorted({one.person for one in shifts if one.person != person})
    if not others:
        return []
    told = said(book, time.rotation, time.start, time.end)
    return [f"{told}: {', '.join(others)} is on duty for some of the time, not {person}"]


def _refuse(found: list[str]) -> None:
    if found:
        raise InvalidAgreement(
            f"{'; '.join(found)}.".capitalize(), remedy="Correct it and send it again."
        )


def _except(
    tx: Transaction, now: datetime, book: Book, time: Time, person: str, actor: str, reason: str,
    swap_id: int | None = None,
) -> int:  # fmt: skip
    number = tx.insert(
        override, book=book.id, rotation=time.rotation, person=person, starts_at=time.start,
        ends_at=time.end, reason=audit.note(reason), swap_id=swap_id, made_by=actor, made_at=now,
        withdrawn_by="",
    )  # fmt: skip
    row = tx.row(sa.select(override).where(override.c.id == number)) or {}
    tx.touch(TOPIC)
    _record(tx, now, actor, "duty.exception_made", book, row)
    return number


def _swap(tx: Transaction, book: Book, number: int) -> dict[str, Any]:
    row = tx.row(sa.select(swap).where(swap.c.id == number, swap.c.book == book.id))
    if row is None:
        raise NotFound(f"There is no swap {number} in the book {book.id}.")
    return row


def _times(row: dict[str, Any]) -> tuple[Time, Time | None]:
    time = Time(row["rotation"], row["starts_at"], row["ends_at"])
    if row["back_starts_at"] is None:
        return time, None
    return time, Time(row["rotation"], row["back_starts_at"], row["back_ends_at"])


def _answered(tx: Transaction, now: datetime, row: dict[str, Any], state: str, by: Acting) -> None:
    mine = (swap.c.id == row["id"]) & (swap.c.state == "asked")
    change = sa.update(swap).where(mine)
    if not tx.claim(change.values(state=state, answered_at=now, answered_by=by.actor)):
        raise Conflict(f"Swap {row['id']} waits for no answer: it is {row['state']}.")
    tx.touch(TOPIC)


def _record(
    tx: Transaction, now: datetime, actor: str, action: str, book: Book, row: dict[str, Any]
) -> None:
    subject = f"rotation:{book.id}/{row['rotation']}"
    named = ("id", "rotation", "person", "giver", "taker")
    data = {name: row[name] for name in named if name in row} | {"book": book.id}
    data["when"] = said(book, row["rotation"], row["starts_at"], row["ends_at"])
    audit.record(tx, now, actor, action, subject, text=row["reason"] or None, data=data)
