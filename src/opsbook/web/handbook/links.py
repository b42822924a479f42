"""Where a name in the book leads, what it is called, and who uses it.

The reverse index is made once per revision from the models' typed references (`book.walk`), so that
"used by" is complete by construction: what validation checks is what is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from opsbook.book import Book, Runbook, Text, walk
from opsbook.book.positions import Path
from opsbook.book.refs import Refers
from opsbook.web import words
from opsbook.web.handbook import shelf
from opsbook.web.handbook.memo import Memo
from opsbook.web.i18n import Speech

Target = tuple[str, str]
"""A section and the id of an element in it."""


@dataclass(frozen=True)
class Use:
    """Somebody who names an element: the user, and the key it stands under there."""

    section: str
    id: str
    key: str


_USES: Final[Memo[str, Mapping[Target, Sequence[Use]]]] = Memo(16)


def path(book: str, section: str = "", id: str = "") -> str:
    """Return where a section's or an element's page is; without either, the book's."""
    return "/book/" + "/".join(quote(one, safe="") for one in (book, section, id) if one)


def file_path(book: str, where: str) -> str:
    """Return where a line of a file of the book is shown; `where` is ``file:line``."""
    file, _, line = where.rpartition(":")
    return f"/book/{quote(book)}/files/{quote(file)}#L{line}"


def find(book: Book, sections: Sequence[str], id: str) -> str | None:
    """Return the first of `sections` that has this id."""
    return next((one for one in sections if id in shelf.section(book, one).held), None)


def title(speech: Speech, book: Book, section: str, id: str) -> str:
    """Return what people call an element: its title, or its id where it has none.

    A severity is called by both: people say P1, and the title says what that means.
    """
    told = called(speech, shelf.section(book, section).held.get(id))
    return f"{id} {told}" if told and section == "severities" else told or id


def called(speech: Speech, element: Any) -> str:
    """Return an element's title or name in the visitor's language; empty where it has neither."""
    for key in ("title", "name", "summary"):
        value = getattr(element, key, None)
        if isinstance(value, Text):
            return words.text(speech, value)
    return ""


def uses(book: Book, section: str, id: str) -> Sequence[Use]:
    """Return who names an element, in the order of the book; each user once per key."""
    return _USES.get(book.revision, lambda: _reversed(book)).get((section, id), ())


def _reversed(book: Book) -> Mapping[Target, Sequence[Use]]:
    found: dict[Target, dict[Use, None]] = {}
    for target, use in _all(book):
        if target != (use.section, use.id):
            found.setdefault(target, {})[use] = None
    return {target: tuple(several) for target, several in found.items()}


def _all(book: Book) -> Iterator[tuple[Target, Use]]:
    for one in walk.marked(book):
        if not isinstance(one.mark, Refers):
            continue
        section = find(book, one.mark.sections, one.value)
        if section is not None:
            yield (section, one.value), _user(one.path)
    for runbook in book.runbooks.values():
        yield from _of_runbook(book, runbook)


def _user(at: Path) -> Use:
    """Who stands at a path: ``("rules", "slow", "check")`` is the rule slow, by its key check."""
    section = str(at[0])
    id = str(at[1]) if section not in shelf.SINGLE | shelf.ABOUT and len(at) > 1 else ""
    rest = at[2:] if id else at[1:]
    key = next((str(one) for one in rest if isinstance(one, str)), "")
    return Use(section, id, key or section)


def _of_runbook(book: Book, runbook: Runbook) -> Iterator[tuple[Target, Use]]:
    """What a runbook names: its owner, and what its steps look at, run, ask and tell."""
    named: list[tuple[Sequence[str], str, str]] = []
    if runbook.owner:
        named.append((("people", "teams"), runbook.owner, "owner"))
    for step in runbook.steps:
        if step.kind == "check":
            named.append((("checks",), step.check, "step"))
        elif step.kind == "run":
            named.append((("runbooks",), step.runbook, "step"))
        named += [(("roles",), role, "step") for role in step.roles]
        named += [(("people", "teams", "channels"), who, "step") for who in step.to]
    for sections, id, key in named:
        section = find(book, sections, id)
        if section is not None:
            yield (section, id), Use("runbooks", runbook.id, key)
