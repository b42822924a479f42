"""The parser's own complaints about YAML, told so that the reader knows where to look."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import yaml

from opsbook.book.problems import Problem

LINE_END: Final = re.compile(r"\r\n|\r|\n")


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
    problem = str(error.problem or error.context or "this is no YAML")
    if "\t" in here[: len(here) - len(here.lstrip())]:
        column = here.index("\t")
        message, remedy = "a tab is used for indentation", "indent with spaces"
    elif "mapping values are not allowed" in problem:
        message = "a colon stands where no key can be"
        remedy = "put the text in quotes, or check the indentation of this line and the one above"
    elif "could not find expected ':'" in problem:
        message, remedy = "a colon is missing after a key", "write key: value"
    elif "did not find expected key" in problem or "expected <block end>" in problem:
        message, remedy = "the indentation does not fit the lines above", "align it with them"
    elif "while scanning a quoted scalar" in str(error.context):
        message, remedy = "a quoted text is not closed", "close the quote"
    elif "cannot start any token" in problem:
        message, remedy = "this character cannot start a value", "put the text in quotes"
    else:
        message = f"this is no YAML: {', '.join(_reasons(error))}"
        remedy = "check the quotes, brackets and indentation here"
    return Problem(file, line + first_line, column + 1, message, remedy)


def _reasons(error: yaml.MarkedYAMLError) -> Iterator[str]:
    for reason in (error.context, error.problem):
        if reason:
            yield str(reason)
