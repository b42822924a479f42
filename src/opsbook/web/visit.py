"""One request: who asks, in which language, at what time, about which books.

A visit is made before a page's own work (`who`) and carries what every page asks of it. How a page
is read and rendered is in `pages`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from markupsafe import Markup
from starlette.requests import Request

from opsbook.access import Principal, sessions
from opsbook.access.principal import AREAS
from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.book import Book
from opsbook.web import forms, i18n, sayings
from opsbook.web.errors import SignInNeeded
from opsbook.web.i18n import Speech
from opsbook.web.kept import Kept

SESSION: Final = "opsbook_session"
FORM: Final = "opsbook_form"
LANGUAGE: Final = "opsbook_language"
THEME: Final = "opsbook_theme"
SAID: Final = "opsbook_said"
THEMES: Final = ("light", "dark")
YEAR: Final = 365 * 24 * 3600

Result = TypeVar("Result")


@dataclass
class Visit:
    """One visitor's request. `secret` is what forms are bound to; `counts` fill the navigation."""

    request: Request
    kept: Kept
    now: datetime
    speech: Speech
    theme: str
    secret: str
    session: Mapping[str, Any] | None = None
    principal: Principal | None = None
    counts: dict[str, int] = field(default_factory=dict)
    waits: list[Any] | None = None
    mark: str = ""

    # ---- who and where ---------------------------------------------------------------------

    @property
    def who(self) -> Principal:
        """The signed-in principal.

        Raises:
            SignInNeeded: nobody is signed in.
        """
        if self.principal is None:
            raise SignInNeeded
        return self.principal

    @property
    def signed_in(self) -> bool:
        """Whether somebody is signed in."""
        return self.principal is not None

    @property
    def login(self) -> str:
        """The account's name; empty before sign-in."""
        return (self.principal.login or "") if self.principal else ""

    @property
    def name(self) -> str:
        """What the visitor is called: by the first book that knows the account, else its login."""
        for book in self.kept.app.library.books():
            person = book.person_of(self.login)
            if person is not None:
                return book.people[person].name.in_language(self.speech.language)
        return self.login

    @property
    def here(self) -> str:
        """This page's path with its query."""
        url = self.request.url
        return f"{url.path}?{url.query}" if url.query else url.path

    @functools.cached_property
    def persons(self) -> list[tuple[str, str]]:
        """(Book, person) for every running book this account is somebody in."""
        return self.principal.persons(self.kept.app.library.books()) if self.principal else []

    def books(self, permission: str) -> list[Book]:
        """Return the running books in which the visitor has a permission."""
        who = self.principal
        if who is None:
            return []
        return [book for book in self.kept.app.library.books() if who.may(permission, book)]

    @property
    def allowed(self) -> bool:
        """Whether the visitor may read anything in any running book."""
        return any(self.books(f"{area}:read") for area in AREAS)

    def readable(self, area: str) -> list[Book]:
        """Return the running books in which the visitor may read an area.

        Raises:
            Refused: there are books, and none of them; says which role is missing.
        """
        found = self.books(f"{area}:read")
        running = self.kept.app.library.books()
        if running and not found:
            self.who.require(f"{area}:read", running[0])
        return found

    def may(self, permission: str, book: Book) -> bool:
        """Tell whether the visitor may do something in a book."""
        return self.principal is not None and self.principal.may(permission, book)

    def book(self, book_id: str, permission: str) -> Book:
        """Return a running book the visitor may see.

        Raises:
            NotFound: there is none of that name, or none for this visitor, which reads the same.
        """
        found = next((one for one in self.books(permission) if one.id == book_id), None)
        if found is None:
            raise NotFound(f"There is no book {book_id!r} here that you may read.")
        return found

    @property
    def zone(self) -> ZoneInfo:
        """The zone of what belongs to no book: the first book's."""
        books = self.kept.app.library.books()
        return ZoneInfo(books[0].timezone) if books else ZoneInfo("UTC")

    @property
    def address(self) -> str:
        """Where the request came from, for limits; never shown and never kept."""
        client = self.request.client
        return client.host if client is not None else "unknown"

    # ---- what the frame shows ----------------------------------------------------------------

    @property
    def book_titles(self) -> str:
        """The running books, for the line at the top."""
        books = self.books("book:read")
        return ", ".join(book.title.in_language(self.speech.language) for book in books)

    @property
    def other_language(self) -> str:
        """The language that the switch at the top leads to."""
        return "en" if self.speech.language == "ko" else "ko"

    @property
    def other_language_name(self) -> str:
        """That language in its own words."""
        return i18n.NAMES[self.other_language]

    @property
    def other_theme(self) -> str:
        """The look that the switch at the top leads to; following the system is in the profile."""
        return "light" if self.theme == "dark" else "dark"

    @property
    def said(self) -> str:
        """What to say once about the wish that led here."""
        key = self.request.cookies.get(SAID, "")
        return self.speech.say(sayings.DONE[key]) if key in sayings.DONE else ""

    # ---- wishes ----------------------------------------------------------------------------

    async def write(self, work: Callable[[Transaction], Result]) -> Result:
        """Fulfil a wish in one transaction, of somebody who is still let in when it begins.

        A form may have been hours on its way: who sends it, and what the time is, counts as it is
        then, and not as it was when its first byte came.

        Raises:
            SignInNeeded: the session is over by now, or the account was disabled.
        """
        if self.session is None:
            return await self.kept.app.database.write(work)

        def wished(tx: Transaction) -> Result:
            self.now = self.kept.app.clock.now()
            raw = self.request.cookies.get(SESSION, "")
            found = sessions.find(tx, self.now, raw, notes=False)
            if found is None:
                raise SignInNeeded
            self.session, self.principal = found, Principal.of_session(found)
            return work(tx)

        return await self.kept.app.database.write(wished)

    async def form(self) -> dict[str, str]:
        """Return the fields of the form that was sent, once its token fits."""
        return await forms.read(self.request, self.secret)

    def html(self, sentence: str, /, **values: Any) -> Markup:
        """Say a sentence as HTML."""
        return self.speech.html(sentence, **values)
