"""Telling people that a run waits for them, or has failed: once for each, in their inbox.

Whoever can answer is told: those who hold the role that the step names, else the owner of the
runbook or of the book, else everyone who may act on runs. It goes to the inbox and not to a phone,
since whoever is on duty has been paged for the incident already. Two things are urgent, because
nobody expects them: a step that was interrupted, and a run that failed with nobody watching it
(unless somebody refused it: then it is known).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from opsbook.access import accounts, approvals
from opsbook.base.database import Transaction
from opsbook.base.events import Consumer, Event
from opsbook.book import Book
from opsbook.book.library import Library
from opsbook.notify import outbox
from opsbook.people import reached
from opsbook.runs import store

TITLES = {
    "approval": {"ko": "승인 대기: {what}", "en": "Waits for approval: {what}"},
    "person": {"ko": "수행 대기: {what}", "en": "Waits for somebody: {what}"},
    "decision": {"ko": "중단됨, 결정 필요: {what}", "en": "Interrupted, decide: {what}"},
    "failed": {"ko": "실행 실패: {what}", "en": "Run failed: {what}"},
}
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
        book = self.library.at(tx, row["revision"])
        if event.kind == "run.finished":
            if row["state"] == "failed":
                tell_failed(tx, now, book, row)
            return
        for waiting in store.waits(tx, row["id"]):
            if waiting["kind"] in TITLES and waiting["answer"] is None:
                tell(tx, now, book, row, waiting)


def tell(
    tx: Transaction, now: datetime, book: Book, row: dict[str, Any], waiting: dict[str, Any]
) -> None:
    """Put one wait into the inboxes of those who can end it."""
    kind = waiting["kind"]
    what = waiting["title"]
    if waiting["approval_id"] is not None:
        asked = approvals.get(tx, waiting["approval_id"])
        what = asked["question"] if asked is not None else what
    for person in audience(book, row, waiting["role"], now):
        outbox.page(
            tx, now, book=book, person_id=person, cause=f"run:{row['id']} {kind}",
            key=f"run:{row['id']}/wait:{waiting['id']}/{person}", thread=row["thread"],
            title={language: text.format(what=what) for language, text in TITLES[kind].items()},
            body=which(book, row),
            path=f"/runs/{row['id']}#step-{waiting['step']}", urgent=kind == "decision",
        )  # fmt: skip


def tell_failed(tx: Transaction, now: datetime, book: Book, row: dict[str, Any]) -> None:
    """Say that a run failed, and why, to whoever started it and to whoever owns it."""
    persons = dict.fromkeys(audience(book, row, None, now))
    if (account := store.account_behind(tx, row["started_by"])) is not None:
        login = accounts.logins(tx, [account]).get(account, "")
        if (starter := book.person_of(login)) is not None:
            persons[starter] = None
    for person in persons:
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


def audience(book: Book, row: dict[str, Any], role: str | None, now: datetime) -> list[str]:
    """Return whom to tell: never nobody while the book has anybody who may act."""
    if role is not None:
        return [person.id for person in book.people.values() if role in person.roles]
    runbook = book.runbooks.get(row["runbook"])
    owners = [name for name in (runbook.owner if runbook else None, book.owner) if name]
    for owner in owners:
        if found := reached(book, [owner], now):
            return found
    return [
        person.id
        for person in book.people.values()
        if any(
            one.allows("runs", "write") for name in person.roles for one in book.roles.get(name, ())
        )
    ]
