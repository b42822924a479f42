"""``/version`` and ``/books``."""

from __future__ import annotations

from fastapi import APIRouter

from opsbook import __version__
from opsbook.book import Book, Runbook
from opsbook.web.api.callers import Ask
from opsbook.web.api.models import BookOut, Books, ParamOut, RunbookOut, Version
from opsbook.web.api.problems import ProblemRoute

routes = APIRouter(route_class=ProblemRoute, tags=["books"])


@routes.get("/version")
async def version() -> Version:
    """Which Opsbook answers. Needs no token."""
    return Version(version=__version__)


@routes.get("/books")
async def books(ask: Ask) -> Books:
    """The running books that the caller may read."""
    return Books(books=[shaped(book, ask.language) for book in ask.books("book")])


def shaped(book: Book, language: str) -> BookOut:
    """Return a book as the API tells it."""
    return BookOut(
        id=book.id,
        title=book.title.in_language(language),
        revision=str(book.revision),
        status=book.status,
        timezone=str(book.timezone),
        languages=list(book.languages),
        self_approval=book.self_approval,
        checks=len(book.checks),
        rules=len(book.rules),
        routines=len(book.routines),
        runbooks=[_runbook(one, language) for one in book.runbooks.values()],
    )


def _runbook(runbook: Runbook, language: str) -> RunbookOut:
    params = [
        ParamOut(
            name=name,
            title=param.title.in_language(language) if param.title else "",
            type=param.type,
            required=param.must_be_given,
            choices=list(param.choices),
            default=param.default,
            secret=param.secret,
        )
        for name, param in runbook.params.items()
    ]
    title = runbook.title.in_language(language)
    return RunbookOut(id=runbook.id, title=title, risk=runbook.risk, params=params)
