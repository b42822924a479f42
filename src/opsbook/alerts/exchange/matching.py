"""Matchers as Alertmanager reads them, and as a book has them.

Alertmanager 0.25 is more generous than the book's own reader: a value without quotes may hold
nearly anything, and a backslash before a plain letter stays one. What it takes has to be taken with
the same meaning, so its own reading is done here (``pkg/labels/parse.go``), and only what that
refuses is tried as the newer form with quoted names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, get_args

from opsbook.alerts.exchange.reading import At
from opsbook.alerts.exchange.severities import Words
from opsbook.book import matchers
from opsbook.book.matchers import Matcher, MatcherError, Matchers, Operator
from opsbook.book.positions import Path, dotted

CLASSIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ONE: Final = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*((?s:.*?))\s*")
_OPERATORS: Final[Mapping[str, Operator]] = {one: one for one in get_args(Operator)}
_EQUAL: Final = _OPERATORS["="]
_LIKE: Final = _OPERATORS["=~"]


def read(text: str) -> Matchers:
    """Read one text of a ``matchers`` list, which may hold several; raises MatcherError."""
    try:
        return tuple(_classic(text))
    except MatcherError as refused:
        try:
            return matchers.parse_all(text)
        except MatcherError:
            raise refused from None


def _classic(text: str) -> Iterator[Matcher]:
    for token in _tokens(text.removeprefix("{").removesuffix("}")):
        found = _ONE.fullmatch(token)
        if found is None:
            raise MatcherError(
                f'{token.strip()!r} is no matcher; write one such as severity="page"'
            )
        yield Matcher(found[1], _OPERATORS[found[2]], _value(found[3]))


def _tokens(text: str) -> Iterator[str]:
    quoted = escaped = False
    token = ""
    for letter in text:
        if letter == "," and not quoted:
            yield token
            token = ""
            continue
        if letter == '"':
            if not escaped:
                quoted = not quoted
            escaped = False
        elif letter == "\\":
            escaped = not escaped
        else:
            escaped = False
        token += letter
    if token.strip():
        yield token


def _value(raw: str) -> str:
    trailing = raw.startswith('"')
    inner = raw[1:] if trailing else raw
    value, escaped = "", False
    for n, letter in enumerate(inner):
        if escaped:
            escaped = False
            value += {"n": "\n", '"': '"', "\\": "\\"}.get(letter, f"\\{letter}")
        elif letter == "\\" and n < len(inner) - 1:
            escaped = True
        elif letter == '"':
            if not trailing or n < len(inner) - 1:
                raise MatcherError(f'{raw!r} has a quotation mark in its middle; write \\" there')
            trailing = False
        else:
            value += letter
    if trailing:
        raise MatcherError(f"{raw!r}: a quotation mark is not closed")
    return value


def gathered(at: At, prefix: str, words: Words) -> Matchers:
    """All matchers of a place: ``match``, ``match_re`` and ``matchers``, with `prefix` before each.

    The two old forms are carried over and named as deprecated. What asks for a severity asks in the
    book's words; what cannot be said in them is named, and stays.
    """
    found: list[tuple[Path, Matcher]] = []
    for name, op in ((f"{prefix}match", _EQUAL), (f"{prefix}match_re", _LIKE)):
        labels = at.labels(name)
        if name in at:
            remedy = f'write it under {prefix}matchers, such as severity="page"'
            at.say("deprecated", name, "is deprecated in Alertmanager", remedy)
        for label, value in labels.items():
            place = at.place(name, label)
            found += ((place, one) for one in _checked(at, (name, label), label, op, value))
    name = f"{prefix}matchers"
    for n, text in at.texts_at(name):
        try:
            found += ((at.place(name, n), one) for one in read(text))
        except MatcherError as error:
            at.sheet.say("error", at.place(name, n), f"{dotted(at.place(name, n))}: {error}")
    if len(found) > matchers.MOST_MATCHERS:
        told = f"more than {matchers.MOST_MATCHERS} matchers are not taken"
        at.say("error", name, told, "make several routes of it")
    made = []
    for place, one in found:
        translated, said = words.translated(one)
        made.append(translated)
        for told, remedy in said:
            at.sheet.say("changed", place, f"{dotted(place)}: {told}", remedy)
    return tuple(made)


def _checked(
    at: At, inside: tuple[str, str], label: str, op: Operator, value: str
) -> Iterator[Matcher]:
    if not LABEL.fullmatch(label):
        told = f"{dotted(at.place(*inside))}: {label!r} is no label's name"
        at.sheet.say("error", at.place(*inside), told, "use letters, digits and _")
        return
    try:
        yield Matcher(label, op, value)
    except MatcherError as error:
        at.sheet.say("error", at.place(*inside), f"{dotted(at.place(*inside))}: {error}")


def for_book(found: Matchers, equal: str, others: str) -> dict[str, Any]:
    """Return matchers as a book writes them: what is plainly equal as a map, the rest as a list."""
    plain: dict[str, str] = {}
    rest: list[str] = []
    for one in found:
        if one.op == "=" and one.name not in plain and LABEL.fullmatch(one.name):
            plain[one.name] = one.value
        else:
            rest.append(str(one))
    written: dict[str, Any] = {}
    if plain:
        written[equal] = dict(sorted(plain.items()))
    if rest:
        written[others] = rest
    return written


def for_alertmanager(found: Iterable[Matcher]) -> list[str]:
    """Return matchers as Alertmanager reads them."""
    return [str(one) for one in found]


def is_classic(one: Matcher) -> bool:
    """Whether an Alertmanager before 0.27 takes it."""
    return CLASSIC.fullmatch(one.name) is not None
