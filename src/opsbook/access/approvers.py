"""Who may approve something, looked up: rows, roles and accounts become the values of ``model``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from opsbook import people
from opsbook.access import accounts, links, model
from opsbook.access.errors import NotApproved, Settled
from opsbook.access.principal import Principal
from opsbook.base.database import Transaction
from opsbook.base.errors import OpsbookError
from opsbook.book import Book
from opsbook.book.sections.people import Permission


def asked(row: Mapping[str, Any], book: Book) -> model.Asked:
    """Return what a row asks for, under the rule about one's own work that holds today."""
    because = row["excluded_because"] or {}
    return model.Asked(
        state=row["state"],
        roles=model.roles_of(row["role"]),
        permission=row["permission"] or model.USUAL,
        need=row["need"],
        excluded={one: because.get(str(one), "started") for one in row["excluded"]},
        record=_record_allowed(row, book),
        expires_at=row["expires_at"],
        settled_at=row["decided_at"],
    )


def voter(
    tx: Transaction, now: datetime, principal: Principal, row: Mapping[str, Any], book: Book
) -> model.Voter:
    """Return who wants to vote: the account as it is now, the roles as the book gives them now."""
    account_id = principal.account_id
    account = accounts.by_id(tx, account_id) if account_id is not None else None
    return model.Voter(
        account_id=account_id,
        login=principal.login,
        acts_for_person="approve" in principal.scopes,
        enabled=account is not None and account["disabled_at"] is None,
        entitled=principal.first_admin or holds(principal, row, book),
        one_person=links.one_person(tx, now, account_id) if account_id else frozenset(),
    )


def given(votes: Iterable[Mapping[str, Any]]) -> list[model.Vote]:
    """Return the votes that were given."""
    return [
        model.Vote(one["account_id"], one["decision"], frozenset(one.get("persons", ())))
        for one in votes
    ]


def holds(principal: Principal, row: Mapping[str, Any], book: Book) -> bool:
    """Tell whether the book gives this person what the approval takes."""
    return _entitles(book, principal.roles(book), row)


def could_approve(
    book: Book, row: Mapping[str, Any], logins: Mapping[int, str], voted: Iterable[int] = ()
) -> list[str]:
    """Return the persons of the book who may still say yes: for "waits for …".

    ``logins`` are the names of the excluded accounts (``accounts.logins``) and of those who have
    ``voted``. Empty means that nobody in the book can: it waits for the first administrator, or in
    vain.
    """
    excluded = () if _record_allowed(row, book) else row["excluded"]
    shut = {logins.get(one) for one in (*excluded, *voted)}
    return [
        person.id
        for person in book.people.values()
        if person.login not in shut and _entitles(book, person.roles, row)
    ]


def on_duty(duty: people.Duty, now: datetime) -> list[str]:
    """Return whom a rotation has on duty first: of those who could answer, the ones to ask.

    A team without a rotation says in which order to call its people, and not who is there.
    """
    teams = [one for one in duty.book.teams.values() if one.rotation is not None]
    return list(dict.fromkeys(who for one in teams for who in duty.of(one.id, now)[:1]))


def yes_of_excluded(
    tx: Transaction, now: datetime, votes: Iterable[Mapping[str, Any]], excluded: Iterable[int],
    row: Mapping[str, Any], book: Book,
) -> list[int]:  # fmt: skip
    """Return the accounts whose yes was given before they became part of what was asked.

    Whoever acts on an approval asks once more, since to vote and to take part can cross each other.
    """
    if _record_allowed(row, book):
        return []
    part = links.one_person(tx, now, *excluded)
    yes = [one for one in votes if one["decision"] == "approve" and not one["by_oneself"]]
    return [one.account_id for one in given(yes) if model.said(one, part)]


def why_not(
    tx: Transaction,
    now: datetime,
    row: Mapping[str, Any],
    votes: Iterable[Mapping[str, Any]],
    principal: Principal,
    book: Book,
) -> OpsbookError | None:
    """Return what voting yes would be refused with, for a page that shows only what one may do."""
    try:
        who = voter(tx, now, principal, row, book)
        model.rule(asked(row, book), who, given(votes), "approve", now)
    except (NotApproved, Settled) as error:
        return error
    return None


def _entitles(book: Book, mine: Iterable[str], row: Mapping[str, Any]) -> bool:
    wanted = model.roles_of(row["role"])
    return not set(wanted).isdisjoint(mine) if wanted else _permits(book, mine, row)


def _permits(book: Book, roles: Iterable[str], row: Mapping[str, Any]) -> bool:
    asked = Permission.of(row["permission"] or model.USUAL)
    given = (one for role in roles for one in book.roles.get(role, ()))
    return any(one.allows(asked.area, asked.level) for one in given)


def _record_allowed(row: Mapping[str, Any], book: Book) -> bool:
    """Both must allow it: loosening the book while something waits does not loosen what waits."""
    return row["self_approval"] == "record" and book.self_approval == "record"
