"""The attributes of steps: what each is read as, and on which kinds of step it means anything.

An attribute this does not know is kept and does nothing, as a runbook written for another tool may
carry some; one that is nearly a known name is taken for the mistake it is, because ``timout=30s``
would otherwise do nothing just as quietly. For the same reason a known attribute on a kind of step
that has no use for it is a mistake: nobody writes ``need=2`` on a script without meaning something.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, get_args

from opsbook.base import quantities
from opsbook.book import conditions
from opsbook.book.fields import ID_PATTERN, regular
from opsbook.book.params import name_fault
from opsbook.book.problems import suggestion
from opsbook.book.runbook import Effect, Interrupted, OnCancel, OnFail
from opsbook.calendar.offset import Offset

SCRIPTS: Final = frozenset({"bash", "sh", "python"})
QUERIES: Final = frozenset({"sql", "http", "promql"})
EXECUTING: Final = SCRIPTS | QUERIES
PEOPLE: Final = frozenset({"approval", "manual"})
KINDS: Final = EXECUTING | PEOPLE | {"check", "notify", "wait", "run"}
"""The kinds of this language; which of them a book may use is its Vocabulary's to say."""

MOST_TRIES: Final = 100
MOST_AT_ONCE: Final = 100
MOST_PEOPLE: Final = 20
FOREIGN: Final = frozenset(
    {"background", "category", "closeTerminalOnSuccess", "cwd", "excludeFromRunAll", "id",
     "interactive", "interpreter", "mimeType", "openTerminalOnSuccess", "promptEnv", "tag",
     "terminalRows", "transform"}
)  # fmt: skip
"""Runme's own: never taken for a misspelling of ours."""

_JSON_PATH: Final = re.compile(r"""\$(?:\.[\w-]+|\[\d{1,6}\]|\['[^']+'\]|\["[^"]+"\])*""")


@dataclass(frozen=True, slots=True)
class Attribute:
    """How an attribute is read (ValueError for what it is not), and the kinds it belongs to."""

    read: Callable[[str], Any]
    kinds: Collection[str] = KINDS


def _one_of(words: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(
                f"{text!r} is not accepted; {suggestion(text, words, what='accepted')}"
            )
        return text

    return read


def _flag(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(f"{text!r} is neither true nor false; write it alone, or =true")
    return text.lower() == "true"


def variable(text: str) -> str:
    """A name that a saved value may have."""
    if why := name_fault(text):
        raise ValueError(f"{text!r} {why}; choose another name")
    return text


def _count(most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= most:
            raise ValueError(f"{text!r} is no number from 1 to {most}; write one, such as 2")
        return int(text)

    return read


def span(text: str) -> timedelta:
    """A duration that is not nothing."""
    found = quantities.parse_duration(text)
    if not found:
        raise ValueError(f"{text!r} is no time at all; write one such as 30s")
    return found


def _regex(text: str) -> str:
    regular(text)
    return text


def _json_path(text: str) -> str:
    if not _JSON_PATH.fullmatch(text):
        raise ValueError(
            f"{text!r} is no path into JSON; write $.name, $.list[0] or $['a name'], joined as "
            "needed"
        )
    return text


def ids(text: str) -> tuple[str, ...]:
    """One id, or several separated by commas."""
    found = tuple(part.strip() for part in text.split(","))
    for one in found:
        if not re.match(ID_PATTERN, one):
            told = f"{one!r} is no name that can be used here" if one else "a name is empty"
            raise ValueError(f"{told}; write one, or several with commas between them")
    if len(set(found)) < len(found):
        raise ValueError(f"{text!r} names somebody twice; write each once")
    return found


def _id(text: str) -> str:
    if not re.match(ID_PATTERN, text):
        raise ValueError(f"{text!r} is no name that can be used here; write a target's name")
    return text


def day(text: str) -> str:
    """A day counted from the run's own, which `opsbook.calendar` understands."""
    Offset.parse(text)
    return text


ATTRIBUTES: Final[Mapping[str, Attribute]] = {
    "effect": Attribute(_one_of(get_args(Effect))),
    "timeout": Attribute(span, EXECUTING | {"check", "run", "wait"}),
    "interrupted": Attribute(_one_of(get_args(Interrupted)), EXECUTING),
    "save": Attribute(variable, EXECUTING),
    "json": Attribute(_json_path, EXECUTING),
    "optional": Attribute(_flag, EXECUTING),
    "secret": Attribute(_flag, EXECUTING),
    "for": Attribute(quantities.parse_duration, frozenset({"check", "promql"})),
    "within": Attribute(span, EXECUTING | PEOPLE | {"check"}),
    "by": Attribute(ids, PEOPLE),
    "need": Attribute(_count(MOST_PEOPLE), PEOPLE),
    "when": Attribute(conditions.When.parse),
    "retry": Attribute(_count(MOST_TRIES), EXECUTING | {"notify"}),
    "backoff": Attribute(span, EXECUTING | {"notify"}),
    "on-fail": Attribute(_one_of(get_args(OnFail))),
    "on-cancel": Attribute(_one_of(get_args(OnCancel))),
    "each": Attribute(variable, EXECUTING | {"notify", "run"}),
    "at-once": Attribute(_count(MOST_AT_ONCE), EXECUTING | {"notify", "run"}),
    "expect": Attribute(_regex, EXECUTING),
    "reject": Attribute(_regex, EXECUTING),
    "assert": Attribute(conditions.assertions, EXECUTING),
    "phase": Attribute(day),
    "on": Attribute(_id, EXECUTING),
    "redirects": Attribute(_one_of(("same", "any", "none")), frozenset({"http"})),
    "to": Attribute(ids, frozenset({"notify"})),
    "urgent": Attribute(_flag, frozenset({"notify"})),
}
OTHERS: Final = frozenset({"name", "of"})
"""Known as well, and read elsewhere: a step's name, and what a rollback undoes."""


def nearly(name: str) -> str | None:
    """The attribute that somebody who wrote this name is likely to have meant."""
    if name in FOREIGN:
        return None
    plain = name.lower().replace("_", "-")
    near = difflib.get_close_matches(plain, [*ATTRIBUTES, *OTHERS], n=1, cutoff=0.8)
    return near[0] if near else None


def misplaced(name: str, kind: str) -> str | None:
    """The remedy for an attribute that means nothing on this kind of step; None if it means one.

    Kinds that are not of this language are their package's to judge.
    """
    kinds = ATTRIBUTES[name].kinds
    if kind not in KINDS or kind in kinds:
        return None
    return f"it belongs on {', '.join(sorted(kinds))}; remove it here"
