"""The text of a ``notify`` step: what a person reads, with values put in where it names them.

``$name`` and ``${name}`` stand for parameters and saved values; ``$$`` is a dollar sign. What comes
of it is read by people, and run by nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
_PLACE: Final = re.compile(rf"\$(?:(?P<dollar>\$)|\{{(?P<braced>{_NAME})\}}|(?P<plain>{_NAME}))")


def variables(text: str) -> Iterator[str]:
    """The names that a message has values for put in, in order, repeated as they are."""
    for found in _PLACE.finditer(text):
        if not found["dollar"]:
            yield found["braced"] or found["plain"]


def filled(text: str, value: Callable[[str], str]) -> str:
    """The message with each name replaced by its value, in one pass: a value's own $ stays one."""
    return _PLACE.sub(
        lambda found: "$" if found["dollar"] else value(found["braced"] or found["plain"]), text
    )
