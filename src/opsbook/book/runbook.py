"""What a runbook is once read: steps in order, with their kinds, effects and lines.

Plain frozen data. How Markdown becomes this is `opsbook.book.markdown`; what a run does with it
belongs to the runs package. The body of a step is kept to the letter: nothing is substituted into
it, ever; parameters and saved outputs reach it as environment variables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from opsbook.book.conditions import Assertion, When
from opsbook.book.params import Param, ParameterProblem
from opsbook.book.params import check_params as _check
from opsbook.book.problems import Problem
from opsbook.book.texts import Text

Risk = Literal["routine", "change", "dangerous"]
Effect = Literal["read", "change"]
Interrupted = Literal["ask", "retry", "fail"]
OnFail = Literal["stop", "continue", "rollback", "ask"]
OnCancel = Literal["stop", "rollback"]
Phase = Literal["main", "rollback", "finally"]

BUILT_IN_KINDS = frozenset({"bash", "check", "approval", "manual"})
"""Kinds every book may use; upper packages add theirs through the Vocabulary."""

READ_BY_NATURE = frozenset({"check", "approval", "manual", "promql", "wait"})
"""Kinds that touch nothing themselves: they look, they wait, or they ask a person."""

DEFAULT_STEP_TIMEOUT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Step:
    """One fenced block or task-list item.

    `key` is what a run remembers the step by: the ``#id``, or else made from the heading and the
    step's place under it. `attributes` has everything that was written, known or not.
    """

    key: str
    kind: str
    title: str
    body: str
    line: int
    section: str = ""
    phase: Phase = "main"
    rollback_of: str | None = None
    """The key of the step that a step of phase ``rollback`` undoes."""
    effect: Effect = "change"
    """Whether it changes the world; only steps that read start by themselves."""
    timeout: timedelta = DEFAULT_STEP_TIMEOUT
    """How long a step that executes may take, or a check step wait for its check to hold."""
    interrupted: Interrupted = "ask"
    """What becomes of it if how it ended is not known."""
    save: str | None = None
    """The variable that its output becomes for later steps."""
    json: str | None = None
    """Which part of an output that is JSON is saved: ``$.spec.replicas``."""
    optional: bool = False
    """Whether an empty saved value is fine."""
    secret: bool = False
    """Whether what it saves is a secret: sealed, masked, and gone when the run ends."""
    for_: timedelta = timedelta(0)
    """How long what is looked at must hold, unbroken."""
    within: timedelta | None = None
    """A person's time to answer, or the time a step that executes must have taken at most."""
    by: str | None = None
    """The role that answers; the first of `roles`."""
    roles: tuple[str, ...] = ()
    """The roles of which any may answer; empty for anybody who may."""
    need: int = 1
    """How many different people have to."""
    when: When | None = None
    """The condition for running it at all."""
    retry: int = 0
    """How often it is tried again after a failure."""
    backoff: timedelta = timedelta(0)
    """The pause before the first repetition; it doubles from one to the next."""
    on_fail: OnFail = "rollback"
    """What its failure does to the run."""
    on_cancel: OnCancel = "rollback"
    """What cancelling the run at this step does."""
    each: str | None = None
    """The list over whose items it is repeated; the item is in the variable ``item``."""
    at_once: int = 1
    """How many items at the same time."""
    expect: str | None = None
    """A regular expression that its output must match somewhere."""
    reject: str | None = None
    """A regular expression that its output must not match anywhere."""
    asserts: tuple[Assertion, ...] = ()
    """Numbers that must lie in their bands afterwards."""
    day: str | None = None
    """When it is due, counted from the run's day; its own ``phase=D-7``, or its heading's.

    The text that `opsbook.calendar.offset.Offset` reads."""
    on: str | None = None
    """Where it is done: the target's name."""
    to: tuple[str, ...] = ()
    """Whom a notify step tells: people, teams or channels."""
    urgent: bool = False
    """Whether a notify step reaches people outside of the inbox as well."""
    classes: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def check(self) -> str:
        """For a check step: the id of the check, or ``$param``."""
        return self.body.strip()

    @property
    def runbook(self) -> str:
        """For a run step: the id of the runbook it runs."""
        return self.body.split(maxsplit=1)[0] if self.body.split() else ""

    @property
    def arguments(self) -> dict[str, str]:
        """For a run step: what it gives that runbook's parameters; ``$name`` is a variable."""
        return dict(call_arguments(self.body))


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of the runbook with its place; `phase` is what its steps are for."""

    title: str
    level: int
    line: int
    phase: Phase = "main"
    rollback_of: str | None = None
    day: str | None = None


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
    remarks: tuple[Problem, ...] = ()
    """What is no mistake and still worth knowing: what was written and means nothing."""

    def step(self, key: str) -> Step | None:
        """The step of that key, or None."""
        return next((step for step in self.steps if step.key == key), None)

    def in_phase(self, phase: Phase) -> tuple[Step, ...]:
        """The steps of one phase in document order."""
        return tuple(step for step in self.steps if step.phase == phase)

    def rollback_for(self, key: str) -> tuple[Step, ...]:
        """The steps that undo the step of that key, in document order."""
        return tuple(step for step in self.in_phase("rollback") if step.rollback_of == key)


def call_arguments(body: str) -> Iterator[tuple[str, str]]:
    """The ``name: value`` lines of a run step, after the line that names the runbook."""
    for line in body.strip().split("\n")[1:]:
        name, colon, value = line.partition(":")
        if line.strip():
            yield name.strip(), value.strip() if colon else ""


def check_params(
    runbook: Runbook, given: Mapping[str, str], labels: Mapping[str, str] | None = None
) -> tuple[dict[str, str], list[ParameterProblem]]:
    """The values a run gets (defaults filled in), and everything that is wrong with what was given.

    `labels` are those of the alert that starts the run, for parameters that say ``from: label:X``.
    The values are meaningful only when there are no problems. Values stay the strings they were:
    a step reads its environment, and ``007`` is for the step to understand.
    """
    return _check(runbook.params, given, labels or {})
