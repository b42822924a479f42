"""From the blocks of a page to steps: keys, phases, and what each attribute comes to.

What contradicts itself within a step is `opsbook.book.contradictions`; what needs the others (who
saves what, what is rolled back) is `opsbook.book.coherence`.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from opsbook.book import coherence, contradictions, language, meant, queries
from opsbook.book.attributes import Attributes
from opsbook.book.blocks import Block, Fault
from opsbook.book.params import Param
from opsbook.book.problems import Problem, suggestion
from opsbook.book.runbook import (
    DEFAULT_STEP_TIMEOUT,
    READ_BY_NATURE,
    Effect,
    Phase,
    Section,
    Step,
)

KEY = re.compile(r"\w[\w.-]{0,63}")


@dataclass(slots=True)
class Built:
    """The steps of a page, and what is wrong with them."""

    steps: tuple[Step, ...] = ()
    problems: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)
    """What is no mistake and still worth knowing."""


def phase_of(has: Attributes, above: Section | None = None) -> tuple[Phase, str | None]:
    """A heading's phase: its own, or else that of the heading it stands under."""
    if "rollback" in has.classes:
        return "rollback", has.values.get("of")
    if "finally" in has.classes:
        return "finally", None
    return (above.phase, above.rollback_of) if above is not None else ("main", None)


def means_a_step(has: Attributes, language_: str, kinds: Collection[str]) -> bool:
    """Whether a fence of another language is likely to be meant as a step all the same."""
    near = bool(difflib.get_close_matches(language_, kinds, n=1))
    if near and (has.id or any(meant.attribute(name) for name in has.values)):
        return True
    if not meant.PHASES.keys().isdisjoint(has.classes) or any(meant.phase_faults(has)):
        return True
    return not language.ATTRIBUTES.keys().isdisjoint(has.values)


def kind_suggestion(language_: str, kinds: Collection[str]) -> str:
    """The remedy for a fence language that is no step kind."""
    if language_ in language.KINDS:
        return f"this Opsbook runs: {', '.join(sorted(kinds))}"
    if language_:
        return suggestion(language_, kinds, what="step kinds")
    return f"write the kind after the backticks: {', '.join(sorted(kinds))}"


def build(blocks: Sequence[Block], file: str, params: Mapping[str, Param | None]) -> Built:
    """Steps with their keys; then what can be judged only when all of them are known."""
    built = Built()
    keys = _keys(blocks, file, built.problems)
    built.steps = tuple(
        _step(block, key, file, built.problems) for block, key in zip(blocks, keys, strict=True)
    )
    places = {step.key: block.place for step, block in zip(built.steps, blocks, strict=True)}
    for step, fault in coherence.faults(built.steps, params):
        line, column = places[step.key](fault.attribute) if fault.attribute else (step.line, 1)
        told = f"step {step.key}: {fault.message}"
        built.problems.append(Problem(file, line, column, told, fault.remedy))
    for step, block in zip(built.steps, blocks, strict=True):
        built.remarks += _remarks(block, step, file)
    for step, name in coherence.unsaid(built.steps, params):
        told = (
            f"step {step.key}: nothing is called {name!r} by then, and the text is shown as it is"
        )
        built.remarks.append(Problem(file, step.line, 1, told))
    return built


def _keys(blocks: Sequence[Block], file: str, problems: list[Problem]) -> list[str]:
    """An ``#id`` (or Runme's name) as it is; else the heading's words, numbered under it."""
    given = [block.has.id or block.has.values.get("name") for block in blocks]
    taken: set[str] = set()
    for block, key in zip(blocks, given, strict=True):
        if key is None:
            continue
        mark = block.place("#" if block.has.id else "name")
        if not KEY.fullmatch(key):
            told = f"{key!r} cannot be a step's id"
            problems.append(Problem(file, *mark, told, "use letters, digits, - _ and ."))
        elif key in taken:
            told = f"the step id {key!r} is used twice"
            problems.append(Problem(file, *mark, told, "give one of the two another id"))
        taken.add(key)
    numbers: dict[str, int] = {}
    keys = []
    for block, key in zip(blocks, given, strict=True):
        if key is None:
            stem = slug(block.section.title) or block.kind
            number = numbers.get(stem, 0) + 1
            while f"{stem}-{number}" in taken:
                number += 1
            numbers[stem], key = number, f"{stem}-{number}"
            taken.add(key)
        keys.append(key)
    return keys


def slug(title: str) -> str:
    """A heading as a key: its words without their number, joined by hyphens, in any script."""
    text = unicodedata.normalize("NFC", title).lower()
    words = re.findall(r"\w+", re.sub(r"^\W*\d+[.)]\s*", "", text))
    return "-".join(words)[:48].strip("-_")


def _step(block: Block, key: str, file: str, problems: list[Problem]) -> Step:
    def fault(found: Fault) -> None:
        mark = block.place(found.attribute) if found.attribute else (block.line, 1)
        problems.append(Problem(file, *mark, f"step {key}: {found.message}", found.remedy))

    said: dict[str, Any] = {}
    for name, text in block.has.values.items():
        attribute = language.ATTRIBUTES.get(name)
        if attribute is None:
            if found := _unknown(name, block.kind):
                fault(found)
            continue
        if remedy := language.misplaced(name, block.kind):
            fault(Fault(f"{name}= means nothing on a step of kind {block.kind}", remedy, name))
            continue
        try:
            said[name] = attribute.read(text)
        except ValueError as error:
            message, _, remedy = str(error).partition("; ")
            fault(Fault(f"{name}: {message}", remedy, name))
    phase, of = _phase(block)
    for found in (*_flags(block), *contradictions.faults(block, said, phase, of)):
        fault(found)
    hold, roles = said.get("for", timedelta(0)), said.get("by", ())
    return Step(
        key=key, kind=block.kind, title=block.title, body=block.body, line=block.line,
        section=block.section.title, phase=phase, rollback_of=of,
        effect=said.get("effect", _nature(block)),
        timeout=said.get("timeout", DEFAULT_STEP_TIMEOUT + hold),
        interrupted=said.get("interrupted", "ask"), save=said.get("save"), json=said.get("json"),
        optional=said.get("optional", False), secret=said.get("secret", False), for_=hold,
        within=said.get("within"),
        by=roles[0] if roles else None, roles=roles, need=said.get("need", 1),
        when=said.get("when"), retry=said.get("retry", 0),
        backoff=said.get("backoff", timedelta(0)), on_fail=said.get("on-fail", "rollback"),
        on_cancel=said.get("on-cancel", "rollback"), each=said.get("each"),
        at_once=said.get("at-once", 1), expect=said.get("expect"), reject=said.get("reject"),
        asserts=said.get("assert", ()), day=said.get("phase", block.section.day),
        on=said.get("on"), to=said.get("to", ()), urgent=said.get("urgent", False),
        classes=block.has.classes, attributes=dict(block.has.values),
    )  # fmt: skip


def _unknown(name: str, kind: str) -> Fault | None:
    """What is wrong with an attribute that is none of ours; None for one that may well be kept."""
    if name in language.OTHERS or meant.means_a_phase(name):
        return None
    if other := meant.attribute(name):
        remedy = f"did you mean {other}=?"
        if kind in language.KINDS and kind not in language.ATTRIBUTES[other].kinds:
            kinds = ", ".join(sorted(language.ATTRIBUTES[other].kinds))
            remedy = f"did you mean {other}=? it belongs on {kinds}"
        return Fault(f"{name}= means nothing on a step of kind {kind}", remedy, name)
    if near := language.nearly(name):
        return Fault(f"the attribute {name!r} is not known", f"did you mean {near!r}?", name)
    return None


def _flags(block: Block) -> Iterator[Fault]:
    """A word that is an attribute alone, written as a class."""
    for name in block.has.classes:
        if name.lower() in meant.FLAGS:
            told = f"the class '.{name}' means nothing here"
            yield Fault(told, f"write {name.lower()} without the dot", f".{name}")


def _remarks(block: Block, step: Step, file: str) -> Iterator[Problem]:
    """What is kept and means nothing: no mistake, as it may be another tool's, or people's."""
    for name in block.has.values:
        if meant.is_unused(name):
            told = f"step {step.key}: {name}= means nothing on a step of kind {step.kind}"
            yield Problem(file, *block.place(name), told)
    for name in block.has.classes:
        if name not in meant.PHASES:
            told = f"step {step.key}: the class '.{name}' means nothing here"
            yield Problem(file, *block.place(f".{name}"), told)


def _nature(block: Block) -> Effect:
    """What a step does that says nothing of it: a request by its method, others by their kind.

    That GET and HEAD change nothing is what HTTP says of them; an interface in which they do needs
    ``effect=change``.
    """
    if block.kind == "http":
        return "read" if queries.http.method(block.body) in queries.http.READING else "change"
    return "read" if block.kind in READ_BY_NATURE else "change"


def _phase(block: Block) -> tuple[Phase, str | None]:
    phase, of = phase_of(block.has)
    return (phase, of) if phase != "main" else (block.section.phase, block.section.rollback_of)
