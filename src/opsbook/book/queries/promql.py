"""``promql``: an expression, in which a variable may be the whole value of a label.

``up{instance="$instance"}`` and nothing else: PromQL knows no bound parameters, so a value becomes
a quoted string of its own, in the form that PromQL reads. After ``=~`` and ``!~`` it would be a
pattern, in which ``.*`` has a meaning; there a variable is refused. A ``$`` in other strings is
what it is (``label_replace(…, "$1", …)``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from opsbook.book.queries.names import Uses, names, whole

_TOKEN: Final = re.compile(
    r"""(?P<comment>\#[^\n]*)|(?P<op>=~|!~|!=|==|=)|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'"""
    r"""|`[^`]*`|(?P<open>["'`])|(?P<dollar>\$)|(?P<space>\s+)|(?P<other>[^\s"'`$=!#]+|[=!])"""
)
EXACT: Final = frozenset({"=", "!="})
CLOSES: Final[Mapping[str, str]] = {")": "(", "]": "[", "}": "{"}
OPENS: Final[Mapping[str, str]] = {opened: closed for closed, opened in CLOSES.items()}
PATTERN: Final = frozenset({"=~", "!~"})


def uses(text: str) -> Uses:
    """The variables of an expression. Raises ValueError where one stands where none may."""
    found = frozenset(_read(text, {})[1])
    complete(text)
    return Uses(found)


def complete(text: str) -> None:
    """Raise ValueError for an expression that says nothing, or whose brackets do not pair.

    That much is seen without knowing PromQL: the commonest slips of whoever pastes an expression.
    Whether the rest of it means something, only a Prometheus says (`promtool check rules`).
    """
    waiting: list[str] = []
    says = False
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "open":
            raise ValueError("a text in it has no end; close its quote")
        says = says or token.lastgroup not in {"comment", "space"}
        for letter in token[0] if token.lastgroup == "other" else "":
            if letter in OPENS:
                waiting.append(letter)
            elif letter in CLOSES:
                _close(waiting, letter)
    if waiting:
        opened = waiting[-1]
        raise ValueError(f"{opened!r} in it is not closed; close it with {OPENS[opened]!r}")
    if not says:
        raise ValueError("it is empty; write what is looked at, such as up == 0")


def _close(waiting: list[str], letter: str) -> None:
    opened = CLOSES[letter]
    if not waiting:
        raise ValueError(f"{letter!r} in it closes nothing; open it with {opened!r}, or remove it")
    if (last := waiting.pop()) != opened:
        raise ValueError(
            f"{letter!r} in it comes before {OPENS[last]!r}; close first what was opened last"
        )


def filled(text: str, variables: Mapping[str, str]) -> str:
    """The expression with the values of its variables as strings of their own."""
    return _read(text.strip(), variables)[0]


def _read(text: str, variables: Mapping[str, str]) -> tuple[str, list[str]]:
    done, found, before = [], [], ""
    for token in _TOKEN.finditer(text):
        word, kind = token[0], token.lastgroup
        if kind == "open":
            raise ValueError("a text in it has no end; close its quote")
        if kind == "dollar":
            raise ValueError(
                "a variable stands only as the whole value of a label; write "
                '{label="$name"}, or the value itself'
            )
        if kind is None and before in EXACT and (name := whole(word[1:-1])):
            found.append(name)
            word = json.dumps(variables.get(name, ""), ensure_ascii=False)
        elif kind is None and before in EXACT | PATTERN and names(word[1:-1]):
            raise ValueError(
                f"{word[:60]} has a variable in it; let it be the whole value of a label, compared "
                "with = or !="
            )
        done.append(word)
        if kind not in {"space", "comment"}:
            before = word
    return "".join(done), found
