"""``/oncall``: who is on duty, from when until when, and what people agree upon themselves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from opsbook import people
from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid, NotFound
from opsbook.book import Book
from opsbook.people import agreeing, ahead
from opsbook.people import store as agreed
from opsbook.people.agreeing import Acting, Time
from opsbook.web import words
from opsbook.web.api.callers import Ask, Asking
from opsbook.web.api.duties import (
    AheadOut,
    ClashOut,
    ExceptionOut,
    GapOut,
    NewException,
    NewSwap,
    OnCall,
    OnDuty,
    ShiftOut,
    Shifts,
    SwapOut,
)
from opsbook.web.api.idempotency import Once, OnlyOnce
from opsbook.web.api.problems import ProblemRoute
from opsbook.web.i18n import Speech
from opsbook.web.numbers import Number

routes = APIRouter(route_class=ProblemRoute, tags=["oncall"])
AREA: Final = "incidents"
MANAGE: Final = "people:write"
LONGEST: Final = timedelta(days=366)
AHEAD: Final = (timedelta(days=14), timedelta(days=92))
"""How far somebody else is looked for who comes next."""


@routes.get("/oncall")
async def now(ask: Ask, book: str | None = None, at: AwareDatetime | None = None) -> OnCall:
    """Whom each team calls, now or at another moment, and who comes next."""
    books = ask.books(AREA, book)
    moment = at or ask.app.clock.now()

    def read(tx: Transaction) -> OnCall:
        return OnCall(
            at=moment,
            teams=[
                _team(duty, team, moment, Speech(ask.language))
                for duty in (people.duty(tx, one, moment) for one in books)
                for team in duty.book.teams
            ],
        )

    return await ask.app.database.read(read)


@routes.get("/oncall/ahead")
async def what_is_wrong(
    ask: Ask, book: str | None = None, days: Annotated[int, Query(ge=1, le=366)] = 31
) -> AheadOut:
    """What is wrong with duty from now on: gaps, and people called by two rotations at once."""
    books = ask.books(AREA, book)
    begins = ask.app.clock.now()
    ends = begins + timedelta(days=days)

    def read(tx: Transaction) -> AheadOut:
        found = AheadOut(until=ends, gaps=[], clashes=[])
        for one in books:
            duty = people.duty(tx, one, begins)
            found.gaps.extend(
                GapOut(book=one.id, rotation=gap.rotation, start=gap.start, end=gap.end,
                       person=gap.person)
                for gap in ahead.gaps(duty, begins, ends)
            )  # fmt: skip
            found.clashes.extend(
                ClashOut(book=one.id, person=clash.person, rotations=list(clash.rotations),
                         start=clash.start, end=clash.end)
                for clash in ahead.clashes(duty, begins, ends)
            )  # fmt: skip
        return found

    return await ask.app.database.read(read)


@routes.get("/oncall/{rotation}/shifts")
async def shifts(
    ask: Ask,
    rotation: str,
    book: str | None = None,
    start: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    end: Annotated[AwareDatetime | None, Query(alias="to")] = None,
) -> Shifts:
    """Who is called first from when until when: from now for two weeks, unless said otherwise."""
    here = _of_rotation(ask, book, rotation)
    begins = start or ask.app.clock.now()
    ends = end or begins + AHEAD[0]
    if not timedelta(0) < ends - begins <= LONGEST:
        raise Invalid(
            f"From {begins} to {ends} cannot be shown.",
            remedy=f"Ask for at most {LONGEST.days} days, the beginning first.",
        )

    def read(tx: Transaction) -> Shifts:
        made = [
            ShiftOut(start=one.start, end=one.end, person=one.person, why=one.why)
            for one in people.duty(tx, here, begins).shifts(rotation, begins, ends)
        ]
        return Shifts(
            book=here.id,
            rotation=rotation,
            shifts=made,
            exceptions=[
                ExceptionOut(**row) for row in agreed.exceptions(tx, here.id, rotation, begins)
            ],
            swaps=[SwapOut(**row) for row in agreed.open_swaps(tx, here.id, rotation)],
        )

    return await ask.app.database.read(read)


@routes.post("/oncall/exceptions", status_code=201)
async def take_over(once: OnlyOnce, asked: NewException) -> ExceptionOut:
    """Take a duty over for a time; for others with ``people:write``."""
    ask = once.ask
    here = ask.books(AREA, asked.book)[0]
    time = Time(asked.rotation, asked.starts_at, asked.ends_at)

    def write(tx: Transaction) -> ExceptionOut:
        number = agreeing.take_over(
            tx, ask.app.clock.now(), here, time, asked.person, _acting(ask, here), asked.reason
        )
        return ExceptionOut(**(agreed.exception(tx, number) or {}))

    return await once.write(write)


@routes.post("/oncall/exceptions/{exception_id}/withdraw")
async def withdraw(once: OnlyOnce, exception_id: Number) -> ExceptionOut:
    """End an exception: what is left of its time goes back to whoever had it."""
    ask = once.ask

    def write(tx: Transaction) -> ExceptionOut:
        here, row = _seen(ask, agreed.exception(tx, exception_id), f"exception {exception_id}")
        agreeing.withdraw(tx, ask.app.clock.now(), here, exception_id, _acting(ask, here))
        return ExceptionOut(**row)

    return await once.write(write)


@routes.post("/oncall/swaps", status_code=201)
async def ask_for_swap(once: OnlyOnce, asked: NewSwap) -> SwapOut:
    """Ask somebody to take a time of duty; it holds once they say yes."""
    ask = once.ask
    here = ask.books(AREA, asked.book)[0]
    time = Time(asked.rotation, asked.starts_at, asked.ends_at)
    back = None
    if asked.back_starts_at is not None and asked.back_ends_at is not None:
        back = Time(asked.rotation, asked.back_starts_at, asked.back_ends_at)

    def write(tx: Transaction) -> SwapOut:
        number = agreeing.ask(
            tx, ask.app.clock.now(), here, time, asked.giver, asked.taker, _acting(ask, here),
            back=back, reason=asked.reason,
        )  # fmt: skip
        return SwapOut(**(agreed.swapping(tx, number) or {}))

    return await once.write(write)


@routes.post("/oncall/swaps/{swap_id}/accept")
async def accept(once: OnlyOnce, swap_id: Number) -> SwapOut:
    """Say yes: both times change hands."""
    return await _answer(once, swap_id, accept=True)


@routes.post("/oncall/swaps/{swap_id}/decline")
async def decline(once: OnlyOnce, swap_id: Number) -> SwapOut:
    """Say no: everything stays as it was."""
    return await _answer(once, swap_id, accept=False)


@routes.post("/oncall/swaps/{swap_id}/withdraw")
async def take_back(once: OnlyOnce, swap_id: Number) -> SwapOut:
    """Withdraw a question that nobody has answered."""
    ask = once.ask

    def write(tx: Transaction) -> SwapOut:
        here, _ = _seen(ask, agreed.swapping(tx, swap_id), f"swap {swap_id}")
        agreeing.take_back(tx, ask.app.clock.now(), here, swap_id, _acting(ask, here))
        return SwapOut(**(agreed.swapping(tx, swap_id) or {}))

    return await once.write(write)


async def _answer(once: Once, number: int, *, accept: bool) -> SwapOut:
    ask = once.ask

    def write(tx: Transaction) -> SwapOut:
        here, _ = _seen(ask, agreed.swapping(tx, number), f"swap {number}")
        agreeing.answer(tx, ask.app.clock.now(), here, number, _acting(ask, here), accept=accept)
        return SwapOut(**(agreed.swapping(tx, number) or {}))

    return await once.write(write)


def _team(duty: people.Duty, id: str, at: datetime, speech: Speech) -> OnDuty:
    team = duty.book.teams[id]
    named = duty.of(id, at)
    why = duty.first(team.rotation, at).why if team.rotation is not None else None
    after, when = _next(duty, team.rotation, at) if team.rotation is not None else (None, None)
    return OnDuty(
        book=duty.book.id, team=id, title=words.text(speech, team.title) if team.title else id,
        rotation=team.rotation, on_duty=named, why=why, next=after, next_at=when,
    )  # fmt: skip


def _next(
    duty: people.Duty, rotation: str, at: datetime
) -> tuple[str, datetime] | tuple[None, None]:
    """Somebody else than now, and when they come."""
    for far in AHEAD:
        first, *later = duty.shifts(rotation, at, at + far)
        found = next((one for one in later if one.person != first.person), None)
        if found is not None:
            return found.person, found.start
    return None, None


def _acting(ask: Asking, book: Book) -> Acting:
    """Who asks, as somebody who answers for it: programs agree upon nothing."""
    ask.who.require_person()
    person = ask.who.person(book)
    return Acting(ask.who.actor, person.id if person else None, manages=ask.who.may(MANAGE, book))


def _of_rotation(ask: Asking, book: str | None, rotation: str) -> Book:
    books = ask.books(AREA, book)
    found = [one for one in books if rotation in one.rotations]
    if not found:
        known = ", ".join(id for one in books for id in one.rotations) or "none"
        raise NotFound(
            f"There is no rotation {rotation!r} that you may read.",
            remedy=f"Those there are: {known}.",
        )
    if len(found) > 1:
        raise Invalid(
            f"Several books have a rotation {rotation!r}.",
            remedy=f"Say which: book={found[0].id}, for instance.",
        )
    return found[0]


def _seen(ask: Asking, row: dict[str, Any] | None, what: str) -> tuple[Book, dict[str, Any]]:
    running = {one.id: one for one in ask.app.library.books()}
    book = running.get(row["book"]) if row is not None else None
    if row is None or book is None or not ask.who.may(f"{AREA}:read", book):
        raise NotFound(f"There is no {what} that you may read.")
    return book, row
