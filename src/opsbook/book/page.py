"""A page of Markdown as headings and blocks: what runbooks and drills are both made of.

Only the block structure is parsed: where a heading, a fence or a task is, and on which line. What
is inside a paragraph concerns nobody here, except for the words of a title, and parsing it would
cost as much as all the rest.

Two mistakes are refused rather than read as they stand, since both would run something nobody
wrote: a fence that is not closed (the rest of the page would become its script), and a fence with a
step's attributes in a language that is no step kind (the step would silently be skipped).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.front_matter import front_matter_plugin

from opsbook.book import attributes, language, meant, steps, yamlpos
from opsbook.book.attributes import AttributeFault, Attributes
from opsbook.book.blocks import Block
from opsbook.book.problems import Problem
from opsbook.book.runbook import Section
from opsbook.book.texts import Text

_INLINE: Final = re.compile(r"[*_`\[\]<>&\\\n~]")
"""What may be inline Markdown; a heading without any of it is spared the parser."""

_QUOTES: Final = {"blockquote_open": 1, "blockquote_close": -1}
_ITEMS: Final = {"list_item_open": 1, "list_item_close": -1}
_BOXES: Final = frozenset({"[ ] ", "[x] ", "[X] "})
_NESTING: Final = {"maxNesting": 60}


@functools.cache
def _blocks() -> MarkdownIt:
    parser = MarkdownIt("commonmark", _NESTING).enable("table").use(front_matter_plugin)
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


@functools.cache
def _inline() -> MarkdownIt:
    return MarkdownIt("commonmark", _NESTING)


def parse(text: str, file: str) -> tuple[list[Token], Problem | None]:
    """The page's tokens, or why there are none."""
    if fault := yamlpos.unreadable(text, file):
        return [], fault
    try:
        return _blocks().parse(text), None
    except RecursionError:
        return [], Problem(file, 1, 1, "this page is nested too deeply", "flatten it")


@dataclass(slots=True)
class Page:
    """A walk over the page's tokens, which collects its headings and its blocks."""

    text: str
    file: str
    kinds: Collection[str]
    problems: list[Problem]
    title: Text | None = None
    sections: list[Section] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)
    """What is no mistake and still worth knowing."""
    lines: list[str] = field(default_factory=list)
    above: list[Section] = field(default_factory=list)
    """The headings that what follows stands under, the outermost first; never the whole page's."""

    def walk(self, tokens: Sequence[Token]) -> None:
        """Go through the page once. What stands in a quotation is prose."""
        self.lines = self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        quoted, items = 0, 0
        for index, token in enumerate(tokens):
            kind = token.type
            if kind in _QUOTES:
                quoted += _QUOTES[kind]
            elif quoted:
                continue
            elif kind in _ITEMS:
                items += _ITEMS[kind]
                if kind == "list_item_open":
                    self._item(tokens[index + 1 : index + 3])
            elif kind == "heading_open" and items == 0:
                self._heading(token, tokens[index + 1])
            elif kind in {"heading_open", "paragraph_open"}:
                self._prose(tokens[index + 1], heading=kind == "heading_open")
            elif kind == "fence":
                self._fence(token)

    def _heading(self, token: Token, inline: Token) -> None:
        line = _line(token)
        found = _Braces.trailing(self, inline.content, line)
        title, level = plain(found.before), int(token.tag[1:])
        if level == 1 and self.title is None and title:
            self.title = Text({"": title})
        has = found.read()
        while self.above and self.above[-1].level >= level:
            self.above.pop()
        above = self.above[-1] if self.above else None
        phase, of = steps.phase_of(has, above)
        day = above.day if above is not None else None
        if "phase" in has.values:
            day = self._day(has.values["phase"], found) or day
        self._heading_attributes(has, found)
        self._loose(found.before, line)
        section = Section(title, level, line, phase, of, day)
        self.sections.append(section)
        self.above.append(section)
        if "rollback" in has.classes and not has.values.get("of"):
            where = found.place(".rollback")
            self.problem(*where, "a rollback must say of what", "write {.rollback of=step}")

    def _day(self, text: str, found: _Braces) -> str | None:
        try:
            return language.day(text)
        except ValueError as error:
            message, _, remedy = str(error).partition("; ")
            self.problem(*found.place("phase"), f"phase: {message}", remedy)
            return None

    def _heading_attributes(self, has: Attributes, found: _Braces) -> None:
        """A heading says what its steps are for; what they do is said at each of them."""
        if {"rollback", "finally"} <= set(has.classes):
            told = "this heading is both a rollback and finally"
            self.problem(*found.place(".finally"), told, "leave one of the two")
        for fault in meant.phase_faults(has):
            self.problem(*found.place(fault.attribute), fault.message, fault.remedy)
        for name in has.values:
            if name == "phase" or name in language.OTHERS or meant.means_a_phase(name):
                continue
            near = language.nearly(name)
            if name not in language.ATTRIBUTES and near in {"phase", "of"}:
                told = f"the attribute {name!r} is not known"
                self.problem(*found.place(name), told, f"did you mean {near!r}?")
            elif name in language.ATTRIBUTES or near or meant.attribute(name):
                told = f"a heading cannot say {name}="
                self.problem(*found.place(name), told, "write it at each step that it is meant for")
            elif meant.is_unused(name):
                told = f"{name}= means nothing on a heading"
                self.remarks.append(Problem(self.file, *found.place(name), told))

    def _loose(self, words: str, line: int) -> None:
        """Braces among the words of a heading or a task that say, or nearly say, what undoes."""
        if "{" not in words:
            return
        for at, text, has in attributes.loose(words):
            found = _Braces(self, words[:at], text, line + words.count("\n", 0, at))
            found.has = has
            for name in meant.PHASES:
                if name in has.classes:
                    told = meant.unheard(f".{name}", name)
                    self.problem(*found.place(f".{name}"), told, "let the braces come last")
            for fault in meant.phase_faults(has):
                self.problem(*found.place(fault.attribute), fault.message, fault.remedy)

    def _prose(self, inline: Token, *, heading: bool) -> None:
        """What was meant as a heading and is none: ``##Undo {.rollback of=x}``, or one in a list.

        The steps below it would be steps like any other.
        """
        if "{" not in inline.content or inline.content[:4] in _BOXES:
            return
        for n, row in enumerate(inline.content.split("\n")):
            if not (heading or row.startswith("#") or row.rstrip().endswith("}")):
                continue
            for at, text, has in attributes.loose(row):
                found = _Braces(self, row[:at], text, _line(inline) + n)
                found.has = has
                for written in has.classes:
                    if name := meant.phase(written, bare=True):
                        told = f"'.{written}' stands on no heading of the page, and does nothing"
                        remedy = f"write ## and a space before the words, or {meant.PHASES[name]} "
                        self.problem(*found.place(f".{written}"), told, f"{remedy}at the step")

    def _fence(self, token: Token) -> None:
        line = _line(token)
        info = token.info.strip()
        brace = info.find("{")
        before = info if brace < 0 else info[:brace]
        kind, *words = before.split() or [""]
        braces = "" if brace < 0 else info[brace:]
        if not self._is_closed(token):
            told = "this code fence is not closed"
            remedy = f"write {token.markup} alone on a line after it (a fence that holds another "
            self.problem(line, 1, told, f"{remedy}opens with one more)")
        found = _Braces(self, before, braces, line)
        if kind not in self.kinds:
            if steps.means_a_step(found.read(quiet=True), kind, self.kinds):
                remedy = steps.kind_suggestion(kind, self.kinds)
                self.problem(line, 1, f"the fence language {kind!r} is no kind of step", remedy)
            return
        for word in words:
            if remedy := _outside(word):
                row = self.lines[line - 1]
                told = f"{word!r} stands outside of braces and would do nothing"
                self.problem(line, row.find(word) + 1, told, remedy)
        self._block(kind, token.content, found, line, "")

    def _is_closed(self, token: Token) -> bool:
        """Whether the fence ends by a line of its own, and not in the middle of another one."""
        first, end = token.map or [0, 0]
        last = self.lines[end - 1].strip() if first < end - 1 else ""
        if not last.startswith(token.markup) or last.strip(token.markup[0]):
            return False
        if token.markup not in token.content:
            return True
        opened = re.search(rf"^[ \t]*{token.markup}[^\s`~]", token.content, re.MULTILINE)
        return opened is None

    def _item(self, after: Sequence[Token]) -> None:
        if [token.type for token in after] != ["paragraph_open", "inline"]:
            return
        content = after[1].content
        if content[:4] not in _BOXES:
            return
        line = _line(after[1])
        found = _Braces.trailing(self, content, line)
        self._loose(found.before, line)
        written = found.before[4:].strip()
        title = plain(written.split("\n", 1)[0])
        self._block("manual", written, found, line, title, task=True)

    def _block(
        self, kind: str, body: str, found: _Braces, line: int, title: str, *, task: bool = False
    ) -> None:
        section, has = self.sections[-1] if self.sections else Section("", 1, 1), found.read()
        title = title or section.title
        self.blocks.append(Block(kind, title, body, line, has, section, found.place, task))

    def problem(self, line: int, column: int, message: str, remedy: str) -> None:
        """Report something on this page."""
        self.problems.append(Problem(self.file, line, column, message, remedy))


class _Braces:
    """Braces with attributes and where they stand: after `before`, on a page's line or below it."""

    __slots__ = ("before", "has", "line", "page", "text")

    def __init__(self, page: Page, before: str, text: str, line: int) -> None:
        self.page, self.before, self.text, self.line = page, before, text, line
        self.has: Attributes | None = None

    @classmethod
    def trailing(cls, page: Page, content: str, line: int) -> _Braces:
        """The braces at the end of a heading or a task that begins on `line`."""
        before, text = attributes.split_trailing(content)
        below = content.count("\n", 0, len(content.rstrip()) - len(text)) if text else 0
        return cls(page, before, text, line + below)

    def read(self, *, quiet: bool = False) -> Attributes:
        """What they hold; nothing if they cannot be read, which is reported once."""
        if self.has is None:
            try:
                self.has = attributes.parse(self.text) if self.text else Attributes()
            except AttributeFault as fault:
                self.has = Attributes()
                if not quiet:
                    told = f"these attributes cannot be read: {fault}"
                    self.page.problem(*self.at(fault.at), told, fault.remedy)
        return self.has

    def place(self, name: str) -> tuple[int, int]:
        """Line and column of one of the attributes; of the braces where it is not known."""
        return self.at((self.has or Attributes()).places.get(name, 0))

    def at(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset in the braces."""
        if not self.text:
            return self.line, 1
        pieces = self.text[:offset].split("\n")
        rows, line = self.page.lines, self.line + len(pieces) - 1
        row = rows[line - 1] if line <= len(rows) else ""
        piece = self.text.split("\n")[len(pieces) - 1]
        return line, max(row.rfind(piece), 0) + 1 + len(pieces[-1])


def _outside(word: str) -> str:
    """What to write for a word between a fence's language and its braces that means something."""
    name, equals, _ = word.partition("=")
    if name in language.ATTRIBUTES:
        return f"write {{{word}}}"
    if name == "of" and equals:
        return "write {.rollback of=step}"
    if phase := meant.phase(name, bare=not name.startswith(".")):
        return f"write {meant.PHASES[phase]}"
    near = meant.attribute(name) or language.nearly(name) if equals else None
    return f"write {{{near}=…}}" if near else ""


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 1


def plain(text: str) -> str:
    """Inline Markdown as plain text: ``**Stop** `nginx` `` is "Stop nginx"."""
    if not _INLINE.search(text):
        return text.strip()
    return "".join(_words(_inline().parseInline(text))).strip()


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.children:
            yield from _words(token.children)
        elif token.type in {"softbreak", "hardbreak"}:
            yield " "
        elif token.type != "html_inline":
            yield token.content
