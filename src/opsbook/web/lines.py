"""Texts as lines: what a browser gives back unchanged, differences, and two edits of one file."""

from __future__ import annotations

import difflib
from typing import Final, NamedTuple

from opsbook.web.i18n import N_

LARGEST: Final = 96 * 1024
"""Bytes of a file that a form can carry, with room for its other fields."""
MOST_LINES: Final = 400
CONTEXT: Final = 3


class Edit(NamedTuple):
    """Lines of a file from ``start`` up to ``end`` that were replaced by others."""

    start: int
    end: int
    lines: list[str]


def why_not(text: str) -> str:
    """Say why a browser would not give a file back as it was; empty where it would."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return N_("It is not UTF-8.")
    if size > LARGEST:
        return N_("It is larger than a form can carry.")
    if text.replace("\r\n", "\n").count("\r") or text.count("\r\n") not in {0, text.count("\n")}:
        return N_("Its line ends are mixed, and a browser would change them.")
    return ""


def as_sent(before: str | None, sent: str) -> str:
    """Return what somebody typed with the line ends that the file had."""
    plain = sent.replace("\r\n", "\n")
    return plain.replace("\n", "\r\n") if before is not None and "\r\n" in before else plain


def difference(before: str | None, after: str | None) -> list[str]:
    """Return the lines that differ, with some around them, marked as ``diff -u`` does."""
    old, new = (before or "").splitlines(), (after or "").splitlines()
    made = difflib.unified_diff(old, new, lineterm="", n=CONTEXT)
    shown = [
        line.encode("utf-8", "replace").decode()
        for number, line in enumerate(made)
        if number > 1  # the two lines that name the files
    ]
    return shown if len(shown) <= MOST_LINES else [*shown[:MOST_LINES], "…"]


def merged(base: str | None, mine: str | None, theirs: str | None) -> str | None:
    """Return a text with both people's changes, or None where they touch the same lines."""
    if base is None or mine is None or theirs is None:
        return None
    lines = base.splitlines(keepends=True)
    ours, others = _edits(lines, mine), _edits(lines, theirs)
    if any(_touch(one, other) and one != other for one in ours for other in others):
        return None
    every = [*ours, *(one for one in others if one not in ours)]
    for edit in sorted(every, key=lambda one: one.start, reverse=True):
        lines[edit.start : edit.end] = edit.lines
    return "".join(lines)


def _edits(base: list[str], text: str) -> list[Edit]:
    changed = text.splitlines(keepends=True)
    codes = difflib.SequenceMatcher(None, base, changed, autojunk=False).get_opcodes()
    return [Edit(a, b, changed[c:d]) for kind, a, b, c, d in codes if kind != "equal"]


def _touch(one: Edit, other: Edit) -> bool:
    """Neighbouring lines count: people who change both mean one thing by them."""
    return one.start <= other.end and other.start <= one.end
