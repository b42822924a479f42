"""What a book's sections say that is no mistake, and does something else than it may seem to do.

A book with remarks runs. They are for what a loader must take, since a configuration that was
carried over says it, or since it is right in some places: a person should hear of it once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from opsbook.book.matchers import Matcher, Matchers, clash
from opsbook.book.model import Book
from opsbook.book.positions import Mark, Path, dotted
from opsbook.book.problems import Problem
from opsbook.book.sections.routing import Route


def of(book: Book) -> tuple[Problem, ...]:
    """Return the remarks on a book, in the order of its files."""
    return tuple(sorted(remark for rule in RULES for remark in rule(book)))


def _remark(book: Book, path: Path, told: str, remedy: str = "") -> Problem:
    mark = book.positions.key(path) or Mark("book.yaml", 1, 1)
    return Problem(*mark, f"{dotted(path)}: {told}", remedy)


def _doors(book: Book) -> Iterator[Problem]:
    """Intakes without a token hear nobody but this machine."""
    for id, intake in book.intakes.items():
        if intake.token is None:
            told = "without a token: it takes alerts from this machine only"
            yield _remark(book, ("intakes", id), told)


def _incidents(book: Book) -> Iterator[Problem]:
    """What is to open an incident where no incident pages anybody."""
    named = [one.escalation for one in book.severities.values()]
    named += [one.escalation for one in book.rules.values()]
    if any(one is not None for one in named):
        return
    told = "opens incidents that page nobody, since no severity has an escalation"
    remedy = "add escalation: to the severities that somebody must answer"
    for id, receiver in book.receivers.items():
        if receiver.as_ == "incident":
            yield _remark(book, ("receivers", id, "as"), told, remedy)
    for path, route in _routes(book):
        if route.as_ == "incident":
            yield _remark(book, (*path, "as"), told, remedy)


def _routes(book: Book) -> Iterator[tuple[Path, Route]]:
    waiting: list[tuple[Path, Route]] = [(("routing",), book.routing)] if book.routing else []
    while waiting:
        path, route = waiting.pop(0)
        yield path, route
        waiting += [((*path, "routes", n), one) for n, one in enumerate(route.routes)]


def _dead_ends(book: Book) -> Iterator[Problem]:
    """Routes that no alert comes to.

    Alertmanager takes such a tree as well, and no alert is lost by it: each goes where the routes
    before send it. Found are conditions that exclude each other, and a later route all of whose
    alerts meet the conditions of an earlier one that does not say ``continue``.
    """
    if book.routing is not None:
        yield from _below(book, book.routing, ("routing",), ())


def _below(book: Book, route: Route, path: Path, around: Matchers) -> Iterator[Problem]:
    for n, inner in enumerate(route.routes):
        at: Path = (*path, "routes", n)
        met = (*around, *inner.conditions)
        if (both := clash(met)) is not None:
            told = f"no alert comes here, since none is both {both[0]} and {both[1]}"
            yield _remark(book, at, told, "take one of the two out")
        elif (taker := _taker(route.routes[:n], met)) is not None:
            told = f"no alert comes here: route {taker + 1} before it takes them all"
            yield _remark(
                book, at, told, "move this one before it, or give that one continue: true"
            )
        else:
            yield from _below(book, inner, at, met)


def _taker(earlier: tuple[Route, ...], met: Matchers) -> int | None:
    """Which earlier route takes every alert that meets these conditions, and keeps it."""
    for n, route in enumerate(earlier):
        if not route.goes_on and all(_is_met(one, met) for one in route.conditions):
            return n
    return None


def _is_met(condition: Matcher, met: Matchers) -> bool:
    """Whether every alert that meets all of `met` is seen to meet the condition too."""
    if (condition.op, condition.value) == ("=~", ".*"):
        return True
    return condition in met or any(
        one.op == "=" and one.name == condition.name and condition.matches({one.name: one.value})
        for one in met
    )


RULES: Final[tuple[Callable[[Book], Iterator[Problem]], ...]] = (_doors, _incidents, _dead_ends)
"""One line for each."""
