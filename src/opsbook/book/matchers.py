"""Matchers on labels, in Alertmanager's form: ``severity="critical"``, ``service=~"api|shop"``.

Routes, inhibitions and silences speak of alerts with these. Regular expressions are RE2's, as in
Prometheus: they match the whole value, and no pattern makes them take long, which matters because a
silence's pattern comes from a person in a hurry and the values come from strangers. A label that an
alert does not have counts as an empty text.

Source of the form: the matcher syntax of Alertmanager's documentation, classic and UTF-8.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import re2
from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

Operator = Literal["=", "!=", "=~", "!~"]
MOST_MATCHERS: Final = 100
_LONGEST: Final = 4_000
_ONE: Final = re.compile(
    r'\s*(?P<name>"(?:[^"\\]|\\.)*"|[^\s{}!=~,\\"\'`]+)\s*(?P<op>=~|!~|!=|=)\s*'
)
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"\s*')
_BARE: Final = re.compile(r"[^,{}\"]*")
_ESCAPES: Final = {"n": "\n", "\\": "\\", '"': '"'}


class MatcherError(ValueError):
    """A text that is no matcher; says what was expected."""


@dataclass(frozen=True, slots=True, order=True)
class Matcher:
    """One condition on one label."""

    name: str
    op: Operator
    value: str

    def __post_init__(self) -> None:
        if not self.name:
            raise MatcherError("a matcher needs the name of a label")
        if len(self.name) + len(self.value) > _LONGEST:
            raise MatcherError(f"a matcher longer than {_LONGEST:,} characters is not taken")
        if self.op in {"=~", "!~"}:
            _compiled(self.value)

    @property
    def is_regex(self) -> bool:
        """Whether the value is a pattern."""
        return self.op in {"=~", "!~"}

    @property
    def is_equal(self) -> bool:
        """Whether it wants the value, and not any but that."""
        return self.op in {"=", "=~"}

    @property
    def takes_empty(self) -> bool:
        """Whether an alert without the label matches."""
        return self.matches({})

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels is meant."""
        given = labels.get(self.name, "")
        if self.op == "=":
            return given == self.value
        if self.op == "!=":
            return given != self.value
        found = _compiled(self.value).fullmatch(given) is not None
        return found == (self.op == "=~")

    def __str__(self) -> str:
        plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_:]*", self.name)
        name = self.name if plain else f'"{_escaped(self.name)}"'
        return f'{name}{self.op}"{_escaped(self.value)}"'


Matchers = tuple[Matcher, ...]


def all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether every matcher takes an alert with these labels."""
    return all(one.matches(labels) for one in matchers)


def clash(matchers: Matchers) -> tuple[Matcher, Matcher] | None:
    """Return two of them that no alert can meet both: one wants a value that the other refuses."""
    for wanted in matchers:
        if wanted.op == "=":
            for other in matchers:
                if other.name == wanted.name and not other.matches({wanted.name: wanted.value}):
                    return wanted, other
    return None


def alternatives(pattern: str) -> tuple[str, ...] | None:
    """Return the values of a pattern that only lists them, such as ``P1|P2``; else None."""
    inner = pattern.removeprefix("^").removesuffix("$")
    if (grouped := re.fullmatch(r"\((?:\?:)?([^()]*)\)", inner)) is not None:
        inner = grouped[1]
    if not re.fullmatch(r"(?:[\w |-]|\\[.-])+", inner):
        return None
    return tuple(one.replace("\\", "") for one in inner.split("|"))


def equalities(labels: Mapping[str, str]) -> Matchers:
    """Return the matchers of a mapping such as ``{severity: P1}``, in the order of the names."""
    return tuple(Matcher(name, "=", value) for name, value in sorted(labels.items()))


def parse_all(text: str) -> Matchers:
    """Read ``{a="x", b=~"y"}``, with or without the braces; an empty text is no matcher.

    Raises:
        MatcherError: with what was expected, and where.
    """
    inner = text.strip()
    if inner.startswith("{") != inner.endswith("}"):
        raise MatcherError(f"{_shown(text)} opens a brace and does not close it, or the reverse")
    inner = inner.removeprefix("{").removesuffix("}")
    found: list[Matcher] = []
    rest = inner.lstrip()
    while rest:
        matcher, rest = _first(rest, text)
        found.append(matcher)
        if rest.startswith(","):
            rest = rest[1:].lstrip()
        elif rest:
            raise MatcherError(f"{_shown(text)}: expected a comma before {_shown(rest)}")
        if len(found) > MOST_MATCHERS:
            raise MatcherError(f"more than {MOST_MATCHERS} matchers are not taken")
    return tuple(found)


def parse(text: str) -> Matcher:
    """Read one matcher such as ``severity="critical"``; raises MatcherError."""
    found = parse_all(text)
    if len(found) != 1:
        raise MatcherError(
            f'{_shown(text)} is no matcher; write one such as severity="critical" or service=~"a|b"'
        )
    return found[0]


def _first(rest: str, whole: str) -> tuple[Matcher, str]:
    begun = _ONE.match(rest)
    if begun is None:
        raise MatcherError(
            f'{_shown(whole)} is no matcher; write one such as severity="critical" or '
            'service=~"a|b"'
        )
    name = begun["name"]
    if name.startswith('"'):
        name = _unescaped(name[1:-1])
    rest = rest[begun.end() :]
    if quoted := _QUOTED.match(rest):
        value, rest = _unescaped(quoted[1]), rest[quoted.end() :]
    elif rest.startswith('"'):
        raise MatcherError(f"{_shown(whole)}: a quotation mark is not closed")
    else:
        bare = _BARE.match(rest)
        value = bare[0] if bare else ""
        rest = rest[len(value) :]
        value = value.strip()
        if rest and rest[0] != ",":
            raise MatcherError(f"{_shown(whole)}: put the value in quotation marks")
    op: Any = begun["op"]
    return Matcher(name, op, value), rest


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda one: _ESCAPES.get(one[1], one[0]), text, flags=re.DOTALL)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:79]}…")


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        told = error.args[0] if error.args else error
        told = told.decode(errors="replace") if isinstance(told, bytes) else told
        raise MatcherError(f"{_shown(pattern)} is no regular expression of RE2: {told}") from None


def _read(value: Any) -> Matcher:
    if isinstance(value, Matcher):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError(
            "matcher", "{value} is no matcher; put it in quotes, such as 'severity=\"critical\"'",
            {"value": repr(value)},
        )  # fmt: skip
    try:
        return parse(value)
    except MatcherError as error:
        why = str(error)
        if "; " not in why:
            why += '; write one such as severity="P1" or service=~"api|shop"'
        raise PydanticCustomError("matcher", "{why}", {"why": why}) from None


MatcherText = Annotated[
    Matcher, BeforeValidator(_read), PlainSerializer(str), WithJsonSchema({"type": "string"})
]
