"""Queries of the pages about many alerts at once: who answers them, and what was sent of them.

Ten thousand may fire. What is counted is counted by the database, what is shown is limited there,
and the rows that fire are found by the index that keeps them apart from all that are over.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from opsbook.alerts.tables import alert
from opsbook.base.database import Transaction
from opsbook.incidents.store import ACTIVE
from opsbook.incidents.tables import incident, incident_alert
from opsbook.notify.tables import delivery, page

Row = dict[str, Any]
SLICE: Final = 500
MOST_FAILING: Final = 500
MOST_SENT: Final = 20

# Word for word what the index over active alerts is made with, or SQLite does not use it.
_ACTIVE: Final = sa.text("alert.state IN ('pending', 'firing')")
_ANSWERED: Final = (
    sa.select(incident_alert.c.alert_id)
    .join(incident, incident.c.id == incident_alert.c.incident_id)
    .where(incident.c.state.in_(ACTIVE))
)


def _unanswered(books: Collection[str]) -> tuple[sa.ColumnElement[bool] | sa.TextClause, ...]:
    """Alerts of these books that fire and belong to no incident that is not over.

    The book is hidden in an expression, since its own index leads through every alert that ever
    fired.
    """
    mine = sa.func.coalesce(alert.c.book, "").in_(list(books))
    return _ACTIVE, alert.c.state == "firing", mine, alert.c.id.not_in(_ANSWERED)


def unanswered(tx: Transaction, books: Collection[str]) -> list[Row]:
    """Return how many alerts fire that no incident answers: by book, severity and rule."""
    named = (alert.c.book, alert.c.severity, alert.c.rule)
    query = sa.select(*named, sa.func.count().label("count")).where(*_unanswered(books))
    return tx.rows(query.group_by(*named))


def unanswered_labels(tx: Transaction, books: Collection[str]) -> list[Row]:
    """Return those alerts one by one, with no more of each than a silence asks for."""
    columns = (alert.c.id, alert.c.book, alert.c.severity, alert.c.rule, alert.c.labels)
    return tx.rows(sa.select(*columns).where(*_unanswered(books)).order_by(alert.c.id))


def unanswered_worst(
    tx: Transaction, books: Collection[str], order: Sequence[tuple[str, str]], limit: int
) -> list[Row]:
    """Return the first few of those alerts: in the `order` of (book, severity), then the oldest."""
    if not order:
        return []
    place = sa.case(
        *(
            ((alert.c.book == book) & (alert.c.severity == severity), n)
            for n, (book, severity) in enumerate(order)
        ),
        else_=len(order),
    )
    query = sa.select(alert).where(*_unanswered(books)).order_by(place, alert.c.id)
    return tx.rows(query.limit(limit))


def pending(tx: Transaction, books: Collection[str], limit: int) -> list[Row]:
    """Return the oldest alerts of these books that are about to fire."""
    query = sa.select(alert).where(*_pending(books)).order_by(alert.c.id)
    return tx.rows(query.limit(limit))


def pending_count(tx: Transaction, books: Collection[str]) -> int:
    """Return how many alerts of these books are about to fire."""
    query = sa.select(sa.func.count()).select_from(alert).where(*_pending(books))
    return int(tx.scalar(query) or 0)


def _pending(books: Collection[str]) -> tuple[sa.ColumnElement[bool] | sa.TextClause, ...]:
    mine = sa.func.coalesce(alert.c.book, "").in_(list(books))
    return _ACTIVE, alert.c.state == "pending", mine


def waiting_incidents(tx: Transaction, books: Collection[str]) -> int:
    """Return how many incidents of these books wait for an answer whose alerts still fire."""
    joined = incident.join(incident_alert, incident_alert.c.incident_id == incident.c.id).join(
        alert, alert.c.id == incident_alert.c.alert_id
    )
    waits = (incident.c.state == "open") & incident.c.book.in_(list(books))
    query = sa.select(sa.func.count(sa.distinct(incident.c.id))).select_from(joined)
    return int(tx.scalar(query.where(waits, alert.c.state == "firing")) or 0)


def by_ids(tx: Transaction, ids: Sequence[int]) -> list[Row]:
    """Return these alerts, in the order they are asked for."""
    found = {row["id"]: row for row in tx.rows(sa.select(alert).where(alert.c.id.in_(list(ids))))}
    return [found[id] for id in ids if id in found]


def readings(tx: Transaction, ids: Sequence[int]) -> dict[int, Row]:
    """Return what each of these alerts of the book's own rules showed last."""
    columns = (alert.c.id, alert.c.value, alert.c.unit, alert.c.message)
    own = sa.select(*columns).where(alert.c.id.in_(list(ids)), alert.c.check_id != "")
    return {row["id"]: row for row in tx.rows(own)}


def incidents_by_alert(tx: Transaction, ids: Sequence[int]) -> dict[int, Row]:
    """Return the incident that is not over, of each of these alerts that has one."""
    found: dict[int, Row] = {}
    columns = (incident_alert.c.alert_id, incident.c.id, incident.c.state, incident.c.book)
    joined = incident.join(incident_alert, incident_alert.c.incident_id == incident.c.id)
    for n in range(0, len(ids), SLICE):
        some = incident_alert.c.alert_id.in_(ids[n : n + SLICE])
        mine = sa.select(*columns).select_from(joined).where(some, incident.c.state.in_(ACTIVE))
        found.update({row["alert_id"]: row for row in tx.rows(mine.order_by(incident.c.id))})
    return found


def incidents_ever(tx: Transaction, alert_id: int) -> list[int]:
    """Return the numbers of every incident that an alert belonged to."""
    mine = sa.select(incident_alert.c.incident_id).where(incident_alert.c.alert_id == alert_id)
    return list(tx.execute(mine.order_by(incident_alert.c.incident_id)).scalars())


_DELIVERED: Final = tuple(one for one in delivery.c if one.name != "body")


def deliveries(tx: Transaction, keys: Collection[str]) -> dict[str, Row]:
    """Return deliveries of webhooks by their keys."""
    mine = sa.select(*_DELIVERED).where(delivery.c.key.in_(list(keys)))
    return {row["key"]: row for row in tx.rows(mine)}


def deliveries_about(
    tx: Transaction, book: str, threads: Collection[str], word: str, since: datetime
) -> list[Row]:
    """Return the newest deliveries of these threads in whose body a word stands, oldest first."""
    mine = (
        delivery.c.thread.in_(list(threads)) & (delivery.c.book == book)
        & (delivery.c.created_at >= since) & delivery.c.body.contains(word, autoescape=True)
    )  # fmt: skip
    query = sa.select(*_DELIVERED).where(mine).order_by(delivery.c.id.desc()).limit(MOST_SENT)
    return tx.rows(query)[::-1]


def pages(tx: Transaction, keys: Collection[str]) -> dict[str, Row]:
    """Return messages to people and channels by their keys."""
    mine = sa.select(page).where(page.c.key.in_(list(keys)))
    return {row["key"]: row for row in tx.rows(mine)}


def failing_deliveries(tx: Transaction, books: Collection[str], since: datetime) -> list[Row]:
    """Return deliveries that did not get out, newest first: they wait, or they were given up.

    What was given up, or made way for a later one, counts from `since` on, and no longer than until
    something got through to the same hook.
    """
    again = (delivery.c.state == "retry") | (
        (delivery.c.state == "sending") & (delivery.c.attempts > 1)
    )
    lost = (
        delivery.c.state.in_(("failed", "replaced"))
        & (delivery.c.error != "")
        & (delivery.c.created_at >= since)
    )
    mine = sa.select(*_DELIVERED).where(again | lost, delivery.c.book.in_(list(books)))
    rows = tx.rows(mine.order_by(delivery.c.id.desc()).limit(MOST_FAILING))
    through = {hook: _last_through(tx, *hook) for hook in {(r["book"], r["hook"]) for r in rows}}
    return [
        row
        for row in rows
        if row["state"] in {"retry", "sending"} or row["id"] > through[row["book"], row["hook"]]
    ]


def _last_through(tx: Transaction, book: str, hook: str) -> int:
    mine = (delivery.c.book == book) & (delivery.c.hook == hook) & (delivery.c.state == "sent")
    query = sa.select(delivery.c.id).where(mine).order_by(delivery.c.id.desc()).limit(1)
    return int(tx.scalar(query) or 0)


def failing_pages(tx: Transaction, books: Collection[str]) -> list[Row]:
    """Return pages that were tried and did not get out so far, newest first."""
    again = (page.c.state == "retry") | ((page.c.state == "sending") & (page.c.attempts > 1))
    mine = sa.select(page).where(again, page.c.book.in_(list(books)))
    return tx.rows(mine.order_by(page.c.id.desc()).limit(MOST_FAILING))


def by(rows: Sequence[Row], *names: str) -> Mapping[tuple[Any, ...], list[Row]]:
    """Return rows together that have the same of these columns, in their order."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in names), []).append(row)
    return found
