"""What a page is made of before it is steps: blocks with their attributes and their places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from opsbook.book.attributes import Attributes
from opsbook.book.runbook import Section

Place = Callable[[str], tuple[int, int]]
"""Gives the line and column of an attribute by its key (``#`` for the id, ``.class``)."""


@dataclass(frozen=True, slots=True)
class Block:
    """Something on the page that is a step: its kind, its words, its line and where it stands.

    `task` tells an item of a task list from a fence of kind ``manual``.
    """

    kind: str
    title: str
    body: str
    line: int
    has: Attributes
    section: Section
    place: Place
    task: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a step, what to do, and the attribute it is about (none: the step)."""

    message: str
    remedy: str = ""
    attribute: str = ""
