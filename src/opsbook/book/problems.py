"""What is wrong with a book: every fault with its place and its remedy, all of them at once.

A loader that stops at the first fault makes a person run it ten times; so problems are collected
and raised together. The text form ``file:line:col: message. remedy`` is the one editors and
terminals turn into a link.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from opsbook.base.errors import Invalid


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One fault. Lines and columns count from 1; `remedy` is what to do, and may be empty."""

    file: str
    line: int
    column: int
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        told = f"{self.file}:{self.line}:{self.column}: {sentence(self.message)}"
        return f"{told} {sentence(self.remedy)}" if self.remedy else told


def sentence(text: str) -> str:
    """`text` with a full stop, unless it ends as a sentence already."""
    return text if text.endswith((".", "?", "!", "…")) else f"{text}."


class BookError(Invalid):
    """The book cannot be loaded as it is; `problems` says why, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a misspelt one most likely means, or None where none is like it."""
    near = difflib.get_close_matches(word, sorted(set(known)), n=1, cutoff=0.6)
    return near[0] if near else None


def suggestion(word: str, known: Iterable[str], *, what: str = "known here") -> str:
    """A remedy for a misspelt word: the nearest known one, or else the list of them."""
    names = sorted(set(known))
    near = nearest(word, names)
    if near is not None:
        return f"did you mean {near!r}?"
    if not names:
        return "there are none yet: add one, or leave this out"
    listed = ", ".join(names[:12])
    return f"{what}: {listed}{', …' if len(names) > 12 else ''}"
