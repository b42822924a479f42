"""What a drill is once read: an exercise on the sandbox, what is expected, and what it is worth.

Plain data, as a runbook is; how Markdown becomes this is `opsbook.book.drills`, and holding one
belongs to the package that trains people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from opsbook.book.problems import Problem
from opsbook.book.runbook import Step
from opsbook.book.texts import Text


@dataclass(frozen=True, slots=True)
class Action:
    """Something that whoever takes the drill is expected to do."""

    key: str
    """What the drill's record remembers it by: its ``#id``, or its number."""
    title: str
    """What is to be done."""
    points: int
    """What doing it is worth."""
    within: timedelta | None
    """How long after the beginning it still counts; as long as the drill lasts, if None."""
    line: int
    """Where it stands in the file."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Everything that was written in its braces, known or not."""


@dataclass(frozen=True, slots=True)
class Drill:
    """A scored exercise.

    `steps` are fenced blocks that prepare it, before the clock starts, and with ``{.finally}`` tidy
    up after it. `source` is the Markdown as it was written, `file` its path in the book.
    """

    id: str
    title: Text
    world: str
    """The stand-in that something goes wrong with, of the section ``world``."""
    fault: str
    """Which of its faults."""
    within: timedelta
    """How long the drill lasts at most."""
    goal: Text
    """What has to be so in the end."""
    actions: tuple[Action, ...]
    steps: tuple[Step, ...]
    source: str
    file: str
    course: str | None = None
    """The course that it belongs to."""
    owner: str | None = None
    """The person or team that looks after it."""
    description: Text | None = None
    """What it is about."""
    hints: tuple[Text, ...] = ()
    """What may be asked for on the way, one after the other."""
    ref: str | None = None
    """Where in a guide it came from."""
    remarks: tuple[Problem, ...] = ()
    """What is no mistake and still worth knowing."""

    @property
    def points(self) -> int:
        """What all the actions together are worth."""
        return sum(action.points for action in self.actions)
