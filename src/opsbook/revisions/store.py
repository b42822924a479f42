"""Named queries over sources, publications, held revisions and drafts."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from opsbook.access import accounts
from opsbook.access.tables import account, approval
from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid
from opsbook.book.library import Held, Trouble
from opsbook.book.problems import Problem
from opsbook.book.tables import revision
from opsbook.revisions.tables import draft, held, publication, source

Row = dict[str, Any]
EDITABLE = ("open", "conflict")
LONGEST_HISTORY = 200


def source_of(tx: Transaction, key: str) -> Row | None:
    """Return what is known of a source."""
    return tx.row(sa.select(source).where(source.c.source == key))


def seen(tx: Transaction, key: str, **values: Any) -> None:
    """Keep what was seen of a source last."""
    if not tx.claim(sa.update(source).where(source.c.source == key).values(**values)):
        tx.insert(source, source=key, **values)


def trouble_of(row: Row | None) -> Trouble | None:
    """Return a source's trouble from its row."""
    if row is None or row["trouble"] is None:
        return None
    told = row["trouble"]
    return Trouble(
        source=row["source"], kind=told["kind"], message=told["message"], remedy=told["remedy"],
        problems=tuple(Problem(**one) for one in told["problems"]), since=row["trouble_since"],
    )  # fmt: skip


def sources_of(tx: Transaction, book: str) -> list[Row]:
    """Return every source that a book came from, known to this database."""
    return tx.rows(sa.select(source).where(source.c.book == book).order_by(source.c.source))


def published(tx: Transaction, **values: Any) -> int:
    """Add to a book's history."""
    return tx.insert(publication, **values)


def publications(tx: Transaction, book: str, limit: int = LONGEST_HISTORY) -> list[Row]:
    """Return what ran, newest first."""
    mine = sa.select(publication).where(publication.c.book == book)
    return tx.rows(mine.order_by(publication.c.id.desc()).limit(limit))


def since_approved(tx: Transaction, book: str) -> tuple[datetime | None, list[Row]]:
    """Return what was published since the last approved (or the first) revision, and since when."""
    mine = publication.c.book == book
    settled = mine & (publication.c.approval_id.is_not(None) | publication.c.parent.is_(None))
    last = tx.row(sa.select(publication).where(settled).order_by(publication.c.id.desc()).limit(1))
    if last is None:
        return None, tx.rows(sa.select(publication).where(mine))
    later = sa.select(publication).where(mine, publication.c.id > last["id"])
    return last["at"], tx.rows(later)


def held_since(tx: Transaction, book: str, since: datetime | None) -> list[Row]:
    """Return every revision that was held and not published since a moment."""
    mine = (held.c.book == book) & (held.c.state != "published")
    if since is not None:
        mine &= held.c.held_at >= since
    return tx.rows(sa.select(held).where(mine))


def files_of(tx: Transaction, digest: str) -> dict[str, str]:
    """Return the files of a stored revision; none where the database does not hold it."""
    stored = tx.scalar(sa.select(revision.c.files).where(revision.c.revision == digest))
    found: dict[str, str] = json.loads(stored) if stored else {}
    return found


def hold(tx: Transaction, **values: Any) -> int:
    """Add a revision that waits."""
    return tx.insert(held, **values, state="open")


def held_by_id(tx: Transaction, held_id: int) -> Row | None:
    """Return a held revision."""
    return tx.row(sa.select(held).where(held.c.id == held_id))


def held_of(
    tx: Transaction, book: str, digest: str, parent: str | None = None, state: str | None = None
) -> Row | None:
    """Return the newest time that exactly this content was held."""
    mine = (held.c.book == book) & (held.c.revision == digest)
    if parent is not None:
        mine &= held.c.parent == parent
    if state is not None:
        mine &= held.c.state == state
    return tx.row(sa.select(held).where(mine).order_by(held.c.id.desc()).limit(1))


def open_held(
    tx: Transaction, book: str | None = None, *, source: str | None = None,
    draft: int | None = None, edits: bool | None = None,
) -> list[Row]:  # fmt: skip
    """Return what waits, the oldest first; ``edits`` only drafts, or only what sources hold."""
    waits = held.c.state == "open"
    for column, wanted in ((held.c.book, book), (held.c.source, source), (held.c.draft_id, draft)):
        if wanted is not None:
            waits &= column == wanted
    if edits is not None:
        waits &= held.c.draft_id.is_not(None) if edits else held.c.draft_id.is_(None)
    return tx.rows(sa.select(held).where(waits).order_by(held.c.id))


def decided(tx: Transaction) -> list[Row]:
    """Return what waits no longer, because its approval was decided: with ``approval_state``."""
    joined = held.join(approval, approval.c.id == held.c.approval_id)
    over = (held.c.state == "open") & (approval.c.state != "open")
    columns = (*held.c, approval.c.state.label("approval_state"))
    return tx.rows(sa.select(*columns).select_from(joined).where(over).order_by(held.c.id))


def close_held(tx: Transaction, now: datetime, held_id: int, state: str) -> bool:
    """Let a held revision wait no longer; ``False`` when it already did not."""
    mine = (held.c.id == held_id) & (held.c.state == "open")
    return tx.claim(sa.update(held).where(mine).values(state=state, closed_at=now))


def memory_of(row: Row | None) -> Held | None:
    """Return what pages are told of a held revision."""
    if row is None:
        return None
    return Held(
        id=row["id"], revision=row["revision"], approval_id=row["approval_id"],
        author=row["author"], origin=row["origin"], since=row["held_at"],
    )  # fmt: skip


def add_draft(tx: Transaction, **values: Any) -> int:
    """Add a draft."""
    return tx.insert(draft, **values)


def draft_by_id(tx: Transaction, draft_id: int) -> Row | None:
    """Return a draft."""
    return tx.row(sa.select(draft).where(draft.c.id == draft_id))


def drafts_of(tx: Transaction, book: str, states: Iterable[str]) -> list[Row]:
    """Return a book's drafts in these states, the latest first."""
    mine = (draft.c.book == book) & draft.c.state.in_(list(states))
    return tx.rows(sa.select(draft).where(mine).order_by(draft.c.updated_at.desc(), draft.c.id))


def writing(tx: Transaction, book: str) -> list[Row]:
    """Return the intents: edits whose way into their source was begun and not seen to end."""
    return drafts_of(tx, book, ("writing",))


def change_draft(tx: Transaction, row: Row, **values: Any) -> bool:
    """Change a draft that is as ``row`` says; ``False`` when somebody else was first."""
    same = (draft.c.id == row["id"]) & (draft.c.version == row["version"])
    change = sa.update(draft).where(same).values(version=row["version"] + 1, **values)
    return tx.claim(change)


def accounts_of(
    tx: Transaction, now: datetime, logins: Iterable[str], people: Collection[str]
) -> dict[str, int]:
    """Return the accounts of these logins; one of ``people`` without an account is given one.

    Whoever wrote a revision may not approve it, and that must hold for somebody who gets to sign in
    only afterwards: an account without a password is how we remember who it was. A login that
    belongs to nobody, or that no account can have, is left out.
    """
    wanted = list(dict.fromkeys(logins))
    query = sa.select(account.c.login, account.c.id).where(account.c.login.in_(wanted))
    found = {row["login"]: row["id"] for row in tx.rows(query)}
    for login in wanted:
        if login not in found and login in people:
            with contextlib.suppress(Invalid):
                found[login] = accounts.create(tx, now, login)
    return {login: found[login] for login in wanted if login in found}
