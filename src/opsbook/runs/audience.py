"""Who is told of what a run waits for, and that it failed: persons of the book that runs now.

Whoever can answer is told, as roles are on that day: of an approval nobody who takes part in the
run, and nobody who has answered. Where no role is named it is the owner of the runbook or of the
book, as far as they can answer, so that not everybody with runs:write is told of everything. Of
what has to be decided and of a failure also whoever steers the run.

Never nobody while the book has anybody: a question that no one can answer has to be seen by
somebody who can change that.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from opsbook import people
from opsbook.access import accounts, approvals, approvers, model
from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.book import Book
from opsbook.book.library import Library
from opsbook.runs import confirmations, store

Row = dict[str, Any]


def book_now(tx: Transaction, library: Library, run: Row) -> Book:
    """Return the book whose people count: the running one, or the run's where none runs."""
    try:
        return library.current(run["book"])
    except NotFound:
        return library.at(tx, run["revision"])


def of_wait(tx: Transaction, now: datetime, book: Book, run: Row, waiting: Row) -> list[str]:
    """Return the persons who can end a wait and have not done their part of it."""
    owners = _owners(people.duty(tx, book, now), run, now)
    if waiting["kind"] == "decision":
        return list(dict.fromkeys([*_persons(tx, book, [run["steered_by"]]), *owners]))
    if waiting["kind"] == "approval":
        found = _approvers(tx, book, waiting["approval_id"])
    else:
        found = _doers(tx, book, waiting)
    if not model.roles_of(waiting["role"]):
        found = [one for one in owners if one in found] or found
    return found or owners


def of_failure(tx: Transaction, now: datetime, book: Book, run: Row) -> list[str]:
    """Return the persons who are told of a failure: who owns, who started and who steers it."""
    involved = _persons(tx, book, [run["started_by"], run["steered_by"]])
    return list(dict.fromkeys([*_owners(people.duty(tx, book, now), run, now), *involved]))


def _approvers(tx: Transaction, book: Book, approval_id: int) -> list[str]:
    asked = approvals.require(tx, approval_id)
    voted = [one["account_id"] for one in approvals.votes(tx, approval_id)]
    logins = accounts.logins(tx, [*asked["excluded"], *voted])
    return approvers.could_approve(book, asked, logins, voted)


def _doers(tx: Transaction, book: Book, waiting: Row) -> list[str]:
    did = [one["account_id"] for one in confirmations.of_step(tx, waiting["step_id"])]
    done = set(accounts.logins(tx, did).values())
    roles = set(model.roles_of(waiting["role"]))
    may = _who_may_run(book)
    return [
        one.id
        for one in book.people.values()
        if one.login not in done and (roles & set(one.roles) if roles else one.id in may)
    ]


def _owners(duty: people.Duty, run: Row, now: datetime) -> list[str]:
    book = duty.book
    runbook = book.runbooks.get(run["runbook"])
    owners = [name for name in (runbook.owner if runbook else None, book.owner) if name]
    for owner in owners:
        if found := duty.reached([owner], now):
            return found
    return _who_may_run(book)


def _who_may_run(book: Book) -> list[str]:
    return [
        person.id
        for person in book.people.values()
        if any(
            one.allows("runs", "write") for name in person.roles for one in book.roles.get(name, ())
        )
    ]


def _persons(tx: Transaction, book: Book, actors: list[str]) -> list[str]:
    ids = [one for one in (store.account_behind(tx, actor) for actor in actors) if one is not None]
    logins = accounts.logins(tx, ids)
    persons = (book.person_of(logins.get(one, "")) for one in ids)
    return [one for one in persons if one is not None]
