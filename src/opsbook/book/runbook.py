"""What a runbook is once read: steps in order, with their kinds, effects and lines.

Plain frozen data. How Markdown becomes this is `opsbook.book.markdown`; what a run does with it
belongs to the runs package. The body of a step is kept to the letter: nothing is substituted into
it, ever; parameters and saved outputs reach it as environment variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from opsbook.book.params import Param, ParameterProblem
from opsbook.book.params import check_params as _check
from opsbook.book.texts import Text

Risk = Literal["routine", "change", "dangerous"]
Effect = Literal["read", "change"]
Interrupted = Literal["ask", "retry", "fail"]
Phase = Literal["main", "rollback", "finally"]

BUILT_IN_KINDS = frozenset({"bash", "check", "approval", "manual"})
"""Kinds every book may use; upper packages add theirs through the Vocabulary."""

READ_BY_NATURE = frozenset({"check", "approval", "manual"})
"""Kinds that touch nothing themselves: they look, or they ask a person."""

DEFAULT_STEP_TIMEOUT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Step:
    """One fenced block or task-list item.

    `key` is what a run remembers the step by: the ``#id``, or else made from the heading and the
    step's place under it. `timeout` bounds a step that executes (and how long a check step waits
    for its check to hold for `for_`); `within` is a person's time for an approval or a manual step,
    None meaning no limit. `by` is a role. `rollback_of` is the key of the step that a step of phase
    ``rollback`` undoes. `attributes` has everything that was written, known or not.
    """

    key: str
    kind: str
    title: str
    body: str
    line: int
    section: str = ""
    phase: Phase = "main"
    rollback_of: str | None = None
    effect: Effect = "change"
    timeout: timedelta = DEFAULT_STEP_TIMEOUT
    interrupted: Interrupted = "ask"
    save: str | None = None
    optional: bool = False
    for_: timedelta = timedelta(0)
    within: timedelta | None = None
    by: str | None = None
    classes: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def check(self) -> str:
        """For a check step: the id of the check, or ``$param``."""
        return self.body.strip()


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of the runbook with its place; `phase` is what its steps are for."""

    title: str
    level: int
    line: int
    phase: Phase = "main"
    rollback_of: str | None = None


@dataclass(frozen=True, slots=True)
class Runbook:
    """A procedure. `source` is the Markdown as it was written, `file` its path in the book."""

    id: str
    title: Text
    risk: Risk
    params: Mapping[str, Param]
    timeout: timedelta | None
    lock: str | None
    steps: tuple[Step, ...]
    sections: tuple[Section, ...]
    source: str
    file: str
    owner: str | None = None
    description: Text | None = None
    ref: str | None = None

    def step(self, key: str) -> Step | None:
        """The step of that key, or None."""
        return next((step for step in self.steps if step.key == key), None)

    def in_phase(self, phase: Phase) -> tuple[Step, ...]:
        """The steps of one phase in document order."""
        return tuple(step for step in self.steps if step.phase == phase)

    def rollback_for(self, key: str) -> tuple[Step, ...]:
        """The steps that undo the step of that key, in document order."""
        return tuple(step for step in self.in_phase("rollback") if step.rollback_of == key)


def check_params(
    runbook: Runbook, given: Mapping[str, str], labels: Mapping[str, str] | None = None
) -> tuple[dict[str, str], list[ParameterProblem]]:
    """The values a run gets (defaults filled in), and everything that is wrong with what was given.

    `labels` are those of the alert that starts the run, for parameters that say ``from: label:X``.
    The values are meaningful only when there are no problems. Values stay the strings they were:
    a step reads its environment, and ``007`` is for the step to understand.
    """
    return _check(runbook.params, given, labels or {})
