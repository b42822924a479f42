"""What somebody meant who wrote something that a page would keep and do nothing with.

An attribute that is not read leaves a guard out: ``role=release`` on an approval lets anybody
answer, and ``{.rolback of=drop}`` makes of the undoing a step like any other, which runs right
after the change. So what is likely to stand for a guard is a fault, by a table of the words that
other tools have for it and by its likeness to ours; in this a false alarm costs less than silence.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Final

from opsbook.book import language
from opsbook.book.attributes import Attributes
from opsbook.book.blocks import Fault
from opsbook.book.problems import nearest

PHASES: Final[Mapping[str, str]] = {
    "rollback": "{.rollback of=step}",
    "finally": "{.finally}",
}
"""The classes that mean something, and how each is written."""

FLAGS: Final = frozenset({"optional", "secret", "urgent"})
"""Attributes that are written as words alone, so that a dot before them is soon written."""

_PURPOSE: Final = {"rollback": "undo", "finally": "tidy up"}
_ALSO: Final[Mapping[str, str]] = {
    **dict.fromkeys(("undo", "undoes", "revert", "compensate"), "rollback"),
    **dict.fromkeys(("rollbackof", "rollsback", "rolledback", "backout"), "rollback"),
    **dict.fromkeys(("always", "cleanup", "teardown", "atend"), "finally"),
    **dict.fromkeys(("final", "finalize", "finalise", "tidyup"), "finally"),
}
"""What other tools and other people call the two, in small letters and without hyphens."""

_SYNONYMS: Final = {
    "by": ("role", "roles", "approver", "approvers", "approved-by", "reviewer", "reviewers",
        "assignee"),
    "need": ("require", "required", "requires", "quorum", "votes", "approvals",
        "min-approvals"),
    "retry": ("retries", "tries", "attempts", "max-retries"),
    "backoff": ("delay", "retry-delay", "interval"),
    "at-once": ("parallel", "parallelism", "concurrency", "concurrent", "max-parallel",
        "atonce"),
    "on-fail": ("on-failure", "on-error", "onerror", "onfailure", "onfail", "ignore-errors",
        "continue-on-error"),
    "on-cancel": ("oncancel", "on-abort", "onabort"),
    "each": ("loop", "foreach", "for-each", "with-items"),
    "when": ("if", "only-if", "condition", "unless"),
    "on": ("target", "targets", "host", "hosts"),
    "within": ("deadline", "answer-within"),
    "timeout": ("time-limit", "timelimit", "max-time"),
    "for": ("hold", "stable-for", "hold-for"),
    "save": ("register", "save-as"),
    "secret": ("sensitive", "masked", "hidden", "no-log"),
    "effect": ("readonly", "read-only"),
    "expect": ("match", "matches"),
    "to": ("recipient", "recipients", "notify", "channel", "channels"),
}  # fmt: skip
SYNONYMS: Final[Mapping[str, str]] = {
    said: meant for meant, words in _SYNONYMS.items() for said in words
}
"""What other tools call our attributes; ``_`` counts as ``-``, and letters as small ones."""


def phase(word: str, *, bare: bool = False) -> str | None:
    """The class that a word most likely stands for; the class itself for one that is right.

    A word without a dot is taken for one only when it is closer, since it has other uses.
    """
    plain = re.sub(r"[^\w]|_", "", word.lower())
    if plain in _ALSO:
        return _ALSO[plain]
    if bare:
        near = difflib.get_close_matches(plain, PHASES, n=1, cutoff=0.8)
        return near[0] if near else None
    return nearest(plain, PHASES)


def attribute(name: str) -> str | None:
    """The attribute that other tools call by this name, or None."""
    if name in language.FOREIGN:
        return None
    return SYNONYMS.get(name.lower().replace("_", "-"))


def phase_faults(has: Attributes) -> Iterator[Fault]:
    """What looks as if it said that something undoes or tidies up, and does not say it."""
    told = set()
    for written, where, meant in _phases(has):
        if meant not in has.classes and meant not in told:
            told.add(meant)
            yield Fault(unheard(written, meant), f"write {PHASES[meant]}", where)
    of = next((name for name in has.values if name.lower() == "of"), None)
    if of is not None and "rollback" not in has.classes and "rollback" not in told:
        yield Fault("of= belongs to a rollback", "write {.rollback of=step}", of)


def unheard(written: str, meant: str) -> str:
    """What becomes of a step whose class is not read."""
    return f"{written!r} does nothing, and what should {_PURPOSE[meant]} would run like any step"


def _phases(has: Attributes) -> Iterator[tuple[str, str, str]]:
    """Each word, where it stands, and the class that it is likely to stand for."""
    for name in has.classes:
        if meant := phase(name):
            yield f".{name}", f".{name}", meant
    for name, value in has.values.items():
        if name.lower() in {"class", "classes"}:
            words = value.split()
            yield from ((f"{name}={word}", name, meant) for word in words if (meant := phase(word)))
        elif not known(name) and (meant := phase(name, bare=True)):
            yield name, name, meant


def known(name: str) -> bool:
    """Whether it is an attribute of ours, or one of another tool's that is kept knowingly."""
    return name in language.ATTRIBUTES or name in language.OTHERS or name in language.FOREIGN


def means_a_phase(name: str) -> bool:
    """Whether an attribute that is not known is told of by `phase_faults`."""
    return phase(name, bare=True) is not None or name.lower() in {"class", "classes", "of"}


def is_unused(name: str) -> bool:
    """Whether an attribute is nobody's: neither ours, nor nearly ours, nor another tool's."""
    return not (known(name) or attribute(name) or language.nearly(name) or means_a_phase(name))
