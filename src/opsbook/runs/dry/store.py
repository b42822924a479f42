"""The one part of a dry run that looks things up: what only the server knows, read in one go."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from opsbook.access import Principal, accounts, links
from opsbook.base import secrets
from opsbook.base.database import Transaction
from opsbook.base.errors import Refused
from opsbook.book import Book, Runbook
from opsbook.runs import behind, store
from opsbook.runs.dry.model import Account, Around
from opsbook.runs.dry.planning import needed_secrets
from opsbook.runs.tables import run

MOST_HELD: Final = 5


def around(tx: Transaction, now: datetime, book: Book, runbook: Runbook, who: Principal) -> Around:
    """Return what a plan has to know if `who` were to start the runbook.

    Of a secret only whether it is there: its value is looked at and let go.
    """
    authors = {
        account
        for actor in behind.authors(tx, book.id, str(book.revision))
        if (account := store.account_behind(tx, actor)) is not None
    }
    taking_part = authors if who.account_id is None else authors | {who.account_id}
    linked = links.one_person(tx, now, *taking_part) - taking_part
    return Around(
        starter=who.login if who.account_id is not None else "",
        authors=tuple(sorted(accounts.logins(tx, sorted(authors)).values())),
        linked=tuple(sorted(accounts.logins(tx, sorted(linked)).values())),
        refused=_refusal(book, who),
        accounts={
            row["login"]: Account(row["login"], row["disabled_at"] is None, row["first_admin"])
            for row in accounts.all(tx)
        },
        open_runs=tuple(with_lock(tx, book.id, runbook.lock)),
        secrets={one: _is_set(one) for one in needed_secrets(book, runbook)},
    )


def with_lock(tx: Transaction, book: str, lock: str | None) -> list[dict[str, Any]]:
    """Return the runs that are not over and hold or wait for a lock, the oldest first."""
    if lock is None:
        return []
    mine = (run.c.book == book) & (run.c.lock == lock) & run.c.state.in_(store.OPEN)
    columns = (run.c.id, run.c.title, run.c.runbook, run.c.state, run.c.started_by)
    return tx.rows(sa.select(*columns).where(mine).order_by(run.c.id).limit(MOST_HELD))


def _refusal(book: Book, who: Principal) -> str:
    try:
        who.require("runs:write", book)
    except Refused as error:
        return f"{error.message} {error.remedy}".strip()
    return ""


def _is_set(reference: str) -> bool:
    try:
        return bool(secrets.resolve(reference))
    except secrets.SecretMissing:
        return False
