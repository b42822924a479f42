"""The parser's own complaints about YAML, told so that the reader knows where to look."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import yaml

from opsbook.book.problems import Problem

LINE_END: Final = re.compile(r"\r\n|\r|\n")
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def told(
    error: yaml.YAMLError,
    file: str,
    first_line: int,
    text: str,
    locate: Callable[[Any], tuple[int, int]],
) -> Problem:
    """A parser's complaint in a sentence, at the line where the reader should look.

    What is wrong with the end of a text is told of its last line that says something, since there
    is nothing to look at behind it.
    """
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem(file, first_line, 1, f"this is no YAML: {error}")
    mark = error.problem_mark or error.context_mark
    line, column = locate(mark) if mark is not None else (0, 0)
    lines = LINE_END.split(text)
    last = next((n for n in range(len(lines) - 1, 0, -1) if lines[n].strip()), 0)
    if line > last:
        line, column = last, len(lines[last].rstrip())
    here = lines[line]
    quote = _open_quote(error, text)
    unquoted = _unquoted(here, column)
    problem = str(error.problem or error.context or "this is no YAML")
    if "\t" in here[: len(here) - len(here.lstrip())]:
        column = here.index("\t")
        message, remedy = "a tab is used for indentation", "indent with spaces"
    elif quote is not None:
        line, column = locate(quote)
        message, remedy = "the quote opened here is not closed", "close it on its line"
    elif unquoted is not None:
        column, value, rest = unquoted
        quoted = f"'{value}'" if '"' in value else f'"{value}"'
        message = f"a value that begins with {value[0]} needs quotes"
        remedy = f"write {here[:column].lstrip()}{quoted}{rest}"
    elif "mapping values are not allowed" in problem:
        message = "a colon stands where no key can be"
        remedy = "put the text in quotes, or check the indentation of this line and the one above"
    elif "could not find expected ':'" in problem:
        message, remedy = "a colon is missing after a key", "write key: value"
    elif "did not find expected key" in problem or "expected <block end>" in problem:
        message, remedy = "the indentation does not fit the lines above", "align it with them"
    elif "cannot start any token" in problem:
        message, remedy = "this character cannot start a value", "put the text in quotes"
    else:
        message = f"this is no YAML: {', '.join(_reasons(error))}"
        remedy = "check the quotes, brackets and indentation here"
    return Problem(file, line + first_line, column + 1, message, remedy)


def _unquoted(line: str, column: int) -> tuple[int, str, str] | None:
    """A value that begins as a list or map and goes on as text, where the parser stumbled over it.

    Its column, the value, and what follows it in the line: within another list or map it ends at
    the next comma or bracket, otherwise at the end of the line or where a comment begins.
    """
    before, after = line[:column].rstrip(), line[column:].rstrip()
    if not before.endswith(("}", "]")) or not after or after[0] in ":,]}":
        return None
    open_at: list[int] = []
    start = 0
    for n, char in enumerate(before):
        if char in "{[":
            open_at.append(n)
        elif char in "}]":
            if not open_at:
                return None
            start = open_at.pop()
    end = re.search(r"[,\]}]|$" if open_at else r"\s+#|$", after)
    cut = end.start() if end is not None else len(after)
    return start, line[start:column] + after[:cut], after[cut:] if open_at else ""


def _open_quote(error: yaml.MarkedYAMLError, text: str) -> Any:
    """The mark of the quote that swallowed the lines up to where the parser stumbled, or None.

    A quote that is forgotten is closed by the next one, lines below, and what follows that one is
    where the parser complains. In a text that is right a quoted value ends its line.
    """
    unclosed = "while scanning a quoted scalar" in str(error.context)
    at = error.context_mark if unclosed else error.problem_mark
    if at is None:
        return None
    try:
        for token in yaml.scan(text, Loader=_LOADER):
            start, end = token.start_mark, token.end_mark
            if (
                isinstance(token, yaml.ScalarToken)
                and token.style in {"'", '"'}
                and start.line < end.line == at.line
                and end.column <= at.column
            ):
                return start
    except yaml.YAMLError:
        pass  # it is being told
    return at if unclosed else None


def _reasons(error: yaml.MarkedYAMLError) -> Iterator[str]:
    for reason in (error.context, error.problem):
        if reason:
            yield str(reason)
