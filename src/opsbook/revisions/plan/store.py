"""What goes on in a book at this moment, read for a plan. The comparison never comes here."""

from __future__ import annotations

import sqlalchemy as sa

from opsbook.access.tables import account
from opsbook.alerts.tables import alert
from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.book import Book, BookError
from opsbook.book.library import Library
from opsbook.incidents import store as incidents
from opsbook.notify.store import WAITING
from opsbook.notify.tables import page
from opsbook.revisions.plan.underway import OpenIncident, RunInFlight, Running, remaining
from opsbook.runs.store import OPEN
from opsbook.runs.tables import run, step

TO_COME = ("pending", "running", "waiting", "interrupted")


def running(tx: Transaction, library: Library, book: Book) -> Running:
    """Return the runs, incidents, firing alerts and undelivered pages of a book."""
    return Running(
        runs_in_flight(tx, library, book.id),
        open_incidents(tx, book),
        firing(tx, book.id),
        undelivered(tx, book.id),
    )


def runs_in_flight(tx: Transaction, library: Library, book: str) -> tuple[RunInFlight, ...]:
    """Return runs that are not over, oldest first, with the steps still to come."""
    mine = (run.c.book == book) & run.c.state.in_(OPEN)
    rows = tx.rows(sa.select(run).where(mine).order_by(run.c.id))
    to_come = step.c.run_id.in_([row["id"] for row in rows]) & step.c.state.in_(TO_COME)
    keys: dict[int, list[str]] = {}
    at: dict[int, str] = {}
    for row in tx.rows(sa.select(step).where(to_come).order_by(step.c.run_id, step.c.position)):
        keys.setdefault(row["run_id"], []).append(row["key"])
        if row["state"] != "pending":
            at.setdefault(row["run_id"], row["key"])
    found = []
    for row in rows:
        left = tuple(keys.get(row["id"], ()))
        try:
            runbook = library.at(tx, row["revision"]).runbooks.get(row["runbook"])
        except (BookError, NotFound):  # a revision that this version can no longer read
            runbook = None
        known = remaining(runbook, left) if runbook else dict.fromkeys(left, "")
        current = at.get(row["id"]) or next(iter(left), None)
        found.append(RunInFlight(row["id"], row["runbook"], row["revision"], current, known))
    return tuple(found)


def open_incidents(tx: Transaction, book: Book) -> tuple[OpenIncident, ...]:
    """Return incidents that are not over, with the person who answered each."""
    rows = incidents.active(tx, book.id)
    answered = [row["acknowledged_by"] for row in rows if row["acknowledged_by"] is not None]
    logins = {
        row["id"]: row["login"]
        for row in tx.rows(
            sa.select(account.c.id, account.c.login).where(account.c.id.in_(answered))
        )
    }
    return tuple(
        OpenIncident(
            row["id"], row["severity"], row["revision"], row["opened_at"], row["acknowledge_by"],
            book.person_of(logins.get(row["acknowledged_by"], "")),
        )
        for row in rows
    )  # fmt: skip


def firing(tx: Transaction, book: str) -> dict[str, int]:
    """Return how many alerts of each rule fire."""
    mine = (alert.c.book == book) & (alert.c.state == "firing")
    count = sa.func.count().label("n")
    query = sa.select(alert.c.rule, count).where(mine).group_by(alert.c.rule)
    return {row["rule"]: row["n"] for row in tx.rows(query)}


def undelivered(tx: Transaction, book: str) -> dict[str, int]:
    """Return how many pages to each person are not sent yet."""
    mine = (page.c.book == book) & page.c.state.in_((*WAITING, "sending"))
    count = sa.func.count().label("n")
    query = sa.select(page.c.person, count).where(mine).group_by(page.c.person)
    return {row["person"]: row["n"] for row in tx.rows(query)}
