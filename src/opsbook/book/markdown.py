"""A runbook's Markdown as steps, with the line of each.

A runbook stays a page that reads well on any git host. Of all it may hold, four things mean
something here: the front matter, headings (they group steps, and may say ``{.rollback of=x}`` or
``{.finally}``), fenced blocks whose language is a step kind, and task-list items. Everything else
is prose, blocks inside quotations included.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pydantic import Field

from opsbook.book import frontmatter, params, steps
from opsbook.book.blocks import Block
from opsbook.book.fields import Duration, Id, Part
from opsbook.book.frontmatter import About
from opsbook.book.page import Page, parse
from opsbook.book.params import Param, name_fault
from opsbook.book.positions import Mark, Positions
from opsbook.book.problems import Problem
from opsbook.book.refs import OwnerId
from opsbook.book.runbook import Risk, Runbook, Step
from opsbook.book.texts import Text

REFERRING = ("by", "to", "on")
"""Attributes that name something elsewhere in the book, whose places are kept for whoever looks."""


class FrontMatter(Part):
    """What a runbook says of itself, between the two ``---`` lines."""

    id: Id | None = None
    """What the rest of the book calls it; the file's name, if left out."""
    title: Text | None = None
    """What people call it; the first heading, if left out."""
    description: Text | None = None
    """What it is for."""
    owner: OwnerId | None = None
    """The person or team it belongs to."""
    risk: Risk = "routine"
    """How careful one has to be with it."""
    params: Mapping[str, Param | None] = Field(default_factory=dict)
    """What it is given when it starts."""
    timeout: Duration | None = None
    """How long a whole run may take."""
    lock: str | None = Field(default=None, pattern=r"^\w[\w.-]{0,63}$")
    """A name; of runs with the same, one runs at a time."""


@dataclass(slots=True)
class Reading(frontmatter.Reading[FrontMatter]):
    """What a page came to; `runbook` is None if it cannot be read as one."""

    runbook: Runbook | None = None


def read(source: str, file: str, kinds: Collection[str]) -> Reading:
    """Read one page; `kinds` are the fence languages that are steps."""
    text = source.removeprefix("\ufeff")
    tokens, fault = parse(text, file)
    about = frontmatter.read(tokens, text if fault is None else "", file, FrontMatter)
    reading = Reading(about)
    if fault is not None:
        reading.problems[:] = [fault]
        return reading
    given = _params(about)
    page = Page(text, file, kinds, reading.problems)
    page.walk(tokens)
    found = steps.build(page.blocks, file, given)
    reading.problems.extend(found.problems)
    said = about.model or FrontMatter()
    title = said.title or page.title
    if title is None and about.model is not None:
        remedy = "write title: in the front matter, or a # heading"
        reading.problems.append(Problem(file, 1, 1, "the runbook has no title", remedy))
    if not page.blocks and not reading.problems:
        remedy = "write a fenced block such as ```bash, or a task - [ ] to be done by a person"
        reading.problems.append(Problem(file, 1, 1, "the runbook has no step", remedy))
    for step, block in zip(found.steps, page.blocks, strict=True):
        _place(reading.positions, step, file, block)
    if not reading.problems and title is not None:
        reading.runbook = Runbook(
            id=reading.id, title=title, risk=said.risk, timeout=said.timeout, lock=said.lock,
            params={name: param or Param() for name, param in said.params.items()},
            steps=found.steps, sections=tuple(page.sections), source=source, file=file,
            owner=said.owner, description=said.description, ref=said.ref,
            remarks=(*page.remarks, *found.remarks),
        )  # fmt: skip
    return reading


def _place(positions: Positions, step: Step, file: str, block: Block) -> None:
    path = ("steps", step.key)
    positions.keys[path] = Mark(file, step.line, 1)
    for name in REFERRING:
        if name in step.attributes:
            positions.keys[*path, name] = Mark(file, *block.place(name))


def _params(about: About[FrontMatter]) -> Mapping[str, Param | None]:
    """The parameters, once what is wrong with them is reported.

    Those of a faulty page are None each, so that its steps are checked against the names alone.
    """
    written = about.data.get("params")
    for name in written if isinstance(written, dict) else ():
        if why := name_fault(name):
            mark = about.positions.key(("params", name)) or about.id_mark
            told = f"params.{name}: {name!r} {why}"
            about.problems.append(Problem(*mark, told, "choose another name"))
    if about.model is None:
        return dict.fromkeys(written) if isinstance(written, dict) else {}
    for name, param in about.model.params.items():
        for key, message, remedy in params.contradictions(param) if param is not None else ():
            about.problem(("params", name, key), message, remedy)
    return about.model.params
