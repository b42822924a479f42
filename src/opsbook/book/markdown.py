"""A runbook's Markdown as steps, with the line of each.

A runbook stays a page that reads well on any git host. Of all it may hold, four things mean
something here: the front matter, headings (they group steps, and may say ``{.rollback of=x}`` or
``{.finally}``), fenced blocks whose language is a step kind, and task-list items. Everything else
is prose, blocks inside quotations included.

Two mistakes are refused rather than read as they stand, since both would run something nobody
wrote: a fence that is not closed (the rest of the page would become its script), and a fence with a
step's attributes in a language that is no step kind (the step would silently be skipped).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.front_matter import front_matter_plugin
from pydantic import Field, ValidationError

from opsbook.book import attributes, complaints, steps, yamlpos
from opsbook.book.attributes import AttributeFault, Attributes
from opsbook.book.fields import ID_PATTERN, Duration, Id, Part
from opsbook.book.params import Param, name_fault
from opsbook.book.positions import Mark, Positions
from opsbook.book.problems import Problem
from opsbook.book.runbook import Risk, Runbook, Section
from opsbook.book.steps import Block
from opsbook.book.texts import Text

_INLINE = re.compile(r"[*_`\[\]<>&\\\n]")
"""What may be inline Markdown; a heading without any of it is spared the parser."""


class FrontMatter(Part):
    """What a runbook says of itself, between the two ``---`` lines."""

    id: Id | None = None
    title: Text | None = None
    description: Text | None = None
    owner: Id | None = None
    risk: Risk = "routine"
    params: Mapping[str, Param | None] = Field(default_factory=dict)
    timeout: Duration | None = None
    lock: str | None = Field(default=None, pattern=r"^\w[\w.-]{0,63}$")


@dataclass(slots=True)
class Reading:
    """What a page came to; `runbook` is None if it cannot be read as one."""

    id: str
    id_mark: Mark
    runbook: Runbook | None = None
    positions: Positions = field(default_factory=Positions)
    problems: list[Problem] = field(default_factory=list)


def stem(file: str) -> str:
    """The id a runbook has if it gives none: its file's name."""
    return PurePosixPath(file).stem


def read(source: str, file: str, kinds: Collection[str]) -> Reading:
    """Read one page; `kinds` are the fence languages that are steps."""
    reading = Reading(stem(file), Mark(file, 1, 1))
    text = source.removeprefix("\ufeff")
    if fault := yamlpos.unreadable(text, file):
        reading.problems.append(fault)
        return reading
    try:
        tokens = _parser().parse(text)
    except RecursionError:
        reading.problems.append(Problem(file, 1, 1, "this page is nested too deeply", "flatten it"))
        return reading
    about = _front_matter(tokens, text, file, reading)
    page = _Page(text, file, kinds, reading)
    page.walk(tokens)
    found = steps.build(page.blocks, file, about.params)
    reading.problems += found.problems
    title = about.title or page.title
    if title is None:
        remedy = "write title: in the front matter, or a # heading"
        reading.problems.append(Problem(file, 1, 1, "the runbook has no title", remedy))
    if about.id is None and not re.match(ID_PATTERN, reading.id):
        told = f"the file's name {reading.id!r} cannot be the runbook's id"
        reading.problems.append(Problem(file, 1, 1, told, "write id: in the front matter"))
    if not page.blocks and not reading.problems:
        remedy = "write a fenced block such as ```bash, or a task - [ ] to be done by a person"
        reading.problems.append(Problem(file, 1, 1, "the runbook has no step", remedy))
    for step in found.steps:
        reading.positions.keys["steps", step.key] = Mark(file, step.line, 1)
    if not reading.problems and title is not None:
        reading.runbook = Runbook(
            id=reading.id, title=title, risk=about.risk, timeout=about.timeout, lock=about.lock,
            params={name: param or Param() for name, param in about.params.items()},
            steps=found.steps, sections=tuple(page.sections), source=source, file=file,
            owner=about.owner, description=about.description, ref=about.ref,
        )  # fmt: skip
    return reading


@functools.cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"maxNesting": 60}).enable("table").use(front_matter_plugin)


def _front_matter(tokens: Sequence[Token], text: str, file: str, reading: Reading) -> FrontMatter:
    token = next((token for token in tokens if token.type == "front_matter"), None)
    if token is None:
        if text.partition("\n")[0].rstrip() == "---":
            told = "the front matter is not closed"
            reading.problems.append(Problem(file, 1, 1, told, "write --- on a line below it"))
        return FrontMatter()
    yaml = yamlpos.read(token.content, file, first_line=2)
    reading.problems += yaml.problems
    reading.positions.adopt(yaml.positions)
    if yaml.problems and yaml.data is None:
        guessed = re.search(r"^id:[ \t]*([\w.-]+)[ \t]*$", token.content, re.MULTILINE)
        reading.id = guessed[1] if guessed else reading.id
        return _as_far_as_it_goes({})
    data = {} if yaml.data is None else yaml.data
    if not isinstance(data, dict):
        told = "the front matter holds no keys"
        reading.problems.append(Problem(file, 2, 1, told, "write key: value"))
        return FrontMatter()
    _take_id(data, file, reading)
    params = data.get("params")
    for name in params if isinstance(params, dict) else ():
        if why := name_fault(name):
            mark = reading.positions.key(("params", name)) or Mark(file, 1, 1)
            told = f"params.{name}: {name!r} {why}"
            reading.problems.append(Problem(*mark, told, "choose another name"))
    try:
        return FrontMatter.model_validate(data)
    except ValidationError as error:
        reading.problems += complaints.told(
            error, FrontMatter, (), reading.positions, whose="the front matter", main=file
        )
    return _as_far_as_it_goes(data)


def _take_id(data: Mapping[str, Any], file: str, reading: Reading) -> None:
    if isinstance(id := data.get("id"), str) and id:
        reading.id = id
        reading.id_mark = reading.positions.value(("id",)) or Mark(file, 1, 1)


def _as_far_as_it_goes(data: Mapping[str, Any]) -> FrontMatter:
    """The parameters' names alone, so that the steps of a faulty page are checked all the same."""
    params = data.get("params")
    names = params if isinstance(params, dict) else {}
    return FrontMatter(title=Text({"": "-"}), params=dict.fromkeys(names))


@dataclass(slots=True)
class _Page:
    """A walk over the page's tokens, which collects its headings and its blocks."""

    text: str
    file: str
    kinds: Collection[str]
    reading: Reading
    title: Text | None = None
    sections: list[Section] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def walk(self, tokens: Sequence[Token]) -> None:
        self.lines = self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        quoted, items = 0, 0
        for index, token in enumerate(tokens):
            quoted += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
            if quoted:
                continue
            if token.type == "heading_open" and items == 0:
                self._heading(token, tokens[index + 1])
            elif token.type == "fence":
                self._fence(token)
            elif token.type in {"list_item_open", "list_item_close"}:
                items += 1 if token.type == "list_item_open" else -1
                if token.type == "list_item_open":
                    self._item(tokens[index + 1 : index + 3])

    def _heading(self, token: Token, inline: Token) -> None:
        line = _line(token)
        written, braces = attributes.split_trailing(inline.content)
        has = self._attributes(braces, line)
        title, level = _plain(written), int(token.tag[1:])
        if level == 1 and self.title is None and title:
            self.title = Text({"": title})
        phase, of = steps.phase_of(has, self.sections, level)
        self.sections.append(Section(title, level, line, phase, of))
        if "rollback" in has.classes and not has.values.get("of"):
            self._problem(line, 1, "a rollback must say of what", "write {.rollback of=step}")

    def _fence(self, token: Token) -> None:
        line = _line(token)
        language, braces = _info(token.info)
        if not self._is_closed(token):
            told = "this code fence is not closed"
            remedy = f"write {token.markup} alone on a line after it (a fence that holds another "
            self._problem(line, 1, told, f"{remedy}opens with one more)")
        if language not in self.kinds:
            has = self._attributes(braces, line, quiet=True)
            if steps.means_a_step(has, language, self.kinds):
                remedy = steps.kind_suggestion(language, self.kinds)
                self._problem(
                    line, 1, f"the fence language {language!r} is no kind of step", remedy
                )
            return
        self._block(language, token.content, line, self._attributes(braces, line), "")

    def _is_closed(self, token: Token) -> bool:
        """Whether the fence ends by a line of its own, and not in the middle of another one."""
        first, end = token.map or [0, 0]
        last = self.lines[end - 1].strip() if first < end - 1 else ""
        opened = re.search(rf"^[ \t]*{token.markup}[^\s`~]", token.content, re.MULTILINE)
        return opened is None and _closes(last, token.markup)

    def _item(self, after: Sequence[Token]) -> None:
        if [token.type for token in after] != ["paragraph_open", "inline"]:
            return
        content = after[1].content
        if content[:4].lower() not in {"[ ] ", "[x] "}:
            return
        line = _line(after[1])
        written, braces = attributes.split_trailing(content[4:])
        title = _plain(written.split("\n", 1)[0])
        self._block("manual", written, line, self._attributes(braces, line), title)

    def _block(self, kind: str, body: str, line: int, has: Attributes, title: str) -> None:
        section = self.sections[-1] if self.sections else Section("", 1, 1)
        self.blocks.append(Block(kind, title or section.title, body, line, has, section))

    def _attributes(self, braces: str, line: int, *, quiet: bool = False) -> Attributes:
        if not braces:
            return Attributes()
        try:
            return attributes.parse(braces)
        except AttributeFault as fault:
            if not quiet:
                row = self.lines[line - 1] if line <= len(self.lines) else ""
                column = max(row.find(braces.split("\n", 1)[0]), 0) + 1 + fault.at
                remedy = 'write {#id key=value other="two words"}'
                self._problem(line, column, f"these attributes cannot be read: {fault}", remedy)
            return Attributes()

    def _problem(self, line: int, column: int, message: str, remedy: str) -> None:
        self.reading.problems.append(Problem(self.file, line, column, message, remedy))


def _info(info: str) -> tuple[str, str]:
    """A fence's language, and the braces after it if there are any."""
    info = info.strip()
    brace = info.find("{")
    language = info if brace < 0 else info[:brace]
    return (language.split() or [""])[0], "" if brace < 0 else info[brace:]


def _closes(line: str, markup: str) -> bool:
    return line.startswith(markup) and not line.strip(markup[0])


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 1


def _plain(text: str) -> str:
    """Inline Markdown as plain text: ``**Stop** `nginx` `` is "Stop nginx"."""
    if not _INLINE.search(text):
        return text.strip()
    inline = _parser().parseInline(text)
    return "".join(_words(inline)).strip()


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.children:
            yield from _words(token.children)
        elif token.type in {"softbreak", "hardbreak"}:
            yield " "
        elif token.type != "html_inline":
            yield token.content
