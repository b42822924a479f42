"""Two runs side by side: what was the same, what was not, and by how much. Pure.

Steps are put beside each other by their keys, which outlive a change of the runbook; what only one
of the two has stands where it stood there. A repeated step's items stand under it by their numbers.

Outputs are compared by lines, and only their last ones: a comparison of two texts takes a time that
grows with the product of their lengths, and a page must not stand still over two runs that each
wrote a megabyte. Whoever compares does so on a thread.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

Row = Mapping[str, Any]
MOST_LINES: Final = 300
"""Lines at the end of each output that are compared."""
LONGEST_LINE: Final = 400
MOST_SHOWN: Final = 120
"""Lines of a difference that are shown."""
BUDGET: Final = 6_000
"""Lines of output that are compared for a whole page, both sides together."""
NOTABLE: Final = timedelta(seconds=5)
"""How much longer or shorter a step must have taken, besides by half, to be pointed out."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A named value of both runs; None where one has none of that name."""

    name: str
    a: str | None
    b: str | None

    @property
    def same(self) -> bool:
        """Whether both have the same."""
        return self.a == self.b


@dataclass(frozen=True, slots=True)
class Difference:
    """Lines as ``diff -u`` marks them. `bounded` is whether something was left out of it."""

    lines: tuple[str, ...] = ()
    bounded: bool = False


@dataclass(frozen=True, slots=True)
class Beside:
    """A step of both runs, or of one of them. `output` is empty where both wrote the same."""

    key: str
    title: str
    phase: str
    a: Row | None
    b: Row | None
    longer: timedelta | None
    output: Difference

    @property
    def same(self) -> bool:
        """Whether it went the same way in both: state, message, output."""
        if self.a is None or self.b is None:
            return False
        alike = all(self.a[name] == self.b[name] for name in ("state", "message"))
        return (
            alike and len(self.a["attempts"]) == len(self.b["attempts"]) and not self.output.lines
        )

    @property
    def notable(self) -> bool:
        """Whether it took so much more or less time that somebody should see it."""
        before, now = took(self.a), took(self.b)
        if before is None or now is None or self.longer is None:
            return False
        return abs(self.longer) >= NOTABLE and abs(self.longer) * 2 >= before


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything about two runs that a page puts side by side."""

    params: tuple[Pair, ...]
    saved: tuple[Pair, ...]
    steps: tuple[Beside, ...]
    longer: timedelta | None

    @property
    def first_difference(self) -> Beside | None:
        """The first step that went another way: where to look."""
        return next((one for one in self.steps if not one.same), None)


def compare(
    a: Row, b: Row, steps: tuple[Sequence[Row], Sequence[Row]],
    outputs: tuple[Mapping[int, str], Mapping[int, str]], hidden: frozenset[str] = frozenset(),
) -> Comparison:  # fmt: skip
    """Compare two runs, with their steps (as `store.steps`) and outputs by step id.

    `hidden` are the names of values that must not be seen.
    """
    left = BUDGET
    beside = []
    for one, other in _aligned(*steps):
        found = Difference()
        if one is not None and other is not None:
            texts = outputs[0].get(one["id"], ""), outputs[1].get(other["id"], "")
            if texts[0] != texts[1]:
                found, used = _difference(*texts, left)
                left -= used
        there = other if other is not None else one
        if there is None:
            continue
        beside.append(
            Beside(
                there["key"], there["title"], there["phase"], one, other,
                _longer(took(one), took(other)), found,
            )
        )  # fmt: skip
    return Comparison(
        params=_pairs(a["params"], b["params"], hidden),
        saved=_pairs(a["saved"], b["saved"], hidden),
        steps=tuple(beside),
        longer=_longer(took(a), took(b)),
    )


def took(row: Row | None) -> timedelta | None:
    """Return how long a run or a step took; None while it is not over, or where there is none."""
    if row is None or row["started_at"] is None or row["finished_at"] is None:
        return None
    found: timedelta = row["finished_at"] - row["started_at"]
    return found


def _longer(before: timedelta | None, now: timedelta | None) -> timedelta | None:
    return now - before if before is not None and now is not None else None


def _pairs(
    a: Mapping[str, str] | None, b: Mapping[str, str] | None, hidden: frozenset[str]
) -> tuple[Pair, ...]:
    one, other = a or {}, b or {}
    names = [name for name in dict.fromkeys([*one, *other]) if name not in hidden]
    return tuple(Pair(name, one.get(name), other.get(name)) for name in names)


def _aligned(a: Sequence[Row], b: Sequence[Row]) -> Iterator[tuple[Row | None, Row | None]]:
    """Put steps beside each other by their keys, in an order that keeps to both."""
    ours, others = [one["key"] for one in a], [one["key"] for one in b]
    by_key = {one["key"]: one for one in b}
    common = set(ours) & set(others)
    told: set[str] = set()
    matcher = difflib.SequenceMatcher(None, ours, others, autojunk=False)
    for _, a1, a2, b1, b2 in matcher.get_opcodes():
        for row in a[a1:a2]:
            if row["key"] not in told:
                told.add(row["key"])
                yield row, by_key.get(row["key"])
        for row in b[b1:b2]:
            if row["key"] not in common and row["key"] not in told:
                told.add(row["key"])
                yield None, row


def _difference(a: str, b: str, budget: int) -> tuple[Difference, int]:
    """The lines that differ, and how many were compared; bounded in both."""
    room = max(0, min(MOST_LINES, budget // 2))
    if not room:
        return Difference(("…",), bounded=True), 0
    one, other = a.splitlines(), b.splitlines()
    bounded = len(one) > room or len(other) > room
    ours = [line[:LONGEST_LINE] for line in one[-room:]]
    others = [line[:LONGEST_LINE] for line in other[-room:]]
    made = list(difflib.unified_diff(ours, others, lineterm="", n=2))[2:]
    shown = [line for line in made if not line.startswith("@@")]
    if not shown:  # the ends are the same, and what differs lies before them
        return Difference(("…",), bounded=True), len(ours) + len(others)
    bounded = bounded or len(shown) > MOST_SHOWN
    return Difference(tuple(shown[:MOST_SHOWN]), bounded), len(ours) + len(others)
