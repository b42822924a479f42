"""Named queries of the pipeline: what came in, alerts from outside, and what was told."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from opsbook.alerts.intake.store import put
from opsbook.alerts.pipeline.deduplicating import Entry
from opsbook.alerts.pipeline.model import RULES, Alert
from opsbook.alerts.tables import alert, intake, notified
from opsbook.audit.entries import SERVER
from opsbook.audit.tables import entry as audit_entry
from opsbook.base.database import Transaction

FIRING = "firing"

# Built once: building a statement costs more than running it, and every turn runs these.
_CAME_IN = (
    sa.select(intake)
    .where(intake.c.id > sa.bindparam("after"))
    .order_by(intake.c.id)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_NEW_ALERT = sa.insert(alert)
_NEW_ENTRY = sa.insert(audit_entry)


def worked_in(tx: Transaction, until: int) -> list[dict[str, Any]]:
    """Return batches that have been worked in and are kept for their repetitions, in order."""
    mine = (intake.c.id <= until) & ~intake.c.held
    return tx.rows(sa.select(intake).where(mine).order_by(intake.c.id))


def came_in(tx: Transaction, after: int, limit: int) -> list[dict[str, Any]]:
    """Return batches that came in behind `after`, in their order."""
    return [dict(one) for one in tx.execute(_CAME_IN, {"after": after, "most": limit}).mappings()]


def newest(tx: Transaction) -> int:
    """Return the number of the newest batch there is; 0 for none."""
    return int(tx.scalar(sa.select(sa.func.max(intake.c.id))) or 0)


def forget_until(tx: Transaction, position: int) -> int:
    """Delete batches that have been worked in and whose counters are written."""
    done = (intake.c.id <= position) & ~intake.c.held
    return tx.execute(sa.delete(intake).where(done)).rowcount


def hold(tx: Transaction, batch: int) -> None:
    """Keep a batch until its book is active."""
    tx.execute(sa.update(intake).where(intake.c.id == batch).values(held=True))


def hand_in_held(tx: Transaction, books: Collection[str]) -> int:
    """Hand in anew what was held for these books, in its order; return how many batches."""
    mine = intake.c.held & intake.c.book.in_(books)
    rows = tx.rows(sa.select(intake).where(mine).order_by(intake.c.id))
    if rows:
        put(tx, [{name: row[name] for name in ("book", "source", "at", "body")} for row in rows])
        tx.execute(sa.delete(intake).where(intake.c.id.in_([row["id"] for row in rows])))
    return len(rows)


def forget_held(tx: Transaction, before: datetime) -> int:
    """Delete what was held for a book that never came back."""
    return tx.execute(sa.delete(intake).where(intake.c.held, intake.c.at < before)).rowcount


def firing(tx: Transaction) -> list[dict[str, Any]]:
    """Return every alert that fires, of every book, in the order they began."""
    return tx.rows(sa.select(alert).where(alert.c.state == FIRING).order_by(alert.c.id))


def ended_since(tx: Transaction, since: datetime) -> list[dict[str, Any]]:
    """Return alerts that ended lately: of these somebody may still have to be told."""
    query = sa.select(alert).where(alert.c.state == "resolved", alert.c.resolved_at >= since)
    return tx.rows(query.order_by(alert.c.id))


def row(tx: Transaction, alert_id: int) -> dict[str, Any] | None:
    """Return one alert's row."""
    return tx.row(sa.select(alert).where(alert.c.id == alert_id))


def begin(tx: Transaction, now: datetime, begun: Sequence[Alert]) -> None:
    """Insert alerts from outside that began, fill in their numbers, and put them on record."""
    if not begun:
        return
    for one, number in zip(begun, tx.numbers(alert, len(begun)), strict=True):
        one.id = number
    tx.many(_NEW_ALERT, [_values(one) for one in begun])
    _record(tx, now, "alert.fired", begun)
    tx.touch("alerts")


def rename(tx: Transaction, alert_id: int, fingerprint: str) -> None:
    """Give an alert that is over another name, since its own is somebody else's now."""
    tx.execute(sa.update(alert).where(alert.c.id == alert_id).values(fingerprint=fingerprint))


def change(tx: Transaction, changed: Iterable[Alert]) -> None:
    """Write what changed about alerts that go on firing."""
    rows = [{"b_id": one.id, **_latest(one)} for one in changed]
    if rows:
        mine = (alert.c.id == sa.bindparam("b_id")) & (alert.c.state == FIRING)
        values: dict[str, Any] = {name: sa.bindparam(name) for name in rows[0] if name != "b_id"}
        tx.execute(sa.update(alert).where(mine).values(values), rows)


def end(tx: Transaction, now: datetime, ended: Sequence[Alert]) -> None:
    """Write that alerts from outside are over, and put it on record."""
    if not ended:
        return
    rows = [
        {"b_id": one.id, "b_at": one.ends_at or now, "b_received": one.received} for one in ended
    ]
    mine = (alert.c.id == sa.bindparam("b_id")) & (alert.c.state == FIRING)
    values: dict[str, Any] = {
        "state": "resolved", "resolved_at": sa.bindparam("b_at"),
        "ends_at": sa.bindparam("b_at"), "received": sa.bindparam("b_received"),
    }  # fmt: skip
    tx.execute(sa.update(alert).where(mine).values(values), rows)
    _record(tx, now, "alert.resolved", ended)
    tx.touch("alerts", *(f"alert:{one.id}" for one in ended[:100]))


def _values(one: Alert) -> dict[str, Any]:
    return {
        **_latest(one), "id": one.id, "book": one.book, "rule": one.rule, "check_id": "",
        "source": one.source, "fingerprint": one.fingerprint, "state": FIRING,
        "severity": one.severity, "revision": one.revision, "reason": "", "summary": one.summary,
        "labels": one.labels, "check_state": "", "value": None, "unit": "",
        "message": one.summary.get("", "")[:300],
        "pending_since": one.starts_at, "fired_at": one.starts_at,
    }  # fmt: skip


def _latest(one: Alert) -> dict[str, Any]:
    return {
        "annotations": one.annotations, "link": one.link, "ends_at": one.ends_at,
        "timed_out": one.timed_out, "received": one.received, "seen_at": one.updated_at,
    }  # fmt: skip


def _record(tx: Transaction, now: datetime, action: str, alerts: Sequence[Alert]) -> None:
    """One statement for many entries: a storm of ten thousand is told in a second, or not at all.

    The rows are as `audit.record` writes them; there is no person's word in them.
    """
    rows = [
        {
            "at": now, "actor": SERVER, "action": action, "subject": f"alert:{one.id}",
            "thread": f"alert:{one.id}", "text": None, "text_salt": None, "text_hash": None,
            "data": {
                "alert": one.id, "rule": one.rule, "book": one.book, "source": one.source,
                "fingerprint": one.fingerprint, "severity": one.severity,
                "message": one.summary.get("", "")[:300],
                "alertname": one.labels.get("alertname", "")[:200],
                "at": (one.starts_at if action == "alert.fired" else one.ends_at or now)
                .isoformat(),
            },
        }
        for one in alerts
    ]  # fmt: skip
    tx.many(_NEW_ENTRY, rows)
    tx.touch("audit")


def entries(tx: Transaction, now: datetime) -> dict[str, Entry]:
    """Return what every receiver was told of every group last, as far as it is remembered."""
    rows = tx.rows(sa.select(notified).where(notified.c.expires_at > now))
    return {
        one["key"]: Entry(
            frozenset(one["firing"]), frozenset(one["resolved"]), one["at"], one["expires_at"]
        )
        for one in rows
    }


def remember(tx: Transaction, told: Mapping[str, tuple[dict[str, str], Entry]]) -> None:
    """Write what receivers were told; `told` has where each entry belongs, and the entry."""
    rows = [
        {
            "key": key, **about, "firing": sorted(one.firing), "resolved": sorted(one.resolved),
            "at": one.at, "expires_at": one.expires_at,
        }
        for key, (about, one) in told.items()
    ]  # fmt: skip
    tx.many(_told_now(tx.connection.dialect.name), rows)


@functools.cache
def _told_now(dialect: str) -> Any:
    statement: Any = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(notified)
    new = statement.excluded
    again = {name: new[name] for name in ("firing", "resolved", "at", "expires_at")}
    return statement.on_conflict_do_update(index_elements=["key"], set_=again)


def told_of(tx: Transaction, book: str, group_key: str) -> list[dict[str, Any]]:
    """Return who was told what of one group last."""
    mine = (notified.c.book == book) & (notified.c.group_key == group_key)
    return tx.rows(sa.select(notified).where(mine).order_by(notified.c.at))


def forget_told(tx: Transaction, now: datetime) -> int:
    """Delete what need not be remembered any longer."""
    return tx.execute(sa.delete(notified).where(notified.c.expires_at <= now)).rowcount


def of_row(one: Mapping[str, Any]) -> Alert:
    """Return the alert of a row; the book's own fire until they are resolved."""
    over = one["state"] != FIRING
    ends_at = one["resolved_at"] if over else one["ends_at"]
    return Alert(
        id=one["id"], book=one["book"], source=one["source"], fingerprint=one["fingerprint"],
        labels=dict(one["labels"]),
        annotations=dict(one["annotations"] or {}) or _said(one),
        link=one["link"], starts_at=one["fired_at"] or one["pending_since"], ends_at=ends_at,
        updated_at=one["seen_at"], timed_out=one["timed_out"] and not over,
        received=one["received"], rule=one["rule"], check=one["check_id"],
        severity=one["severity"], revision=one["revision"], summary=dict(one["summary"]),
        ended=over,
    )  # fmt: skip


def _said(one: Mapping[str, Any]) -> dict[str, str]:
    """What an alert of the book's own says of itself, in Alertmanager's words."""
    if one["source"] != RULES:
        return {}
    summary = next(iter(dict(one["summary"]).values()), "")
    found = {"summary": summary, "description": one["message"]}
    return {name: said for name, said in found.items() if said}
