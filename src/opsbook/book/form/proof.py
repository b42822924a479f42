"""Whether two texts say the same: the proof that goes before every write.

The layout keeps words and comments by construction; this is for the day on which it does not.
"""

from __future__ import annotations

from typing import Any

from opsbook.book import yamlpos
from opsbook.book.form import layout


def difference(before: str, after: str, file: str) -> str:
    """What laying out a YAML text would have changed, as a sentence; empty if nothing."""
    was, now = yamlpos.read(before, file), yamlpos.read(after, file)
    if now.problems:
        return f"it could no longer be read ({now.problems[0].message})"
    if not same(was.data, now.data) or was.assumed != now.assumed:
        return "it would say something else"
    if layout.comments(before) != layout.comments(after):
        return "a comment would be lost or moved"
    return ""


def same(one: Any, two: Any) -> bool:
    """Whether two values are alike: the order of keys and the way a number is written too."""
    if type(one) is not type(two):
        return False
    if isinstance(one, dict):
        return list(one) == list(two) and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(two) and all(map(same, one, two))
    return str(one) == str(two)
