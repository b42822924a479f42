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
PATTERN: Final = frozenset({"=~", "!~"})


def uses(text: str) -> Uses:
    """The variables of an expression. Raises ValueError where one stands where none may."""
    return Uses(frozenset(_read(text, {})[1]))


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
