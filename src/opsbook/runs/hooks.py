"""Telling programs elsewhere what becomes of runs: the deliveries of the book's webhooks.

A consumer of the events that the journal publishes. What a delivery says is written here, in the
transaction that moves the cursor, and not when it is sent: it tells how things stood then, however
late the receiver takes it. Which hooks there are is asked of the book that runs now, not of the
run's own revision: where a team's receivers are has nothing to do with what a run began with.

A step that failed has no event of its own in every case, so each event of a run looks for failed
steps that were not told of yet; a delivery's key keeps it one delivery however often it is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from opsbook.access import approvals
from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.base.events import Consumer, Event
from opsbook.book.library import Library
from opsbook.book.sections.webhooks import Webhook
from opsbook.notify import webhooks
from opsbook.notify.webhooks.model import GIVE_UP
from opsbook.runs import sealed, store

Row = dict[str, Any]
KINDS: Final = frozenset(
    {"run.created", "run.changed", "run.asks", "run.finished", "step.failed", approvals.DECIDED}
)
RUN: Final = (
    "id", "runbook", "title", "reason", "started_by", "trigger", "attended", "created_at",
    "started_at", "finished_at",
)  # fmt: skip
STEP: Final = ("key", "title", "kind", "phase", "state", "message", "started_at", "finished_at")
WAIT: Final = ("kind", "step", "title", "role", "since", "due_at")
APPROVAL: Final = ("id", "question", "role", "need", "state", "expires_at")


@dataclass(frozen=True)
class News:
    """One thing to tell: its name, what makes it one, when it was, and what there is to say."""

    event: str
    key: str
    at: datetime
    about: Mapping[str, Any]


class Hooks:
    """The consumer ``runs.hooks``. ``known`` are the secrets that no body may show."""

    def __init__(
        self, library: Library, base_url: str, known: Callable[[], Iterable[str]] = tuple
    ) -> None:
        self.library = library
        self.base_url = base_url.rstrip("/")
        self.known = known
        self.consumer = Consumer("runs.hooks", KINDS, self.handle)

    def handle(self, tx: Transaction, event: Event, now: datetime) -> None:
        """Queue what this event means to each hook of the running book.

        An event older than a day is passed over: its delivery would be given up at once.
        """
        kind, _, number = event.subject.partition(":")
        if kind != "run" or not number.isdigit() or now - event.at >= GIVE_UP:
            return
        row = store.get(tx, int(number))
        if row is None:
            return
        try:
            current = self.library.current(row["book"])
        except NotFound:
            return
        hooks = [
            hook for hook in current.webhooks.values()
            if not hook.runbooks or row["runbook"] in hook.runbooks
        ]  # fmt: skip
        if not hooks:
            return
        wanted: set[str] = {name for hook in hooks for name in hook.events}
        known = {*self.known(), *webhooks.hook_secrets(current.webhooks.values())}
        for news in list(_news(tx, event, row, wanted)):
            for hook in hooks:
                if news.event in hook.events:
                    self._queue(tx, now, event, row, hook, news, known)

    def _queue(
        self, tx: Transaction, now: datetime, event: Event, row: Row, hook: Webhook, news: News,
        known: set[str],
    ) -> None:  # fmt: skip
        key = f"{row['book']}/{hook.id}/{news.event}/{news.key}"
        state = event.data.get("state") if event.kind.startswith("run.") else None
        about = {"run": self._run(row, state or row["state"]), **news.about}
        body = webhooks.envelope(
            webhooks.identity(key, now), news.event, news.at, event.id,
            {"id": row["book"], "revision": row["revision"]}, about, known,
        )  # fmt: skip
        webhooks.queue(
            tx, now, book=row["book"], hook=hook.id, event=news.event, key=key,
            thread=row["thread"], body=body,
        )  # fmt: skip

    def _run(self, row: Row, state: str) -> dict[str, Any]:
        """Return what is said of the run itself. Of a secret parameter only that it was given."""
        return {
            **_some(row, RUN),
            "state": state,
            "params": sealed.shown(row["params"]),
            "parent": row["parent_id"],
            "url": f"{self.base_url}/runs/{row['id']}",
        }


def _news(tx: Transaction, event: Event, row: Row, wanted: set[str]) -> Iterator[News]:
    """Yield what an event means, as far as some hook wants to hear it."""
    if "step.failed" in wanted:
        yield from _failed_steps(tx, row)
    here = str(event.id)
    match event.kind:
        case "run.created":
            yield News("run.started", here, event.at, {})
        case "run.changed" if event.data.get("state") == "running":
            yield News("run.running", here, event.at, {})
        case "run.changed" if event.data.get("state") == "waiting":
            waits = [_some(one, WAIT) for one in store.waits(tx, row["id"])]
            yield News("run.waiting", here, event.at, {"waits": waits})
            if "approval.requested" in wanted:
                yield from _asked(tx, row)
        case "run.asks":
            waits = [
                _some(one, WAIT) for one in store.waits(tx, row["id"]) if one["kind"] == "decision"
            ]
            yield News("run.asks", here, event.at, {"waits": waits})
        case "run.finished":
            yield News("run.finished", here, event.at, {})
            if row["state"] == "failed":
                yield News("run.failed", here, event.at, {})
        case approvals.DECIDED if "approval.decided" in wanted:
            asked = approvals.get(tx, event.data["approval_id"])
            if asked is not None:
                told = {**_some(asked, APPROVAL), "state": event.data["state"]}
                yield News("approval.decided", here, event.at, {"approval": told})


def _failed_steps(tx: Transaction, row: Row) -> Iterator[News]:
    for one in store.step_rows(tx, row["id"]):
        ended = one["finished_at"]
        if one["state"] == "failed" and ended is not None:
            key = f"{one['id']}@{ended.isoformat()}"
            yield News("step.failed", key, ended, {"step": _some(one, STEP)})


def _asked(tx: Transaction, row: Row) -> Iterator[News]:
    for one in store.waits(tx, row["id"]):
        asked = approvals.get(tx, one["approval_id"]) if one["approval_id"] is not None else None
        if asked is not None and asked["state"] == "open":
            told = {**_some(asked, APPROVAL), "step": one["step"]}
            key = f"{asked['id']}@{asked['requested_at'].isoformat()}"
            yield News("approval.requested", key, asked["requested_at"], {"approval": told})


def _some(row: Row, names: Iterable[str]) -> dict[str, Any]:
    return {name: row[name] for name in names}
