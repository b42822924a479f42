"""What was sent of an alert, whether it got out, and which ways out fail.

That a listener was told is decided and written down before anything is sent, so "told" alone would
be said of a webhook whose every request is refused. What the page says is therefore read from the
delivery or the message that was made of it, which are found by the key that telling gives them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from opsbook.alerts.pipeline import deduplicating, grouping
from opsbook.alerts.pipeline.deduplicating import Entry
from opsbook.alerts.pipeline.explain import Hears, Way
from opsbook.alerts.pipeline.memory import Memory
from opsbook.alerts.pipeline.model import Alert, label_text, prometheus_fingerprint
from opsbook.alerts.pipeline.routing import INCIDENT
from opsbook.audit.entries import SERVER
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.web import alertstore

LOST_FOR: Final = timedelta(days=2)
Row = dict[str, Any]


@dataclass(frozen=True)
class Heard:
    """What one listener was told of one alert.

    `last` is when it was last told of this alert, `group` when it was last told of its group;
    `row` is the delivery or the message that was made of it, where there is one.
    """

    last: datetime | None
    group: datetime | None
    row: Mapping[str, Any] | None = None


def heard(
    tx: Transaction, memory: Memory, book: Book, alert: Alert, course: Iterable[Way]
) -> dict[tuple[tuple[int, ...], str], Heard]:
    """Return what each listener on each way was told of an alert, by the way's path and its id."""
    known: dict[tuple[tuple[int, ...], str], tuple[Entry | None, list[str]]] = {}
    for way in course:
        for each in way.hears:
            entry = memory.entries.get(_name(way, each))
            mine = entry is not None and alert.fingerprint in entry.firing | entry.resolved
            keys = list(_keys(book, way, each, entry)) if entry is not None and mine else []
            known[way.node.path, each.listener.id] = entry, keys
    every = [key for _, keys in known.values() for key in keys]
    rows: dict[str, Row] = {}
    if every:
        rows = alertstore.deliveries(tx, every) | alertstore.pages(tx, every)
    found = {}
    for one, (entry, keys) in known.items():
        mine = entry is not None and alert.fingerprint in entry.firing | entry.resolved
        row = next((rows[key] for key in keys if key in rows), None)
        group = entry.at if entry is not None else None
        found[one] = Heard(group if mine else None, group, row)
    return found


def _name(way: Way, each: Hears) -> str:
    key = f"{way.node.key}:{label_text(way.group_labels)}"
    return deduplicating.name(way.node.book, key, way.node.receiver, each.listener.id)


def _keys(book: Book, way: Way, each: Hears, entry: Entry) -> Iterator[str]:
    """Yield the keys that a delivery or a message of the last telling may have.

    They are made as `alerts.pipeline.telling` makes them.
    """
    id = each.listener.id
    base = f"group:{_name(way, each)[:32]}/{int(entry.at.timestamp() * 1000)}/{id}"
    team = book.teams.get(id)
    channel = id if id in book.channels else team.channel if team is not None else None
    if id == INCIDENT:
        return
    if id in book.webhooks:
        yield base
    elif channel is not None:
        yield f"{base}/apprise/channel:{channel}"
    else:
        yield from (f"{base}/{person}/inbox" for person in book.people)


def story(
    tx: Transaction, memory: Memory, book: Book, alert: Alert, told: Iterable[Heard]
) -> list[Row]:
    """Return what was sent of an alert as entries of its story, beside those of its own thread.

    A webhook that took what it was sent at once is no news to the audit, and is to whoever asks
    what became of this alert. A group's message belongs to the story of the worst of the group; it
    is in the others' too.
    """
    routing = memory.routings.get(book.id)
    nodes = routing.root.taken_by(alert.labels) if routing is not None else []
    threads = []
    for node in nodes:
        group = grouping.begun(node, alert, alert.starts_at)
        for listener in node.listeners:
            if listener.id in book.webhooks:
                name = deduplicating.name(book.id, group.key, node.receiver, listener.id)
                threads.append(f"group:{name[:32]}")
    rows: list[Row] = []
    if threads:
        word = f'"fingerprint":"{prometheus_fingerprint(alert.labels)}"'
        since = alert.starts_at - timedelta(seconds=1)
        rows = alertstore.deliveries_about(tx, book.id, threads, word, since)
    found = [_delivery(row) for row in rows]
    mine = f"alert:{alert.id}"
    for one in told:
        row = one.row
        if row is not None and "channel" in row and row["thread"] != mine and row["sent_at"]:
            data = {name: row[name] for name in ("person", "channel", "book")}
            found.append(_entry(f"m{row['id']}", row["sent_at"], "page.sent", data))
    return found


def _delivery(row: Row) -> Row:
    data = {"hook": row["hook"], "attempts": row["attempts"], "why": row["error"]}
    if row["state"] == "sent":
        return _entry(f"d{row['id']}", row["sent_at"], "webhook.told", data)
    action = {"failed": "webhook.lost", "replaced": "webhook.replaced"}.get(row["state"])
    if action is None:
        action = "webhook.untold" if row["error"] else "webhook.on_its_way"
    return _entry(f"d{row['id']}", row["created_at"], action, data)


def _entry(id: str, at: datetime, action: str, data: Mapping[str, Any]) -> Row:
    return {
        "id": id, "at": at, "action": action, "actor": SERVER, "subject": "delivery:0",
        "thread": "", "data": dict(data), "text": None, "seq": None, "hash": None,
    }  # fmt: skip


@dataclass(frozen=True)
class Failing:
    """A way out that fails: to a hook of a book, or to a person or channel by one way.

    `lost` were given up, `waiting` are tried again; `error` is what came of the newest.
    """

    book: str
    to: str
    channel: str
    since: datetime
    error: str
    waiting: int
    lost: int
    next_at: datetime | None


def failing_hooks(tx: Transaction, books: Sequence[Book], now: datetime) -> list[Failing]:
    """Return the hooks of these books that do not take what they are sent."""
    running = {book.id: book for book in books}
    rows = alertstore.failing_deliveries(tx, list(running), now - LOST_FOR) if running else []
    return [
        _failing(book, hook, "", some)
        for (book, hook), some in alertstore.by(rows, "book", "hook").items()
        if hook in running[book].webhooks
    ]


def failing_pages(tx: Transaction, books: Sequence[Book]) -> list[Failing]:
    """Return the ways to persons and channels by which pages do not get out, and are tried."""
    rows = alertstore.failing_pages(tx, [book.id for book in books]) if books else []
    return [
        _failing(book, person, channel, some)
        for (book, person, channel), some in alertstore.by(
            rows, "book", "person", "channel"
        ).items()
    ]


def _failing(book: str, to: str, channel: str, rows: Sequence[Row]) -> Failing:
    """Put together what failed on one way; the newest comes first."""
    waiting = [row for row in rows if row["state"] in {"retry", "sending"}]
    return Failing(
        book, to, channel,
        since=min(row["created_at"] for row in rows),
        error=next((row["error"] for row in rows if row["error"]), ""),
        waiting=len(waiting),
        lost=sum(row["state"] == "failed" for row in rows),
        next_at=min((row["next_at"] for row in waiting if row["next_at"]), default=None),
    )  # fmt: skip


def hook_path(book: str, hook: str) -> str:
    """Return where a hook's page is."""
    return f"/book/{quote(book)}/webhooks/{quote(hook)}"
