"""What is missing or must go wrong, found before anything runs, and all of it at once.

A run that changes something and then finds that nobody may approve the next step fails at the worst
moment. What only may go wrong (somebody has no account yet) is told as well, and told apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from opsbook.book import Book, Runbook, Step
from opsbook.book.sections.targets import Credential
from opsbook.runs import pausing
from opsbook.runs.dry.asking import AUTHORED, STARTED, Ask
from opsbook.runs.dry.model import N_, Around, Fault, Note
from opsbook.runs.kinds import STEP_KINDS

LACKING: Final = {
    "approval": (
        N_("Nobody could approve it: nobody in the book has the role %(role)s."),
        N_("Nobody could approve it: of those with the role %(role)s, %(who)s cannot."),
        N_("%(need)s people have to approve it, and only %(n)s could: %(may)s."),
    ),
    "manual": (
        N_("Nobody could do it: nobody in the book has the role %(role)s."),
        N_("Nobody could do it: of those with the role %(role)s, %(who)s cannot."),
        N_("%(need)s people have to do it, and only %(n)s could: %(may)s."),
    ),
}


def of_book(book: Book, around: Around) -> list[Fault]:
    """Return why nothing of the book could be started, or not by this person."""
    found = []
    if book.status == "draft":
        told = N_("The book %(book)s is a draft: nothing in it can be started.")
        found.append(Fault(Note(told, {"book": book.id})))
    if around.refused:
        found.append(Fault(Note(N_("You may not start it: %(why)s"), {"why": around.refused})))
    return found


def of_day(book: Book, runbook: Runbook, day: date) -> Iterator[Fault]:
    """Yield every step whose phase lies beyond the calendar, counted from the run's own day."""
    told = N_("%(phase)s of %(day)s is no day there is; give a day from %(first)s to %(last)s.")
    values = {"day": day, "first": pausing.EARLIEST, "last": pausing.LATEST}
    for step, _ in pausing.unreachable(book, runbook, day.isoformat()):
        yield Fault(Note(told, {**values, "phase": step.day}), step.key)


def of_step(
    book: Book, step: Step, around: Around, check: str | None, asked: Ask | None
) -> Iterator[Fault]:
    """Yield what will go wrong with a step as things stand."""
    known = around.kinds if around.kinds is not None else frozenset(STEP_KINDS)
    if step.kind not in known:
        told = N_("This Opsbook does not run steps of the kind %(kind)s.")
        yield Fault(Note(told, {"kind": step.kind}), step.key)
    if step.kind == "check" and check is not None and check not in book.checks:
        told = N_("The book has no check %(check)s.")
        yield Fault(Note(told, {"check": check}), step.key)
    if step.kind == "run" and step.runbook not in book.runbooks:
        told = N_("The book has no runbook %(runbook)s.")
        yield Fault(Note(told, {"runbook": step.runbook}), step.key)
    if step.on is not None and step.on not in book.targets:
        told = N_("The book has no target %(target)s.")
        yield Fault(Note(told, {"target": step.on}), step.key)
    for reference in references(book, step):
        if around.secrets.get(reference) is False:
            told = N_("The secret %(reference)s is not set on this server.")
            yield Fault(Note(told, {"reference": reference}), step.key)
    if asked is not None:
        yield from _of_people(step, asked, around)


def _of_people(step: Step, asked: Ask, around: Around) -> Iterator[Fault]:
    if asked.enough:
        return
    nobody, shut, few = LACKING[step.kind]
    role = asked.roles or ("runs:write",)
    stands_in = around.accounts is not None and any(
        one.stands_in and one.enabled and one.login not in _shut(asked, around)
        for one in around.accounts.values()
    )
    # The first administrator may answer whatever nobody else can; and an account can still be made.
    lasting = [one for one in asked.excluded if one.why in {STARTED, AUTHORED}]
    could_come = len(asked.may) + len(asked.excluded) - len(lasting) + stands_in
    sure = could_come < asked.need
    values: dict[str, Any] = {"role": role, "need": asked.need, "n": len(asked.may)}
    values |= {"who": tuple(one.person for one in asked.excluded), "may": asked.may}
    sentence = few if asked.may else shut if asked.excluded else nobody
    yield Fault(Note(sentence, values), step.key, sure=sure)


def _shut(asked: Ask, around: Around) -> set[str]:
    return set() if asked.oneself else {around.starter, *around.authors}


# ---- targets ------------------------------------------------------------------------------------


def credential(book: Book, step: Step) -> str | None:
    """Return which of its target's credentials a step would be given; None where it has none."""
    return step.effect if _given(book, step) is not None else None


def references(book: Book, step: Step) -> tuple[str, ...]:
    """Return the secrets that a step would be given, as references, never their values."""
    given = _given(book, step)
    return tuple(dict.fromkeys(given.references())) if given is not None else ()


def _given(book: Book, step: Step) -> Credential | None:
    target = book.targets.get(step.on) if step.on is not None else None
    return target.credential(step.effect) if target is not None else None
