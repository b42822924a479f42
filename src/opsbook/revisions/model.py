"""What becomes of a new revision: decided from values, without a database or a clock."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from opsbook.book import Book
from opsbook.revisions.git import DOMAIN
from opsbook.revisions.plan import Change
from opsbook.revisions.reading import Look, Writer

Outcome = Literal["same", "publish", "hold", "waiting", "rejected", "stale"]
"""``same``: it runs already. ``waiting``: it was held before. ``stale``: compare again."""

REWRITTEN: Final = Change(
    "book", "history", "changed",
    "The branch was rewritten: its new commits do not build on what ran here, so nobody can tell "
    "who wrote what changed.",
    loosens=True,
)  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A good revision that wants to run: from where, by whom.

    ``accounts`` are everybody behind it; ``draft`` is the edit that it is, not yet in its source.
    """

    book: Book
    source: str
    origin: str
    author: str
    accounts: tuple[int, ...] = ()
    commit: str | None = None
    rewritten: bool = False
    named: str = ""
    draft: int | None = None


def decide(
    running: str | None, candidate: str, *, loosens: bool, approved: bool, refused: bool,
    asked: bool,
) -> Outcome:  # fmt: skip
    """Say what becomes of a revision. ``approved``, ``refused`` and ``asked`` are of exactly it."""
    if running == candidate:
        return "same"
    if running is None or approved or not loosens:
        return "publish"
    if refused:
        return "rejected"
    return "waiting" if asked else "hold"


def writers_of(writers: Iterable[Writer], book: Book) -> tuple[str, ...]:
    """Return the logins of those whom git names, as the book and our own commits know them.

    By the address we commit under, an address that is a login or a contact, the name before the
    @, or a person's name: somebody taken for another is asked to let a third person approve, while
    somebody overlooked could approve their own work.
    """
    found: dict[str, None] = {}
    for writer in writers:
        local, _, domain = writer.email.partition("@")
        if domain == DOMAIN:
            found[local] = None
        for person in book.people.values():
            told = {writer.email.lower(), local.lower(), writer.name.lower()}
            known = {person.login.lower(), person.id.lower()}
            known |= {name.lower() for name in person.name.by_language.values()}
            mail = any(writer.email in (contact.url or "") for contact in person.contacts)
            if told & known or mail:
                found[person.login] = None
    return tuple(found)


def rebased(
    base: Mapping[str, str], changes: Mapping[str, Mapping[str, str | None]]
) -> tuple[dict[str, str], list[str]]:
    """Put a draft's changes on top of files; also the paths that are not as the draft knew them."""
    files = dict(base)
    clashes = []
    for path, change in changes.items():
        text = change["text"]
        if base.get(path) == text:
            continue  # somebody has made the same change
        if digest_of(base.get(path)) != change["base"]:
            clashes.append(path)
        elif text is None:
            files.pop(path, None)
        else:
            files[path] = text
    return files, clashes


def digest_of(text: str | None) -> str | None:
    """Return the hash of one file's content; ``None`` for a file that is not there."""
    if text is None:
        return None
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def candidate_of(
    look: Look, book: Book, key: str, accounts: Mapping[str, int], author: str
) -> Candidate:
    """Return what a look at a source offers; ``accounts`` are those of its writers by login."""
    named = str(look.writers[0]) if look.writers else ""
    first = next(iter(accounts.values()), None)
    return Candidate(
        book=book, source=key, origin=look.origin,
        author=f"account:{first}" if first is not None else named or author,
        accounts=tuple(accounts.values()), commit=look.commit, rewritten=look.rewritten,
        named=named,
    )  # fmt: skip
