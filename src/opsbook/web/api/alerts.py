"""``/alerts`` and ``/silences``: what fires, and what is kept quiet for a while.

For Opsbook's own command line and scripts; what Prometheus and amtool speak is ``/api/v2``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from fastapi import APIRouter

from opsbook.alerts import silences, store
from opsbook.alerts.pipeline import store as pipeline
from opsbook.alerts.pipeline.memory import Memory
from opsbook.alerts.silences import InvalidSilence, Silence
from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.book.matchers import all_match
from opsbook.checks import store as checks
from opsbook.incidents.words import spoken
from opsbook.web import knowing
from opsbook.web.api import silencing
from opsbook.web.api.callers import Ask, Asking, Limit
from opsbook.web.api.idempotency import OnlyOnce
from opsbook.web.api.models import AlertDetail, Alerts, NewSilence, SilenceOut, Silences, SilenceSet
from opsbook.web.api.problems import ProblemRoute
from opsbook.web.knowing import memory_of
from opsbook.web.numbers import Before, Number

routes = APIRouter(route_class=ProblemRoute, tags=["alerts"])
WRITE = "silences:write"
OVER = timedelta(days=7)


@routes.get("/alerts")
async def listed(
    ask: Ask,
    book: str | None = None,
    state: Literal["active"] | None = None,
    limit: Limit = 50,
    before: Before = None,
) -> Alerts:
    """Alerts that fired, newest first; or with ``state=active`` those that fire or are about to."""
    books = ask.books("alerts", book)
    memory = await memory_of(ask.app)
    now = ask.app.clock.now()

    def read(tx: Transaction) -> Alerts:
        rows: list[dict[str, Any]] = []
        for one in books:
            if state == "active":
                rows += store.active(tx, one.id)
            else:
                rows += store.recent(tx, limit=limit, before=before, book=one.id)
        rows = sorted(rows, key=lambda row: -row["id"])[:limit]
        known = silences.by_book(silences.current(tx, now))
        behind = {one.id: checks.behind(tx, one.id) for one in books}
        return Alerts(
            alerts=[_alert(ask, row, known, now, memory, behind[row["book"]]) for row in rows],
            next=rows[-1]["id"] if len(rows) == limit else None,
        )

    return await ask.app.database.read(read)


@routes.get("/alerts/{alert_id}")
async def one(ask: Ask, alert_id: Number) -> AlertDetail:
    """One alert, with what keeps it quiet."""
    memory = await memory_of(ask.app)
    now = ask.app.clock.now()

    def read(tx: Transaction) -> AlertDetail:
        _, row = ask.visible(tx, "alerts", store.get(tx, alert_id), f"alert {alert_id}")
        behind = checks.behind(tx, row["book"])
        known = silences.by_book(silences.current(tx, now))
        return _alert(ask, row, known, now, memory, behind)

    return await ask.app.database.read(read)


def _alert(
    ask: Asking, row: dict[str, Any], known: Mapping[str, silences.Index], now: datetime,
    memory: Memory, behind: Mapping[str, str],
) -> AlertDetail:  # fmt: skip
    fires = row["state"] == "firing"
    alert = pipeline.of_row(row)
    quiet = knowing.quiet(memory, alert, now, behind) if fires else None
    inhibitor = memory.inhibitors.get(row["book"]) if fires else None
    by = inhibitor.by(row["labels"], now) if inhibitor is not None else []
    mine = known.get(row["book"])
    silenced_by = mine.matching(row["labels"], now) if mine is not None else []
    return AlertDetail(
        **{
            **row,
            "check": row["check_id"],
            "summary": spoken(row["summary"], ask.language),
            "annotations": row["annotations"] or {},
            "silenced_by": [one.uuid for one in silenced_by],
            "inhibited_by": [memory.alerts[one].id for one in by if one in memory.alerts],
            "quiet": quiet.why if quiet is not None else "",
            "url": f"{ask.origin}/alerts/{row['id']}",
        }
    )


@routes.get("/silences")
async def silenced(
    ask: Ask, book: str | None = None, state: Literal["all"] | None = None
) -> Silences:
    """Silences that hold or will; with ``state=all`` also those of the last week."""
    books = ask.books("alerts", book)
    now = ask.app.clock.now()
    since = now - OVER if state == "all" else None

    def read(tx: Transaction) -> Silences:
        found = [
            one for each in books for one in silences.list_of(tx, each.id, now, over_since=since)
        ]
        return Silences(silences=[_silence(one, now) for one in found])

    return await ask.app.database.read(read)


@routes.post("/silences", status_code=201)
async def put(once: OnlyOnce, asked: NewSilence) -> SilenceSet:
    """Keep alerts with these labels quiet for a while. They go on firing."""
    ask = once.ask
    book = ask.books("alerts", asked.book)
    if len(book) != 1:
        raise InvalidSilence(
            "Nobody said in which book.",
            remedy=f"Name one: {', '.join(one.id for one in book)}.",
        )
    now = ask.app.clock.now()
    wanted = silencing.wanted(book[0], asked, ask.who.login, now)
    memory = await memory_of(ask.app)
    firing = [one for one in list(memory.alerts.values()) if one.book == book[0].id]
    quiet = sum(all_match(wanted.matchers, one.labels) for one in firing if not one.over(now))

    def write(tx: Transaction) -> SilenceSet:
        ask.who.require(WRITE, book[0])
        made = silences.put(tx, now, book[0].id, wanted, ask.who.actor)
        return SilenceSet(**dict(_silence(made, now)), quiet=quiet)

    return await once.write(write)


@routes.post("/silences/{uuid}/expire")
async def expire(once: OnlyOnce, uuid: str) -> SilenceOut:
    """End a silence now; what it kept quiet is told."""
    ask = once.ask
    now = ask.app.clock.now()

    def write(tx: Transaction) -> SilenceOut:
        known = silences.get(tx, uuid)
        books = {one.id: one for one in ask.books("alerts")}
        if known is None or known.book not in books:
            raise NotFound(
                f"There is no silence {uuid[:64]!r} that you may see.",
                remedy="`opsbook silence list --all` has those of the last week.",
            )
        ask.who.require(WRITE, books[known.book])
        return _silence(silences.expire(tx, now, known.book, uuid, ask.who.actor), now)

    return await once.write(write)


def _silence(one: Silence, now: datetime) -> SilenceOut:
    return SilenceOut(
        id=one.uuid, book=one.book, state=one.state(now),
        matchers=[str(each) for each in one.matchers], starts_at=one.starts_at,
        ends_at=one.ends_at, created_by=one.created_by, comment=one.comment,
        schedule=one.schedule, each=int(one.length.total_seconds()),
    )  # fmt: skip
