"""From the blocks of a page to steps: keys, phases, and what each attribute means.

An attribute this does not know is kept and does nothing, as a runbook written for another tool may
carry some; one that is nearly a known name is taken for the mistake it is, because ``timout=30s``
would otherwise do nothing just as quietly.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, get_args

from opsbook.base import quantities
from opsbook.book.attributes import Attributes
from opsbook.book.params import name_fault
from opsbook.book.problems import Problem, suggestion
from opsbook.book.runbook import (
    DEFAULT_STEP_TIMEOUT,
    READ_BY_NATURE,
    Effect,
    Interrupted,
    Phase,
    Section,
    Step,
)

KEY = re.compile(r"\w[\w.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Block:
    """Something on the page that is a step: its kind, its words, its line and where it stands."""

    kind: str
    title: str
    body: str
    line: int
    has: Attributes
    section: Section


@dataclass(slots=True)
class Built:
    """The steps of a page, and what is wrong with them."""

    steps: tuple[Step, ...] = ()
    problems: list[Problem] = field(default_factory=list)


def phase_of(has: Attributes, before: Sequence[Section], level: int) -> tuple[Phase, str | None]:
    """A heading's phase: its own, or else that of the heading it stands under."""
    if "rollback" in has.classes:
        return "rollback", has.values.get("of")
    if "finally" in has.classes:
        return "finally", None
    for section in reversed(before):
        if section.level < level:
            return section.phase, section.rollback_of
    return "main", None


def means_a_step(has: Attributes, language: str, kinds: Collection[str]) -> bool:
    """Whether a fence of another language is likely to be meant as a step all the same."""
    if has.id and difflib.get_close_matches(language, kinds, n=1):
        return True
    return not READERS.keys().isdisjoint(has.values)


def kind_suggestion(language: str, kinds: Collection[str]) -> str:
    """The remedy for a fence language that is no step kind."""
    if language:
        return suggestion(language, kinds, what="step kinds")
    return f"write the kind after the backticks: {', '.join(sorted(kinds))}"


def build(blocks: Sequence[Block], file: str, params: Collection[str]) -> Built:
    """Steps with their keys; then what can be judged only when all of them are known."""
    built = Built()
    keys = _keys(blocks, file, built.problems)
    built.steps = tuple(
        _step(block, key, file, built.problems) for block, key in zip(blocks, keys, strict=True)
    )
    _check_saves(built, file, params)
    _check_rollbacks(built, file)
    return built


def _keys(blocks: Sequence[Block], file: str, problems: list[Problem]) -> list[str]:
    """An ``#id`` (or Runme's name) as it is; else the heading's words, numbered under it."""
    given = [block.has.id or block.has.values.get("name") for block in blocks]
    taken: set[str] = set()
    for block, key in zip(blocks, given, strict=True):
        if key is None:
            continue
        if not KEY.fullmatch(key):
            told = f"{key!r} cannot be a step's id"
            problems.append(Problem(file, block.line, 1, told, "use letters, digits, - _ and ."))
        elif key in taken:
            told = f"the step id {key!r} is used twice"
            problems.append(Problem(file, block.line, 1, told, "give one of the two another id"))
        taken.add(key)
    keys = []
    for block, key in zip(blocks, given, strict=True):
        if key is None:
            stem = slug(block.section.title) or block.kind
            key = next(
                f"{stem}-{n}" for n in range(1, len(blocks) + 2) if f"{stem}-{n}" not in taken
            )
            taken.add(key)
        keys.append(key)
    return keys


def slug(title: str) -> str:
    """A heading as a key: its words without their number, joined by hyphens, in any script."""
    text = unicodedata.normalize("NFC", title).lower()
    words = re.findall(r"\w+", re.sub(r"^\W*\d+[.)]\s*", "", text))
    return "-".join(words)[:48].strip("-_")


def _duration(text: str) -> timedelta:
    return quantities.parse_duration(text)


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


def _variable(text: str) -> str:
    if why := name_fault(text):
        raise ValueError(f"{text!r} {why}; choose another name")
    return text


READERS: Mapping[str, Callable[[str], Any]] = {
    "effect": _one_of(get_args(Effect)),
    "timeout": _duration,
    "interrupted": _one_of(get_args(Interrupted)),
    "save": _variable,
    "optional": _flag,
    "for": _duration,
    "within": _duration,
    "by": str,
}
_OTHERS = frozenset({"name", "of", "expect", "reject", "retry", "when", "on-cancel"})


def _step(block: Block, key: str, file: str, problems: list[Problem]) -> Step:
    def fault(message: str, remedy: str) -> None:
        problems.append(Problem(file, block.line, 1, f"step {key}: {message}", remedy))

    said: dict[str, Any] = {}
    for name, text in block.has.values.items():
        if name in READERS:
            try:
                said[name] = READERS[name](text)
            except ValueError as error:
                message, _, remedy = str(error).partition("; ")
                fault(f"{name}: {message}", remedy)
        elif name not in _OTHERS and (near := _nearly(name)):
            fault(f"the attribute {name!r} is not known", f"did you mean {near!r}?")
    phase, of = phase_of(block.has, (), 0)
    if phase == "main":
        phase, of = block.section.phase, block.section.rollback_of
    elif phase == "rollback" and not of:
        fault("a rollback must say of what", "write {.rollback of=step}")
    hold = said.get("for", timedelta(0))
    if block.kind == "check" and "timeout" in said and said["timeout"] < hold:
        fault("its timeout is shorter than the time its check must hold", "raise timeout=")
    for message, remedy in _body_faults(block):
        fault(message, remedy)
    return Step(
        key=key, kind=block.kind, title=block.title, body=block.body, line=block.line,
        section=block.section.title, phase=phase, rollback_of=of,
        effect=said.get("effect", "read" if block.kind in READ_BY_NATURE else "change"),
        timeout=said.get("timeout", DEFAULT_STEP_TIMEOUT + hold),
        interrupted=said.get("interrupted", "ask"), save=said.get("save"),
        optional=said.get("optional", False), for_=hold, within=said.get("within"),
        by=said.get("by"), classes=block.has.classes, attributes=dict(block.has.values),
    )  # fmt: skip


def _body_faults(block: Block) -> list[tuple[str, str]]:
    words = block.body.split()
    if block.kind == "check" and len(words) != 1:
        told = f"it names {len(words)} checks" if words else "it names no check"
        return [(told, "write one check's id, or $param, in each check step")]
    if not words:
        return [("it is empty", "write what is to be done, or remove it")]
    return []


def _nearly(name: str) -> str | None:
    near = difflib.get_close_matches(name, [*READERS, *_OTHERS], n=1, cutoff=0.8)
    return near[0] if near else None


def _check_saves(built: Built, file: str, params: Collection[str]) -> None:
    saved: dict[str, Step] = {}
    for step in built.steps:
        if step.save is None:
            continue
        if step.save in params:
            told = f"step {step.key}: save={step.save} would hide the parameter of that name"
            built.problems.append(Problem(file, step.line, 1, told, "choose another name"))
        elif step.save in saved:
            told = f"step {step.key}: {step.save} is already saved by step {saved[step.save].key}"
            built.problems.append(Problem(file, step.line, 1, told, "choose another name"))
        saved.setdefault(step.save, step)


def _check_rollbacks(built: Built, file: str) -> None:
    main = {step.key for step in built.steps if step.phase == "main"}
    for step in built.steps:
        if step.phase == "rollback" and step.rollback_of and step.rollback_of not in main:
            told = f"step {step.key}: there is no step {step.rollback_of!r} to roll back"
            remedy = suggestion(step.rollback_of, main, what="steps")
            built.problems.append(Problem(file, step.line, 1, told, remedy))
