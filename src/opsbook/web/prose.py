"""A runbook's Markdown as HTML for the handbook: the prose as prose, each step as what it will do.

Safe by construction rather than cleaned afterwards: raw HTML in the source is shown as the text it
is, link targets are checked (no ``javascript:``, no ``data:``), every text is escaped, and images
become links (the content policy loads nothing from elsewhere). A sanitiser behind that would only
hide a mistake in front of it.

Steps are found by their line, as the book's reader found them, so what is shown as a step is what
runs. Braces with attributes are left out of headings and tasks: they are for the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape
from mdit_py_plugins.front_matter import front_matter_plugin

from opsbook.book import Runbook, Step
from opsbook.book.attributes import split_trailing
from opsbook.book.runbook import Section

ShowStep = Callable[[Step, Markup], Markup]
"""Gives the bar above a step (kind, effect, source) around the escaped body it is handed."""
ShowSection = Callable[[Section], Markup]
"""Gives what stands beside a heading: that what follows undoes something, or always runs."""


class _Renderer(RendererHTML):
    """HTML without images and front matter, with steps shown by whoever asked for the page."""

    def front_matter(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        """Leave it out: what it says is shown around the page."""
        return ""

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Show a link in an image's place."""
        source = str(tokens[idx].attrs.get("src", ""))
        said = tokens[idx].content or source
        return f'<a href="{escape(source)}" rel="noreferrer">{escape(said)}</a>'

    def code_block(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        """Show indented text as it is."""
        return str(_code(tokens[idx].content))

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Show a step as a step, anything else as the text it is."""
        token = tokens[idx]
        body = _code(token.content)
        step = env["steps"].get(token.map[0] + 1) if token.map else None
        return str(env["show"](step, body) if step is not None else body)


def _code(text: str) -> Markup:
    """Text as it was written; with a tab stop, since a long line is scrolled by keys too."""
    return Markup('<pre tabindex="0"><code>{}</code></pre>').format(text)


def html(runbook: Runbook, show: ShowStep, beside: ShowSection | None = None) -> Markup:
    """Return the runbook as HTML; the first heading is left out where it is the page's own."""
    parser = MarkdownIt("commonmark", {"maxNesting": 60, "html": False}, renderer_cls=_Renderer)
    parser.enable("table").use(front_matter_plugin)
    parser.core.ruler.after("block", "attributes", _cut_braces)
    source = runbook.source.removeprefix("\ufeff")
    env: dict[str, Any] = {"steps": {step.line: step for step in runbook.steps}, "show": show}
    tokens = parser.parse(source, env)
    if beside is not None:
        _mark(tokens, {section.line: section for section in runbook.sections}, beside)
    tokens = _without_title(tokens)
    _tidy(tokens, env["steps"], show)
    return Markup(parser.renderer.render(tokens, parser.options, env))  # noqa: S704  escaped above


def _without_title(tokens: list[Token]) -> list[Token]:
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            return tokens[:index] + tokens[index + 3 :] if token.tag == "h1" else tokens
    return tokens


def _mark(tokens: Sequence[Token], sections: Mapping[int, Section], beside: ShowSection) -> None:
    """Say beside each heading what the steps below it are for."""
    for before, token in pairwise(tokens):
        section = sections.get(token.map[0] + 1) if token.map else None
        if before.type == "heading_open" and section is not None and (said := beside(section)):
            mark = Token("html_inline", "", 0)
            mark.content = str(said)
            token.children = [*(token.children or []), mark]


def _tidy(tokens: Sequence[Token], steps: Mapping[int, Step], show: ShowStep) -> None:
    """Leave braces out, push headings below the page's own, mark tasks, and guard links."""
    for index, token in enumerate(tokens):
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, max(2, int(token.tag[1:])))}"
        if token.type != "inline":
            continue
        if _is_task(tokens, index):
            _task(tokens, index, steps, show)
        for child in token.children or ():
            if child.type == "link_open":
                child.attrs["rel"] = "noreferrer"


def _cut_braces(state: StateCore) -> None:
    """Drop ``{.rollback of=x}`` from the end of headings and tasks before their text is parsed.

    Afterwards it would be too late: the text of a braced value may look like emphasis or code, and
    braces may go over line breaks.
    """
    tokens = state.tokens
    for index, token in enumerate(tokens):
        if token.type == "inline" and (_is_task(tokens, index) or _is_heading(tokens, index)):
            token.content = split_trailing(token.content)[0]


def _is_heading(tokens: Sequence[Token], index: int) -> bool:
    return tokens[index - 1].type == "heading_open"


def _is_task(tokens: Sequence[Token], index: int) -> bool:
    around = [token.type for token in tokens[max(0, index - 2) : index]]
    boxed = tokens[index].content[:4].lower() in {"[ ] ", "[x] "}
    return boxed and around == ["list_item_open", "paragraph_open"]


def _task(tokens: Sequence[Token], index: int, steps: Mapping[int, Step], show: ShowStep) -> None:
    token = tokens[index]
    if not token.children:
        return
    tokens[index - 2].attrs["class"] = "task"
    first = token.children[0]
    first.content = first.content[4:]
    step = steps.get(token.map[0] + 1) if token.map else None
    if step is not None:
        mark = Token("html_inline", "", 0)
        mark.content = str(show(step, Markup("")))
        token.children.insert(0, mark)
