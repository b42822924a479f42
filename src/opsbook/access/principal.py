"""The one who asks: a person at a page, a program with a token, or a program on this machine.

A permission is ``area:level`` from the roles that the book gives the person; ``admin`` includes
``write``, ``write`` includes ``read``, and the area ``*`` is every area. Nothing is allowed unless
a role says so. A token narrows this further by its scopes and never widens it.

What a person may do is asked of the book that is running now, not of the one that was running when
a run began: who leaves the team loses the right at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from opsbook.base.errors import Refused
from opsbook.book import Book
from opsbook.book.sections.people import Permission, Person

AREAS: Final = ("runs", "incidents", "checks", "audit", "book", "access")
Kind = Literal["session", "token", "local"]

SCOPES: Final = frozenset({"read", "run", "approve", "accounts"})
LOCAL_SCOPES: Final = frozenset({"read", "run"})
SIGNED_IN: Final = SCOPES | {"admin"}

# What each level takes. No token can have "admin": who may do what is changed by a person. Accounts
# are the exception that is ticked by name, for inviting and disabling people by a program.
_READ: Final = frozenset({"read"})
_WRITE: Final = frozenset({"run"})
_ANSWER: Final = frozenset({"run", "approve"})  # notes and acknowledgements of an incident
_ADMIN: Final = frozenset({"admin"})
_ACCOUNTS: Final = frozenset({"admin", "accounts"})


@dataclass(frozen=True)
class Principal:
    """Who asks. ``actor`` is how the audit names them: ``account:3``, ``token:9``."""

    actor: str
    account_id: int | None
    login: str
    kind: Kind
    scopes: frozenset[str]
    first_admin: bool = False

    @classmethod
    def of_session(cls, row: Mapping[str, Any]) -> Principal:
        """Return who a row of ``sessions.find`` is: a person, with all they may do."""
        return cls(
            actor=f"account:{row['account_id']}", account_id=row["account_id"],
            login=row["login"], kind="session", scopes=SIGNED_IN,
            first_admin=row["first_admin"],
        )  # fmt: skip

    @classmethod
    def of_token(cls, row: Mapping[str, Any]) -> Principal:
        """Return who a row of ``tokens.find`` is: a program of a person's, or of this machine's."""
        local = row["account_id"] is None
        scopes = frozenset(row["scopes"])
        return cls(
            actor=f"token:{row['id']}", account_id=row["account_id"],
            login="local" if local else row["login"], kind="local" if local else "token",
            scopes=scopes & LOCAL_SCOPES if local else scopes,
            first_admin=not local and row["first_admin"],
        )  # fmt: skip

    def may(self, permission: str, book: Book) -> bool:
        """Tell whether ``runs:write`` or the like is allowed in this book."""
        if not self.scoped(permission):
            return False
        return self.kind == "local" or self.entitled(permission, book)

    def scoped(self, permission: str) -> bool:
        """Tell whether the scopes leave room for a permission, whoever has it."""
        return bool(self.scopes & _scopes_for(Permission.of(permission)))

    def entitled(self, permission: str, book: Book) -> bool:
        """Tell whether the account behind this has the permission, whatever its scopes narrow."""
        asked = Permission.of(permission)
        return self.first_admin or any(
            one.allows(asked.area, asked.level)
            for role in self.roles(book)
            for one in book.roles.get(role, ())
        )

    def require(self, permission: str, book: Book) -> None:
        """Do nothing when it is allowed.

        Raises:
            Refused: naming what is missing and which roles have it.
        """
        if self.may(permission, book):
            return
        asked = Permission.of(permission)
        if self.kind == "local" or self.entitled(permission, book):
            raise Refused(
                f"This {self._means} may not do that: it is for {_listed(self.scopes)}, "
                f"and {permission} needs {_listed(_scopes_for(asked), 'or')}.",
                remedy="Sign in at the web page, or make a token with that scope on your profile.",
                permission=permission,
                book=book.id,
            )
        holding = [
            role for role, given in book.roles.items()
            if any(one.allows(asked.area, asked.level) for one in given)
        ]  # fmt: skip
        known = self.person(book)
        who = f"{self.login} has no {permission}" if known else f"{self.login} is nobody"
        roles = f"Roles that have it: {', '.join(holding)}." if holding else "No role has it yet."
        raise Refused(
            f"{who} in the book {book.id}.",
            remedy=f"Ask for a role with {permission} in the book's people. {roles}",
            permission=permission,
            book=book.id,
        )

    def require_person(self) -> None:
        """Do nothing for a person, or for a token that a person made to act as them.

        Raises:
            Refused: a program asks for what a person has to answer for.
        """
        if self.account_id is None:
            raise Refused(
                "The local token acts for no person: it starts and reads.",
                remedy="Use the web page, or a personal token with the scope approve "
                "(OPSBOOK_TOKEN).",
            )
        if "approve" not in self.scopes:
            raise Refused(
                f"This {self._means} does not act as {self.login}: "
                f"it is for {_listed(self.scopes)}.",
                remedy="Use the web page, or make a token with the scope approve.",
            )

    @property
    def _means(self) -> str:
        return "session" if self.kind == "session" else "token"

    def person(self, book: Book) -> Person | None:
        """Return who this is in a book; ``None`` for the local token and for strangers to it."""
        if self.account_id is None:
            return None
        found = book.person_of(self.login)
        return book.people[found] if found is not None else None

    def roles(self, book: Book) -> frozenset[str]:
        """Return the roles that the book gives this person."""
        person = self.person(book)
        return frozenset(person.roles) if person is not None else frozenset()

    def holds(self, role: str, book: Book) -> bool:
        """Tell whether this person has a role; the first administrator stands in for every one."""
        return self.account_id is not None and (self.first_admin or role in self.roles(book))

    def persons(self, books: Iterable[Book]) -> list[tuple[str, str]]:
        """Return (book, person) for every book this account is somebody in: whose inbox is theirs.

        A person's id means nothing outside its book: ``operator`` may be somebody else next door.
        """
        found = [(book.id, self.person(book)) for book in books]
        return [(book, person.id) for book, person in found if person is not None]


def _scopes_for(asked: Permission) -> frozenset[str]:
    if asked.level == "read":
        return _READ
    if asked.level == "write":
        return _ANSWER if asked.area == "incidents" else _WRITE
    return _ACCOUNTS if asked.area == "access" else _ADMIN


def _listed(words: Iterable[str], last: str = "and") -> str:
    """Return ``read and run``."""
    given = sorted(words)
    return f" {last} ".join([", ".join(given[:-1]), given[-1]] if len(given) > 1 else given)
