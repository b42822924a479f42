"""A runbook's page laid out: front matter as YAML, no blanks at line ends, one form of attributes.

The body of a fence, an indented code block and raw HTML are never touched: what runs is what was
written. Two blanks that break a line stay; more of them become two. Attributes of fences become
``{#id .class key=value}``; Runme's JSON becomes that too where nothing is lost by it.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.front_matter import front_matter_plugin

from opsbook.book import attributes, yamlpos
from opsbook.book.attributes import AttributeFault, Attributes
from opsbook.book.problems import Problem

_FENCE = re.compile(r"^(?P<before>.*?)(?P<markup>`{3,}|~{3,})(?P<info>[^`]*|.*)$")
_INFO = re.compile(r"(?P<language>[^\s{]*)\s*(?P<braces>\{.*\})")
_BARE = re.compile(r"""[^\s{}"']+""")
_KEY = re.compile(r"""[^\s{}"'=.#][^\s{}"'=]*""")

LayOut = Callable[[str, str, int], "str | tuple[Problem, ...]"]


def formed(text: str, file: str, yaml: LayOut) -> str | tuple[Problem, ...]:
    """The page in its one form, or why it stays; `yaml` lays out the front matter."""
    if fault := yamlpos.unreadable(text, file):
        return (fault,)
    try:
        tokens = _parser().parse(text)
    except RecursionError:
        return (Problem(file, 1, 1, "this page is nested too deeply", "flatten it"),)
    lines = text.split("\n")
    if problems := _faults(tokens, lines, file):
        return problems
    front = next((token for token in tokens if token.type == "front_matter"), None)
    start, about = 0, ""
    if front is not None and front.map:
        start = front.map[1]
        laid = yaml(front.content, file, 2)
        if isinstance(laid, tuple):
            return laid
        about = f"---\n{laid}---\n"
    elif lines[0].rstrip() == "---":
        told = "the front matter is not closed"
        return (Problem(file, 1, 1, told, "write --- on a line below it"),)
    body = _body(tokens, lines)[start:]
    while body and not body[-1].strip(" \t"):
        body.pop()
    after = about + "".join(f"{line}\n" for line in body)
    if _read(text) != _read(after):
        told = "this page is left as it is, since laying it out would change what it shows"
        return (Problem(file, 1, 1, told, "remove blanks at the ends of lines by hand"),)
    return after


@functools.cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"maxNesting": 60}).enable("table").use(front_matter_plugin)


def _faults(tokens: Sequence[Token], lines: Sequence[str], file: str) -> tuple[Problem, ...]:
    """Fences without an end: nobody can tell where their script was meant to stop."""
    told = "this code fence is not closed"
    return tuple(
        Problem(file, token.map[0] + 1, 1, told, f"write {token.markup} alone on a line after it")
        for token in tokens
        if token.type == "fence" and token.map and not _is_closed(token, lines)
    )


def _is_closed(token: Token, lines: Sequence[str]) -> bool:
    first, end = token.map or [0, 0]
    last = lines[end - 1].lstrip(" \t>").rstrip() if first < end - 1 else ""
    return last.startswith(token.markup) and not last.strip(token.markup[0])


def _body(tokens: Sequence[Token], lines: Sequence[str]) -> list[str]:
    """The lines of the page with blanks at their ends taken off where they mean nothing."""
    untouched: set[int] = set()
    inside: set[int] = set()
    out = list(lines)
    for token in tokens:
        if token.map is None:
            continue
        first, end = token.map
        if token.type == "fence":
            untouched.update(range(first + 1, end - 1))
            out[first] = _opened(out[first], token)
        elif token.type in {"code_block", "html_block"}:
            untouched.update(range(first, end))
        elif token.type == "inline":
            inside.update(range(first, end - 1))
    return [
        line if n in untouched else _trimmed(line, breaks=n in inside) for n, line in enumerate(out)
    ]


def _trimmed(line: str, *, breaks: bool) -> str:
    bare = line.rstrip(" \t")
    if bare.endswith("\\"):
        return line
    return f"{bare}  " if breaks and bare and line.endswith("  ") else bare


def _opened(line: str, token: Token) -> str:
    """A fence's first line with its attributes in the one form."""
    fence = _FENCE.match(line)
    if fence is None or fence["info"].strip() != token.info.strip():
        return line
    info = fence["info"].strip()
    if (matched := _INFO.fullmatch(info)) and (written := _attributes(matched["braces"])):
        info = f"{matched['language']} {written}".strip()
    return f"{fence['before']}{fence['markup']}{info}"


def _attributes(braces: str) -> str:
    """Attributes as ``{#id .class key=value}``; empty where they cannot be written so."""
    try:
        has = attributes.parse(braces)
        if braces.lstrip("{ \t").startswith('"') and not _plain_json(braces):
            return ""
        written = _written(has, braces)
        return written if attributes.parse(written) == has else ""
    except AttributeFault:
        return ""


def _plain_json(braces: str) -> bool:
    """Whether JSON holds nothing but texts: a number or a list would come back as a text."""
    pairs = json.loads(braces)
    return all(isinstance(value, str) and _KEY.fullmatch(key) for key, value in pairs.items())


def _written(has: Attributes, braces: str) -> str:
    parts = [f"#{has.id}"] if has.id else []
    parts += [f".{name}" for name in has.classes]
    for key, value in has.values.items():
        alone = value == "true" and not re.search(rf'(?:^|[\s{{]){re.escape(key)}["=]', braces)
        parts.append(key if alone else f"{key}={_value(value)}")
    return f"{{{' '.join(parts)}}}"


def _value(value: str) -> str:
    if _BARE.fullmatch(value):
        return value
    if "\\" in value and "'" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _read(text: str) -> list[object]:
    """What a page shows, for comparison: every token, but front matter and attributes' form."""
    shown: list[object] = []
    for token in _parser().parse(text):
        if token.type == "front_matter":
            continue
        info: object = token.info
        if token.type == "fence" and (matched := _INFO.fullmatch(token.info.strip())):
            try:
                info = (matched["language"], attributes.parse(matched["braces"]))
            except AttributeFault:
                info = token.info.strip()
        elif token.type == "fence":
            info = token.info.strip()
        children = [(c.type, c.content, c.attrs) for c in token.children or ()]
        content = "" if token.type == "inline" else token.content
        shown.append((token.type, token.tag, content, info, token.attrs, children))
    return shown
