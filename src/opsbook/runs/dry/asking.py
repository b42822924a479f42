"""Whom a step would ask: who could answer as the book stands today, and who may not, and why.

The same rule as where the answer is taken (`access.model.rule`): the role, or else ``runs:write``;
of an approval not whoever starts the run and not whoever wrote the revision, unless the book says
``self_approval: record``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from opsbook.access import model as rules
from opsbook.book import Book, Step
from opsbook.book.sections.people import Permission, Person

STARTED: Final = "started"
AUTHORED: Final = "authored"
LINKED: Final = "linked"
NO_ACCOUNT: Final = "no account"
DISABLED: Final = "disabled"


@dataclass(frozen=True, slots=True)
class Excluded:
    """Somebody with the role who could not answer, and why: a word of the constants above."""

    person: str
    why: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to people. `may` and `excluded` are persons of the book.

    `oneself` is whether the book lets people approve their own work, on record.
    """

    question: str
    roles: tuple[str, ...]
    need: int
    within: timedelta | None
    may: tuple[str, ...]
    excluded: tuple[Excluded, ...]
    oneself: bool = False

    @property
    def enough(self) -> bool:
        """Whether there are as many people as it takes."""
        return len(self.may) >= self.need


def ask(book: Book, step: Step, question: str, shut: dict[str, str], absent: dict[str, str]) -> Ask:
    """Return whom a step would ask.

    `shut` are the logins that take part in what is asked, `absent` those that cannot sign in, each
    with why.
    """
    record = step.kind == "approval" and book.self_approval == "record"
    why_not = {**absent} if step.kind != "approval" or record else {**shut, **absent}
    holders = list(holding(book, step))
    return Ask(
        question=question,
        roles=step.roles,
        need=step.need,
        within=step.within,
        may=tuple(one.id for one in holders if one.login not in why_not),
        excluded=tuple(
            Excluded(one.id, why_not[one.login]) for one in holders if one.login in why_not
        ),
        oneself=record,
    )


def holding(book: Book, step: Step) -> Iterator[Person]:
    """Yield the persons of the book whom the step's roles, or else ``runs:write``, fit."""
    asked = Permission.of(rules.USUAL)
    for person in book.people.values():
        if step.roles:
            if set(step.roles) & set(person.roles):
                yield person
        elif any(
            given.allows(asked.area, asked.level)
            for role in person.roles
            for given in book.roles.get(role, ())
        ):
            yield person
