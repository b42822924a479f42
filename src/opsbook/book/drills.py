"""A drill's Markdown: front matter, prose for whoever takes it, and what is expected as tasks.

It is read as a runbook is, with two differences: a task is not a step but an expected action with
``{points=10}``, and a fenced block of a step's kind prepares the drill or tidies up after it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from opsbook.book import frontmatter, language, steps
from opsbook.book.blocks import Block
from opsbook.book.drill import Action, Drill
from opsbook.book.fields import Duration, Id, Part
from opsbook.book.page import Page, parse
from opsbook.book.positions import Mark
from opsbook.book.problems import Problem
from opsbook.book.refs import CourseId, OwnerId, Refers
from opsbook.book.texts import Text

MOST_POINTS: Final = 1000
_KNOWN: Final = ("points", "within", "name")


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class FrontMatter(Part):
    """What a drill says of itself, between the two ``---`` lines."""

    id: Id | None = None
    """What the rest of the book calls it; the file's name, if left out."""
    title: Text | None = None
    """What people call it; the first heading, if left out."""
    description: Text | None = None
    """What it is about."""
    owner: OwnerId | None = None
    """The person or team that looks after it."""
    course: CourseId | None = None
    """The course that it belongs to."""
    world: Annotated[Id, Refers("stand-in", ("world",))]
    """The stand-in that something goes wrong with."""
    fault: Id
    """Which of its faults."""
    within: Duration
    """How long the drill lasts at most."""
    goal: Text
    """What has to be so in the end."""
    hints: Annotated[tuple[Text, ...], BeforeValidator(_listed)] = Field(default=())
    """What may be asked for on the way, one after the other."""


@dataclass(slots=True)
class Reading(frontmatter.Reading[FrontMatter]):
    """What a page came to; `drill` is None if it cannot be read as one."""

    drill: Drill | None = None


def read(source: str, file: str, kinds: Collection[str]) -> Reading:
    """Read one page; `kinds` are the fence languages that are steps."""
    text = source.removeprefix("\ufeff")
    tokens, fault = parse(text, file)
    about = frontmatter.read(tokens, text if fault is None else "", file, FrontMatter)
    reading = Reading(about)
    if fault is not None:
        about.problems[:] = [fault]
        return reading
    page = Page(text, file, kinds, about.problems)
    page.walk(tokens)
    tasks = [block for block in page.blocks if block.task]
    fences = [block for block in page.blocks if not block.task]
    found = steps.build(fences, file, {})
    about.problems += found.problems
    about.problems += [problem for block in fences for problem in _misplaced(block, file)]
    actions = _actions(tasks, file, about.problems)
    said = about.model
    title = said.title or page.title if said is not None else None
    if title is None and said is not None:
        remedy = "write title: in the front matter, or a # heading"
        about.problems.append(Problem(file, 1, 1, "the drill has no title", remedy))
    if not tasks:
        remedy = "write each as a task: - [ ] Read the pod's log. {points=10}"
        about.problems.append(Problem(file, 1, 1, "the drill expects no action", remedy))
    elif not any(action.points for action in actions) and not about.problems:
        told = "none of its actions is worth a point, so that it cannot be scored"
        about.problems.append(Problem(file, tasks[0].line, 1, told, "add {points=10} to them"))
    for action in actions:
        about.positions.keys["actions", action.key] = Mark(file, action.line, 1)
    for step in found.steps:
        about.positions.keys["steps", step.key] = Mark(file, step.line, 1)
    if said is not None and title is not None and not about.problems:
        reading.drill = Drill(
            id=about.id, title=title, world=said.world, fault=said.fault, within=said.within,
            goal=said.goal, actions=actions, steps=found.steps, source=source, file=file,
            course=said.course, owner=said.owner, description=said.description,
            hints=said.hints, ref=said.ref,
            remarks=(*page.remarks, *found.remarks),
        )  # fmt: skip
    return reading


def _misplaced(block: Block, file: str) -> list[Problem]:
    """A drill prepares and tidies up by itself; nobody is asked, and nothing is undone."""
    if block.kind in language.PEOPLE:
        told = f"a drill has no step of kind {block.kind}: nobody waits for it but who takes it"
        return [Problem(file, block.line, 1, told, "write what is expected as a task")]
    if "rollback" in block.has.classes or block.section.phase == "rollback":
        told = "a drill has nothing to roll back: its sandbox is thrown away"
        return [Problem(file, block.line, 1, told, "write {.finally} for what tidies up")]
    return []


def _actions(tasks: Sequence[Block], file: str, problems: list[Problem]) -> tuple[Action, ...]:
    actions: list[Action] = []
    taken: set[str] = set()
    for number, task in enumerate(tasks, start=1):
        key = task.has.id or task.has.values.get("name") or f"action-{number}"
        if key in taken:
            mark = task.place("#" if task.has.id else "name")
            told = f"the action {key!r} is there twice"
            problems.append(Problem(file, *mark, told, "give one of the two another id"))
        taken.add(key)
        actions.append(_action(task, key, file, problems))
    return tuple(actions)


def _action(task: Block, key: str, file: str, problems: list[Problem]) -> Action:
    said: dict[str, Any] = {"points": 0, "within": None}
    for name, text in task.has.values.items():
        near = difflib.get_close_matches(name, _KNOWN, n=1, cutoff=0.75)
        told, remedy = "", ""
        try:
            if name == "points":
                said["points"] = _points(text)
            elif name == "within":
                said["within"] = language.span(text)
            elif name not in _KNOWN and near:
                told, remedy = f"the attribute {name!r} is not known", f"did you mean {near[0]!r}?"
        except ValueError as error:
            message, _, remedy = str(error).partition("; ")
            told = f"{name}: {message}"
        if told:
            mark = task.place(name)
            problems.append(Problem(file, *mark, f"action {key}: {told}", remedy))
    if not task.body:
        told = f"action {key}: it says nothing"
        problems.append(Problem(file, task.line, 1, told, "write what is to be done"))
    return Action(key, task.title, said["points"], said["within"], task.line, dict(task.has.values))


def _points(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) > MOST_POINTS:
        raise ValueError(f"{text!r} is no number of points; write one from 0 to {MOST_POINTS}")
    return int(text)
