"""Telling people that a run waits for them, or has failed: once for each, in their inbox.

Who they are is in ``audience``. It goes to the inbox and not to a phone, since whoever is on duty
has been paged for the incident already. Some things are urgent, because nobody expects them: a step
that was interrupted, one that failed and asks what to do, and a run that failed with nobody
watching it (unless somebody refused it: then it is known).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from opsbook.access import approvals
from opsbook.base.database import Transaction
from opsbook.base.events import Consumer, Event
from opsbook.book import Book
from opsbook.book.library import Library
from opsbook.notify import outbox
from opsbook.runs import audience, store

TITLES = {
    "approval": {"ko": "승인 대기: {what}", "en": "Waits for approval: {what}"},
    "person": {"ko": "수행 대기: {what}", "en": "Waits for somebody: {what}"},
    "decision": {"ko": "중단됨, 결정 필요: {what}", "en": "Interrupted, decide: {what}"},
    "broken": {"ko": "실패함, 결정 필요: {what}", "en": "Failed, decide: {what}"},
    "failed": {"ko": "실행 실패: {what}", "en": "Run failed: {what}"},
}
ASKS = frozenset({"approval", "person", "decision"})
BODIES = {"ko": "{run} · 실행 {id}", "en": "{run} · run {id}"}


class Telling:
    """The consumer ``runs.telling``."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.consumer = Consumer(
            "runs.telling", frozenset({"run.changed", "run.asks", "run.finished"}), self.handle
        )

    def handle(self, tx: Transaction, event: Event, now: datetime) -> None:
        """Tell of every wait that this run has now; a wait already told of makes no second page."""
        row = store.get(tx, event.data["run"])
        if row is None:
            return
        book = audience.book_now(tx, self.library, row)
        if event.kind == "run.finished":
            if row["state"] == "failed":
                tell_failed(tx, now, book, row)
            return
        for waiting in store.waits(tx, row["id"]):
            if waiting["kind"] in ASKS and waiting["answer"] is None:
                tell(tx, now, book, row, waiting)


def tell(
    tx: Transaction, now: datetime, book: Book, row: dict[str, Any], waiting: dict[str, Any]
) -> None:
    """Put one wait into the inboxes of those who can end it."""
    kind = "broken" if waiting["data"].get("failed") else waiting["kind"]
    what = asked(tx, waiting)
    for person in audience.of_wait(tx, now, book, row, waiting):
        outbox.page(
            tx, now, book=book, person_id=person, cause=f"run:{row['id']} {waiting['kind']}",
            key=f"run:{row['id']}/wait:{waiting['id']}/{person}", thread=row["thread"],
            title={language: text.format(what=what) for language, text in TITLES[kind].items()},
            body=which(book, row), path=path(row, waiting), urgent=waiting["kind"] == "decision",
        )  # fmt: skip


def tell_failed(tx: Transaction, now: datetime, book: Book, row: dict[str, Any]) -> None:
    """Say that a run failed, and why, to whoever owns, started or steers it."""
    for person in audience.of_failure(tx, now, book, row):
        outbox.page(
            tx, now, book=book, person_id=person, cause=f"run:{row['id']} failed",
            key=f"run:{row['id']}/failed/{person}", thread=row["thread"],
            title={
                language: text.format(what=named(book, row, language))
                for language, text in TITLES["failed"].items()
            },
            body={
                language: f"{text}: {row['reason']}" for language, text in which(book, row).items()
            },
            path=f"/runs/{row['id']}", urgent=not row["attended"] and row["leave"] != "refused",
        )  # fmt: skip


def asked(tx: Transaction, waiting: dict[str, Any]) -> str:
    """Return what is asked: an approval's question, or what the step is called."""
    row = approvals.get(tx, waiting["approval_id"]) if waiting["approval_id"] is not None else None
    return str(row["question"] if row is not None else waiting["title"])


def path(row: dict[str, Any], waiting: dict[str, Any]) -> str:
    """Return where it is answered."""
    return f"/runs/{row['id']}#step-{waiting['step']}"


def which(book: Book, row: dict[str, Any]) -> dict[str, str]:
    """Return which run it is, by language."""
    return {
        language: text.format(run=named(book, row, language), id=row["id"])
        for language, text in BODIES.items()
    }


def named(book: Book, row: dict[str, Any], language: str) -> str:
    """Return the runbook's title in `language`; the run itself keeps it in one."""
    runbook = book.runbooks.get(row["runbook"])
    return runbook.title.in_language(language) if runbook is not None else str(row["title"])
