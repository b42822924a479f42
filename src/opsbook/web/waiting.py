"""Who is waited for: approvals, manual steps and interrupted steps, for me or for somebody else.

Who may answer is decided where the answer is taken; here the same rule (`access.model.rule`, asked
with what one query brought for all rows) chooses between a button and the name of the one it waits
for. A button that would be refused is a promise broken at three in the morning.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from opsbook import people
from opsbook.access import accounts, approvals, approvers, links, model
from opsbook.access.errors import NotApproved, Settled
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.revisions import store as revisions
from opsbook.runs import confirmations
from opsbook.web import store, words
from opsbook.web.i18n import N_, Speech
from opsbook.web.visit import Visit

KINDS: Final = {"approval": N_("Approve"), "person": N_("Confirm"), "decision": N_("Decide")}


@dataclass(frozen=True)
class Wait:
    """One thing that waits, as a row of a list; ``run`` is 0 where it is no run that waits."""

    run: int
    title: str
    path: str
    asks: str
    verb: str
    whom: str
    mine: bool
    since: datetime
    due_at: datetime | None
    zone: ZoneInfo


def listed(tx: Transaction, visit: Visit) -> list[Wait]:
    """Return what waits for a person in the visitor's books, the most urgent first.

    Read once for a visit: the frame counts what the page shows.
    """
    if visit.waits is not None:
        return visit.waits
    books = {book.id: book for book in visit.books("runs:read")}
    found = store.waits(tx, list(books)) if books else []
    voted = store.votes(tx, [row["approval_id"] for row in found if row["approval_id"]])
    known = answered(tx, visit, list(books.values()), found, voted)
    shown = [
        shaped(visit, books[row["book"]], row, voted.get(row["approval_id"], [])) for row in known
    ]
    shown += _held(tx, visit)
    visit.waits = sorted(shown, key=lambda one: (one.due_at is None, one.due_at or one.since))
    return visit.waits


def _held(tx: Transaction, visit: Visit) -> list[Wait]:
    """Return the revisions of the visitor's books that wait for an approval."""
    books = {book.id: book for book in visit.books("book:read")}
    say, found = visit.speech.say, []
    for row in revisions.open_held(tx):
        book = books.get(row["book"])
        asked = approvals.get(tx, row["approval_id"]) if book is not None else None
        if book is None or asked is None or asked["state"] != "open":
            continue
        given = approvals.votes(tx, asked["id"])
        logins = accounts.logins(tx, asked["excluded"])
        people = [
            words.text(visit.speech, book.people[one].name)
            for one in approvers.could_approve(book, asked, logins)
        ]
        found.append(
            Wait(
                run=0,
                title=say("%(book)s · revision %(revision)s",
                          book=words.text(visit.speech, book.title), revision=row["revision"][:12]),
                path=f"/book/{book.id}/held#held-{row['id']}",
                asks=say("May this revision of the book run?"),
                verb=say("Approve"),
                whom=say("waits for %(people)s", people=", ".join(people[:3]))
                if people else say("waits for the first administrator"),
                mine=approvers.why_not(tx, visit.now, asked, given, visit.who, book) is None,
                since=row["held_at"],
                due_at=asked["expires_at"],
                zone=ZoneInfo(book.timezone),
            )
        )  # fmt: skip
    return found


def for_me(tx: Transaction, visit: Visit) -> list[Wait]:
    """Return what waits for the visitor."""
    return [one for one in listed(tx, visit) if one.mine]


def answered(
    tx: Transaction, visit: Visit, books: Sequence[Book], rows: Sequence[Mapping[str, Any]],
    votes: Mapping[int, list[dict[str, Any]]],
) -> list[dict[str, Any]]:  # fmt: skip
    """Return waits with who has answered already, who cannot, and who is on duty.

    Beside their own: ``need`` people, of whom ``given`` have said yes; ``did`` are the accounts
    that answered, ``shut`` the logins that nobody waits for (any more), ``duty`` the persons on
    duty, ``same`` the accounts that are one person with the visitor's. As many queries however many
    rows there are.
    """
    did = {
        row["id"]: [one["account_id"] for one in votes.get(row["approval_id"] or 0, ())]
        for row in rows
    }
    done = confirmations.of_steps(tx, [row["step_id"] for row in rows if row["kind"] == "person"])
    for row in rows:
        did[row["id"]] += [one["account_id"] for one in done.get(row["step_id"], ())]
    wanted = {one for row in rows for one in (*did[row["id"]], *(row["excluded"] or ()))}
    logins = accounts.logins(tx, sorted(wanted))
    by_id = {book.id: book for book in books}
    mine = visit.who.account_id
    same = links.one_person(tx, visit.now, mine) if mine and rows else frozenset()
    duty = {
        book.id: approvers.on_duty(people.duty(tx, book, visit.now), visit.now) for book in books
    }
    found = []
    for row in rows:
        book = by_id[row["book"]]
        part = row["excluded"] if row["approval_id"] and not _record(book, row) else ()
        given = votes.get(row["approval_id"] or 0, ())
        yes = [one for one in given if one["decision"] == "approve"]
        told = {
            "need": row["need"] or (row["data"] or {}).get("need", 1),
            "given": len(yes) if row["approval_id"] else len(did[row["id"]]),
            "did": did[row["id"]],
            "shut": {logins.get(one, "") for one in (*did[row["id"]], *(part or ()))},
            "duty": duty[row["book"]],
            "same": same,
        }
        found.append({**row, **told})
    return found


def shaped(visit: Visit, book: Book, row: Mapping[str, Any], votes: list[dict[str, Any]]) -> Wait:
    """Return one wait as a row."""
    say, verb = visit.speech.say, KINDS[row["kind"]]
    asked = {
        "approval": row["question"] or row["step_title"],
        "person": row["step_title"],
        "decision": say("%(step)s failed. What now?", step=row["step_title"])
        if (row["data"] or {}).get("failed")
        else say("%(step)s was interrupted. What now?", step=row["step_title"]),
    }[row["kind"]]
    return Wait(
        run=row["run_id"],
        title=_title(visit, book, row),
        path=f"/runs/{row['run_id']}#step-{row['key']}",
        asks=asked.strip().split("\n")[0][:160],
        verb=say(verb),
        whom=whom(visit.speech, book, row),
        mine=may_answer(visit, book, row, votes),
        since=row["since"],
        due_at=row["due_at"] or row["expires_at"],
        zone=ZoneInfo(book.timezone),
    )


def _title(visit: Visit, book: Book, row: Mapping[str, Any]) -> str:
    runbook = book.runbooks.get(row["runbook"])
    return words.text(visit.speech, runbook.title) if runbook is not None else row["run_title"]


def may_answer(
    visit: Visit, book: Book, row: Mapping[str, Any], votes: list[dict[str, Any]]
) -> bool:
    """Tell whether the visitor's answer would be taken."""
    who, roles = visit.who, roles_of(row)
    if row["kind"] == "person":
        return same(visit, row).isdisjoint(row.get("did", ())) and _entitled(visit, book, roles)
    if row["kind"] != "approval":
        return who.may("runs:write", book)
    try:
        voter = _voter(visit, book, row)
        model.rule(_asked(book, row), voter, approvers.given(votes), "approve", visit.now)
    except (NotApproved, Settled):
        return False
    return True


def _asked(book: Book, row: Mapping[str, Any]) -> model.Asked:
    because = row["excluded_because"] or {}
    return model.Asked(
        state=row["approval_state"],
        roles=roles_of(row),
        need=row["need"],
        excluded={one: because.get(str(one), "started") for one in row["excluded"]},
        record=_record(book, row),
        expires_at=row["expires_at"],
    )


def _record(book: Book, row: Mapping[str, Any]) -> bool:
    return row["self_approval"] == "record" and book.self_approval == "record"


def _voter(visit: Visit, book: Book, row: Mapping[str, Any]) -> model.Voter:
    who, may = visit.who, _entitled(visit, book, roles_of(row))
    return model.Voter(who.account_id, who.login, True, True, may, same(visit, row))


def same(visit: Visit, row: Mapping[str, Any]) -> frozenset[int]:
    """Return the accounts that are one person with the visitor's, as ``answered`` found them."""
    found: frozenset[int] = row.get("same") or frozenset({visit.who.account_id or 0})
    return found


def entitled(visit: Visit, book: Book, row: Mapping[str, Any]) -> bool:
    """Tell whether the visitor is one of those who are asked, whether they have answered or not."""
    return _entitled(visit, book, roles_of(row))


def _entitled(visit: Visit, book: Book, roles: Collection[str]) -> bool:
    who = visit.who
    return any(who.holds(one, book) for one in roles) if roles else who.may("runs:write", book)


def excluded(visit: Visit, row: Mapping[str, Any]) -> bool:
    """Tell whether the visitor takes part in what is to be approved."""
    return not same(visit, row).isdisjoint(row["excluded"] or ())


def why_not(visit: Visit, book: Book, row: Mapping[str, Any], votes: list[dict[str, Any]]) -> str:
    """Say why the visitor is not asked, where that is not plain from whom it waits for."""
    say = visit.speech.say
    mine = any(model.said(one, same(visit, row)) for one in approvers.given(votes))
    if mine or not same(visit, row).isdisjoint(row.get("did", ())):
        left = max(1, (row["need"] or 1) - row.get("given", 1))
        return visit.speech.say_n(
            "You have answered; %(n)s more person is needed.",
            "You have answered; %(n)s more people are needed.",
            left,
        )
    if row["kind"] == "approval" and excluded(visit, row):
        return say("You started, steer or caused it, or wrote it, so somebody else approves.")
    return ""


def roles_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the roles a wait names, of which any may answer."""
    return model.roles_of(row["role"] or row.get("approval_role"))


def whom(speech: Speech, book: Book, row: Mapping[str, Any]) -> str:
    """Say who is waited for: the roles, the people in the book who could answer now, and how many.

    Whoever is on duty comes first. ``row`` is one of ``answered``.
    """
    told = _whom(speech, book, row)
    need = row.get("need") or 1
    if need == 1:
        return told
    return speech.say(
        "%(whom)s · %(given)s of %(need)s", whom=told, given=row.get("given", 0), need=need
    )


def _whom(speech: Speech, book: Book, row: Mapping[str, Any]) -> str:
    wanted = roles_of(row)
    if not wanted:
        return speech.say("waits for anybody who may run things here")
    role = ", ".join(wanted)
    holders = [one for one in book.people.values() if not set(wanted).isdisjoint(one.roles)]
    if not holders:
        return speech.say("waits for %(role)s; nobody in the book has that role", role=role)
    could = [one for one in holders if one.login not in row.get("shut", ())]
    if not could:
        return speech.say("waits for %(role)s; nobody else in the book has that role", role=role)
    duty = row.get("duty", ())
    could.sort(key=lambda one: one.id not in duty)
    people = [
        speech.say("%(person)s, on duty", person=name) if one.id in duty else name
        for one in could[:3]
        for name in [words.text(speech, one.name)]
    ]
    listed = ", ".join(people) + (" …" if len(could) > 3 else "")
    return speech.say("waits for %(role)s (%(people)s)", role=role, people=listed)
