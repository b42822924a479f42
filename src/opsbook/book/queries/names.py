"""Variables in a text: ``$name`` or ``${name}``, where a text may have them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
VARIABLE: Final = re.compile(rf"\$(?:\{{({_NAME})\}}|({_NAME}))")


@dataclass(frozen=True, slots=True)
class Uses:
    """Which variables a text uses.

    `hosts` are those that say with whom to speak; `misplaced` are names that stand where nothing is
    filled in, and are a mistake only if there is such a variable (``$5`` and ``$HOME`` are words
    like others), with what to do.
    """

    names: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    misplaced: tuple[tuple[str, str], ...] = ()


def names(template: str) -> list[str]:
    """The variables in a template, in their order."""
    return [found[1] or found[2] for found in VARIABLE.finditer(template)]


def whole(template: str) -> str | None:
    """The one variable that a template consists of, or None if it is anything else."""
    found = VARIABLE.fullmatch(template)
    return (found[1] or found[2]) if found else None


def fill(
    template: str, value: Callable[[str], str], literal: Callable[[str], str] = lambda text: text
) -> str:
    """A template with `value(name)` in the place of each variable, and the rest as `literal`."""
    done, at = [], 0
    for found in VARIABLE.finditer(template):
        done += [literal(template[at : found.start()]), value(found[1] or found[2])]
        at = found.end()
    return "".join((*done, literal(template[at:])))
