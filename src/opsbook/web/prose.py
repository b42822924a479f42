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
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape
from mdit_py_plugins.front_matter import front_matter_plugin

from opsbook.book import Runbook, Step
from opsbook.book.attributes import split_trailing

ShowStep = Callable[[Step, Markup], Markup]
"""Gives the bar above a step (kind, effect, source) around the escaped body it is handed."""


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

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Show a step as a step, anything else as the text it is."""
        token = tokens[idx]
        body = Markup("<pre><code>{}</code></pre>").format(token.content)
        step = env["steps"].get(token.map[0] + 1) if token.map else None
        return str(env["show"](step, body) if step is not None else body)


def html(runbook: Runbook, show: ShowStep) -> Markup:
    """Return the runbook as HTML; the first heading is left out where it is the page's own."""
    parser = MarkdownIt("commonmark", {"maxNesting": 60, "html": False}, renderer_cls=_Renderer)
    parser.enable("table").use(front_matter_plugin)
    source = runbook.source.removeprefix("\ufeff")
    env: dict[str, Any] = {"steps": {step.line: step for step in runbook.steps}, "show": show}
    tokens = parser.parse(source, env)
    tokens = _without_title(tokens)
    _tidy(tokens, env["steps"], show)
    return Markup(parser.renderer.render(tokens, parser.options, env))  # noqa: S704  escaped above


def _without_title(tokens: list[Token]) -> list[Token]:
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            return tokens[:index] + tokens[index + 3 :] if token.tag == "h1" else tokens
    return tokens


def _tidy(tokens: Sequence[Token], steps: Mapping[int, Step], show: ShowStep) -> None:
    """Leave braces out, push headings below the page's own, mark tasks, and guard links."""
    for index, token in enumerate(tokens):
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, max(2, int(token.tag[1:])))}"
        if token.type != "inline":
            continue
        before = tokens[index - 1].type
        if before == "heading_open":
            _cut_braces(token)
        elif before == "paragraph_open" and tokens[index - 2].type == "list_item_open":
            _task(tokens, index, steps, show)
        for child in token.children or ():
            if child.type == "link_open":
                child.attrs["rel"] = "noreferrer"


def _cut_braces(token: Token) -> None:
    """Drop ``{.rollback of=x}`` from the end of a line of text, where it is plain text."""
    braces = split_trailing(token.content)[1]
    children = token.children or []
    if braces and children and children[-1].type == "text":
        children[-1].content = children[-1].content.removesuffix(braces.strip()).rstrip()


def _task(tokens: Sequence[Token], index: int, steps: Mapping[int, Step], show: ShowStep) -> None:
    token = tokens[index]
    if token.content[:4].lower() not in {"[ ] ", "[x] "} or not token.children:
        return
    _cut_braces(token)
    tokens[index - 2].attrs["class"] = "task"
    first = token.children[0]
    first.content = first.content[4:]
    step = steps.get(token.map[0] + 1) if token.map else None
    if step is not None:
        mark = Token("html_inline", "", 0)
        mark.content = str(show(step, Markup("")))
        token.children.insert(0, mark)
