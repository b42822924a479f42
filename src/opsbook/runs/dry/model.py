"""What a plan is made of. Plain values: nothing in them changes, and nothing points back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from opsbook.base.quantities import format_duration
from opsbook.base.secrets import HIDDEN
from opsbook.book import Text
from opsbook.book.runbook import Effect, Phase, Risk
from opsbook.runs.dry.asking import Ask


def N_(sentence: str) -> str:  # noqa: N802  gettext's own name for it
    """Mark a sentence that pages say in the visitor's language."""
    return sentence


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence with its values by name, each as it is: a length of time stays one.

    Pages translate `sentence`; `english` is what programs and the terminal are told.
    """

    sentence: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def english(self) -> str:
        """The sentence in English."""
        if not self.values:
            return self.sentence
        return self.sentence % {name: _told(value) for name, value in self.values.items()}


def _told(value: Any) -> str:
    match value:
        case Note():
            return value.english
        case timedelta():
            return format_duration(value)
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M %Z")
        case Text():
            return value.in_language("en")
        case tuple() | list():
            return ", ".join(map(_told, value))
        case _:
            return str(value)


@dataclass(frozen=True, slots=True)
class Value:
    """What a variable will hold. `text` is None where nobody knows it yet: `by` is the step that
    saves it then, and neither is there for a parameter that is missing or cannot be used.
    """

    text: str | None
    by: str = ""
    secret: bool = False

    @property
    def known(self) -> bool:
        """Whether the value is known now."""
        return self.text is not None

    @property
    def shown(self) -> str | None:
        """The value as it may be seen."""
        return HIDDEN if self.secret and self.text else self.text


@dataclass(frozen=True, slots=True)
class Used:
    """A variable that a step names, with what it will find in it."""

    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Fault:
    """What is missing or will go wrong. `step` or `param` is what it is about, where it is one.

    `sure` is whether it must end badly as things stand; the rest may still come right while the
    run waits, and is said so that somebody sees to it.
    """

    note: Note
    step: str = ""
    param: str = ""
    sure: bool = True


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step as it would run. `runs` is False where its condition does not hold, None where that
    shows only on the way. `items` are what it is repeated over; None where it is not, or where
    nobody knows yet. `finds` are the names of all variables it has, `uses` those it mentions (an
    item not: it is another each time);
    `notes` say what it does, `otherwise` what becomes of it if that does not go well. `credential`
    is which of its target's it would be given, ``read`` or ``change``; `secrets` are the references
    in that, each with whether something is behind it (None where nobody looked).
    """

    number: int
    key: str
    title: str
    section: str
    line: int
    phase: Phase
    rollback_of: str | None
    kind: str
    effect: Effect
    body: str
    finds: tuple[str, ...]
    uses: tuple[Used, ...]
    runs: bool | None
    condition: Note | None
    items: tuple[str, ...] | None
    notes: tuple[Note, ...]
    otherwise: tuple[Note, ...]
    ask: Ask | None
    due: datetime | None
    target: str | None
    credential: str | None
    secrets: Mapping[str, bool | None]
    sub: Plan | None

    @property
    def changes(self) -> bool:
        """Whether it would change something outside: not one that asks or looks, nor skipped."""
        return self.effect == "change" and self.runs is not False


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole run that has not been started. `undo` is in the order in which it would run."""

    book: str
    revision: str
    runbook: str
    title: str
    risk: Risk
    file: str
    params: Mapping[str, Value]
    day: date
    phased: bool
    steps: tuple[PlannedStep, ...]
    undo: tuple[PlannedStep, ...]
    always: tuple[PlannedStep, ...]
    lock: str | None
    held_by: tuple[Mapping[str, Any], ...]
    timeout: timedelta | None
    deadline: datetime | None
    attended: bool
    faults: tuple[Fault, ...]
    cut: bool = False
    """Whether it was too long to be told whole."""

    @property
    def sure(self) -> tuple[Fault, ...]:
        """What must go wrong as things stand."""
        return tuple(one for one in self.faults if one.sure)

    @property
    def changing(self) -> int:
        """How many of its main steps would change something, those of runs within it as well."""
        return sum(
            one.sub.changing if one.sub is not None else one.changes
            for one in self.steps
            if one.runs is not False
        )

    @property
    def approvals(self) -> tuple[PlannedStep, ...]:
        """The steps of its main part that ask for an approval, within runs of its own too."""
        return self._asking("approval")

    @property
    def manual(self) -> tuple[PlannedStep, ...]:
        """The steps of its main part that a person does."""
        return self._asking("manual")

    def _asking(self, kind: str) -> tuple[PlannedStep, ...]:
        found: list[PlannedStep] = []
        for one in self.steps:
            if one.runs is False:
                continue
            if one.kind == kind:
                found.append(one)
            if one.sub is not None:
                found += one.sub._asking(kind)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who can sign in here; `stands_in` is the first administrator, who may answer all."""

    login: str
    enabled: bool = True
    stands_in: bool = False


@dataclass(frozen=True, slots=True)
class Around:
    """What only the server knows, read in one go by whoever asks for a plan.

    `starter` is a login (empty for a program), `authors` are those of what the book says since
    somebody else approved it, `linked` count as one person with any of these. `refused` is why the
    starter may not start it. `accounts` is None where they were not looked up. `open_runs` are rows
    of runs that are not over and hold or wait for the runbook's lock, the oldest first. `secrets`
    says of each reference whether something is behind it. `kinds` are the kinds of steps that run
    here; those of this program if left out.
    """

    starter: str = ""
    authors: tuple[str, ...] = ()
    linked: tuple[str, ...] = ()
    refused: str = ""
    accounts: Mapping[str, Account] | None = None
    open_runs: tuple[Mapping[str, Any], ...] = ()
    secrets: Mapping[str, bool] = field(default_factory=dict)
    kinds: frozenset[str] | None = None
