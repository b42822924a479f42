"""Hiding secrets in text that arrives in pieces.

A secret may begin in one piece and end in the next, so whatever could still become one is held back
until it is decided: at most as much as the longest form of the longest secret, and nothing at all
while no end of the text looks like the beginning of one. Where two secrets begin alike, the longer
wins, as in `base.secrets.mask`.
"""

from __future__ import annotations

from collections.abc import Iterable

from opsbook.base.secrets import sought


class Masker:
    """A stream of text with every form of some secrets hidden.

    `held` is what is not decided yet, `longest` the length of the longest form in bytes.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._sought = sought(frozenset(values))
        self.longest = self._sought.longest
        self.held = ""

    def feed(self, text: str) -> str:
        """Take a piece; return what may be shown."""
        if not self._sought:
            return text
        text = self.held + text
        shown, end = self._sought.hide_until(text, self._sought.undecided(text))
        self.held = text[end:]
        return shown

    def close(self) -> str:
        """Return the rest: nothing comes after it, so what is no secret by now is none."""
        text, self.held = self.held, ""
        return self._sought.hide(text)
