"""Hiding secrets in text that arrives in pieces.

A secret may begin in one piece and end in the next, so whatever could still become one is held back
until it is decided: at most as much as the longest form of the longest secret, and nothing at all
while no end of the text looks like the beginning of one. Where two secrets begin alike, the longer
wins, as in `base.secrets.mask`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from opsbook.base.secrets import HIDDEN, SHORTEST, forms


class Masker:
    """A stream of text with every form of some secrets hidden.

    `held` is what is not decided yet, `longest` the length of the longest form.
    """

    def __init__(self, values: Iterable[str]) -> None:
        found = {form for value in values if len(value) >= SHORTEST for form in forms(value)}
        self._forms = sorted(found, key=len, reverse=True)
        self.longest = len(self._forms[0]) if self._forms else 0
        self._pattern = re.compile("|".join(map(re.escape, self._forms)))
        self.held = ""

    def feed(self, text: str) -> str:
        """Take a piece; return what may be shown."""
        if not self._forms:
            return text
        text = self.held + text
        shown, end = self._replaced(text, self._undecided(text))
        self.held = text[end:]
        return shown

    def close(self) -> str:
        """Return the rest: nothing comes after it, so what is no secret by now is none."""
        text, self.held = self.held, ""
        return self._replaced(text, len(text))[0] if self._forms else text

    def _undecided(self, text: str) -> int:
        """Where the first thing begins that more text could turn into a secret."""
        for at in range(max(0, len(text) - self.longest + 1), len(text)):
            left = len(text) - at
            if any(len(form) > left and form.startswith(text[at:]) for form in self._forms):
                return at
        return len(text)

    def _replaced(self, text: str, until: int) -> tuple[str, int]:
        """The text up to `until` with secrets hidden, and where it ends: one may reach further."""
        parts: list[str] = []
        at = 0
        for found in self._pattern.finditer(text):
            if found.start() >= until:
                break
            parts += [text[at : found.start()], HIDDEN]
            at = found.end()
        end = max(at, until)
        return "".join([*parts, text[at:end]]), end
