"""What a book's sections say that is no mistake, and does something else than it may seem to do.

A book with remarks runs. They are for what a loader must take, since a configuration that was
carried over says it, or since it is right in some places: a person should hear of it once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from opsbook.book.matchers import Matcher, Matchers, alternatives, clash
from opsbook.book.model import Book
from opsbook.book.positions import Mark, Path, dotted
from opsbook.book.problems import Problem, suggestion
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


def _severities(book: Book) -> Iterator[Problem]:
    """Routes and inhibitions that speak of a severity by a word that alerts do not have.

    An alert of a rule has the rule's severity. One from outside has what its intake makes of the
    sender's word, or the word as it came where the intake says nothing of it: so a word that no
    severity has is right only where an intake translates nothing, and then only for what comes in
    there.
    """
    asked: list[tuple[Path, Matchers]] = [(path, one.conditions) for path, one in _routes(book)]
    for id, one in book.inhibitions.items():
        asked += [(("inhibitions", id), one.sources), (("inhibitions", id), one.targets)]
    for path, matchers in asked:
        for matcher in matchers:
            for word in _words(matcher) if matcher.name == "severity" else ():
                yield from _severity(book, path, matcher, word)


def _words(matcher: Matcher) -> tuple[str, ...]:
    """The values that a matcher plainly names."""
    return alternatives(matcher.value) or () if matcher.is_regex else (matcher.value,)


def _severity(book: Book, path: Path, matcher: Matcher, word: str) -> Iterator[Problem]:
    if not word or word in book.severities:
        return
    folded = word.casefold()
    made = {
        here: id
        for id, intake in book.intakes.items()
        for said, here in intake.severities.items()
        if said.casefold() == folded
    }
    silent = [id for id, intake in book.intakes.items() if not intake.severities]
    if not silent:
        told = f"{matcher}: no alert has the severity {word!r}"
        remedy = suggestion(word, book.severities)
        if made:
            here, id = next(iter(made.items()))
            told += f", since the intake {id} makes {here} of it"
            remedy = f"write {here}"
        yield _remark(book, path, told, remedy)
    elif any(not rule.received for rule in book.rules.values()):
        told = (
            f"{matcher}: no rule of the book has the severity {word!r}, only what comes in by "
            f"{', '.join(silent)} may say it"
        )
        here = next(iter(made), "…")
        remedy = f"write severities: {{{word}: {here}}} at the intake, and {here} here"
        yield _remark(book, path, told, remedy)


def _templates(book: Book) -> Iterator[Problem]:
    """Words with Prometheus' templates in them, at rules for which nobody fills these in.

    What is exported (promql) or comes from outside (received) is filled in over there.
    """
    for id, rule in book.rules.items():
        for name in ("title", "summary", "description") if rule.check is not None else ():
            words = getattr(rule, name)
            found = [one for one in words.by_language.values() if "{{" in one] if words else []
            if found:
                template = "{{" + found[0].partition("{{")[2].partition("}}")[0][:40] + "}}"
                told = (
                    f"{template} is told as it stands, since a rule over a check fills in nothing"
                )
                remedy = (
                    "say it in words: what the check measured and its labels are told beside it"
                )
                yield _remark(book, ("rules", id, name), told, remedy)


RULES: Final[tuple[Callable[[Book], Iterator[Problem]], ...]] = (
    _doors, _incidents, _dead_ends, _severities, _templates,
)  # fmt: skip
"""One line for each."""
