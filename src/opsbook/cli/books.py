"""Reading books for ``validate`` and ``up``: each book, and everything wrong with it, at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from opsbook.base import secrets
from opsbook.book import Book, BookError, Problem, Vocabulary, load, read_folder, secretrefs
from opsbook.book import remarks as sections
from opsbook.book.positions import dotted
from opsbook.book.sections.people import Contact
from opsbook.cli import failure, output, words


@dataclass(frozen=True)
class Read:
    """A folder, and either the book in it or what is wrong with it."""

    folder: Path
    book: Book | None
    problems: tuple[Problem, ...]


def read(folders: Iterable[Path], vocabulary: Vocabulary) -> list[Read]:
    """Read every folder; a bad one does not hide what is wrong with the next."""
    found: list[Read] = []
    for folder in folders:
        try:
            book = load(read_folder(folder), vocabulary)
        except BookError as error:
            found.append(Read(folder, None, error.problems))
        else:
            found.append(Read(folder, book, ()))
    return found


def place(folder: Path, problem: Problem) -> str:
    """Return ``file:line:col`` with the path from here, which terminals and editors can open."""
    file = str(folder) if problem.file == str(folder) else str(folder / problem.file)
    return f"{file}:{problem.line}:{problem.column}"


def complain(read_books: Iterable[Read]) -> None:
    """Write every problem to standard error, one a line."""
    for one in read_books:
        for problem in one.problems:
            told = str(problem).removeprefix(f"{problem.file}:{problem.line}:{problem.column}")
            failure.line(f"{place(one.folder, problem)}{output.clean(told)}")


def counts(book: Book) -> str:
    """Return how much there is of what in a book."""
    return ", ".join(
        (
            words.plural(len(book.checks), "check"),
            words.plural(len(book.rules), "rule"),
            words.plural(len(book.routines), "routine"),
            words.plural(len(book.runbooks), "runbook"),
        )
    )


def remarks(book: Book) -> list[str]:
    """Return what is no mistake and still worth knowing: idle, undecided, or readable by many."""
    told = []
    if book.idle:
        told.append(words.BOOK_IDLE.format(what=", ".join(book.idle)))
    for path, said in book.assumed.items():
        if said.assumed:
            place = book.where(*path)
            told.append(words.BOOK_ASSUMED.format(place=place, what=dotted(path), why=said.reason))
    told += [
        words.BOOK_PASSWORD.format(place=book.where(*path), what=dotted(path))
        for path, contact in _contacts(book)
        if contact.url is not None and urlsplit(contact.url).password
    ]
    told += [
        words.BOOK_UNSIGNED.format(place=book.where("webhooks", hook.id), what=hook.id)
        for hook in book.webhooks.values()
        if hook.secret is None
    ]
    told += [
        words.BOOK_UNUSED.format(place=f"{one.file}:{one.line}", what=one.message)
        for one in book.remarks
    ]
    for one in sections.of(book):
        form = words.BOOK_REMARK_WITH if one.remedy else words.BOOK_REMARK
        place = f"{one.file}:{one.line}"
        told.append(form.format(what=one.message, place=place, remedy=one.remedy))
    lacking = missing_secrets(book)
    if lacking:
        told.append(words.BOOK_SECRETS)
        told += [f"  {line}" for line in secret_lines(book, lacking)]
    return told


def missing_secrets(book: Book) -> list[tuple[secretrefs.Reference, str]]:
    """Return which secrets the book refers to and this process would not find, and why."""
    found = ((one, secrets.fault(one.reference)) for one in secretrefs.of(book))
    return [(one, why) for one, why in found if why]


def secret_lines(book: Book, lacking: Iterable[tuple[secretrefs.Reference, str]]) -> Iterator[str]:
    """Yield a line for each missing secret: where it is referred to, and what needs it."""
    for one, why in lacking:
        yield words.BOOK_SECRET.format(
            reference=one.reference, what=one.what, place=book.where(*one.path), why=why,
            without=one.without,
        )  # fmt: skip


def secrets_as_data(book: Book) -> list[dict[str, str]]:
    """Return the missing secrets, for scripts."""
    return [
        {
            "reference": one.reference, "what": one.what, "where": book.where(*one.path),
            "why": why, "without": one.without,
        }
        for one, why in missing_secrets(book)
    ]  # fmt: skip


def _contacts(book: Book) -> Iterator[tuple[tuple[str | int, ...], Contact]]:
    for id, person in book.people.items():
        for n, contact in enumerate(person.contacts):
            yield ("people", id, "contacts", n), contact
    for id, channel in book.channels.items():
        yield ("channels", id, "to"), channel.to


def as_data(one: Read) -> dict[str, Any]:
    """Return a book that was read, for scripts."""
    book = one.book
    about = {
        "id": book.id,
        "title": str(book.title),
        "revision": str(book.revision),
        "checks": len(book.checks),
        "rules": len(book.rules),
        "routines": len(book.routines),
        "runbooks": len(book.runbooks),
        "idle": list(book.idle),
        "assumed": [
            {"what": dotted(path), "reason": said.reason, "where": book.where(*path)}
            for path, said in book.assumed.items()
            if said.assumed
        ],
        "unused": [
            {"what": one.message, "where": f"{one.file}:{one.line}"} for one in book.remarks
        ],
        "remarks": [
            {"what": one.message, "where": f"{one.file}:{one.line}", "remedy": one.remedy}
            for one in sections.of(book)
        ],
        "missing_secrets": secrets_as_data(book),
    } if book else None  # fmt: skip
    problems = [
        {
            "file": place(one.folder, problem).rsplit(":", 2)[0],
            "line": problem.line,
            "column": problem.column,
            "message": problem.message,
            "remedy": problem.remedy,
        }
        for problem in one.problems
    ]
    return {"path": str(one.folder), "valid": book is not None, "book": about, "problems": problems}
