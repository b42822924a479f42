"""All that is known of one run at one moment, read once: what its page, its steps and asks go by.

The steps come from the journal; sections, lines and what a step says of itself from the revision
that the run was started with, which is the one it runs. Who may what is decided by the running one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

from opsbook import runs
from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.book import Book, Runbook, Step
from opsbook.runs import confirmations, model
from opsbook.runs import items as repeated
from opsbook.runs import store as rows
from opsbook.web import runstore, sentences, store, waiting
from opsbook.web.visit import Visit

Row = Mapping[str, Any]
ALIVE: Final = frozenset({"queued", "running", "waiting"})
OVER: Final = frozenset({"succeeded", "failed", "skipped", "cancelled"})
TRIES: Final = 6
"""Of a step, the newest so many attempts are shown with their output."""
ITEMS: Final = 20
"""Items of a repeated step that are shown with their output."""
URGENT: Final = ("failed", "interrupted", "waiting", "running", "cancelled")
"""What is shown first of a list of items, in this order; the rest is to come or done."""


@dataclass(frozen=True)
class Scene:
    """One run as the visitor may see it. ``book`` is the running one, ``then`` the run's own."""

    visit: Visit
    book: Book
    row: Row
    then: Book | None
    names: sentences.Names
    steps: Sequence[Row]
    waits: Mapping[int, Row]
    votes: Mapping[int, list[dict[str, Any]]]
    done_by: Mapping[int, list[dict[str, Any]]]
    tails: Mapping[int, store.OutputEnd]
    fed: int
    evidence: Sequence[Row] = ()
    children: Mapping[int, Row] = field(default_factory=dict)
    parent: Row | None = None
    before: Row | None = None
    ahead: Row | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The zone of its book."""
        return ZoneInfo(self.book.timezone)

    @property
    def runbook(self) -> Runbook | None:
        """What it carries out, as it was then; None where that revision is not to be had."""
        return self.then.runbooks.get(self.row["runbook"]) if self.then is not None else None

    @property
    def alive(self) -> bool:
        """Whether it is not over."""
        return self.row["state"] in ALIVE

    @property
    def sees_book(self) -> bool:
        """Whether the visitor may read what is written in the book."""
        return self.visit.may("book:read", self.book)

    def known(self, step: Row) -> Step | None:
        """The step of the book that a row stands for, or is an item of."""
        found = self.runbook
        return found.step(repeated.step_of(step["key"])) if found is not None else None

    def items(self, step: Row) -> list[Row]:
        """The rows of a repeated step's items."""
        return [one for one in self.steps if one["part_of"] == step["id"]]

    def phase(self, name: str) -> list[Row]:
        """The steps of a phase in their order, without single items."""
        return [one for one in self.steps if one["phase"] == name and one["part_of"] is None]

    def undoing(self) -> list[Row]:
        """The rollback steps of all that has begun, in the order in which they would run now."""
        standing = [
            model.Standing(
                key=one["key"], title=one["title"], phase=one["phase"], effect=one["effect"],
                rollback_of=known.rollback_of if (known := self.known(one)) else None,
                waits_for=None, begun=one["started_at"] is not None,
                part_of=repeated.step_of(one["key"]) if one["part_of"] is not None else None,
            )
            for one in self.steps
        ]  # fmt: skip
        by_key = {one["key"]: one for one in self.steps}
        return [by_key[one.key] for one in model.rollback(standing)]

    def broken(self) -> Row | None:
        """The main step at which it ended: what failed, or what was cut off."""
        main = self.phase("main")
        for state in ("failed", "cancelled"):
            found = next((one for one in main if one["state"] == state and not self._went_on(one)),
                         None)  # fmt: skip
            if found is not None:
                return found
        return None

    def _went_on(self, step: Row) -> bool:
        known = self.known(step)
        return known is not None and known.on_fail == "continue" and step["kind"] != "approval"


def read(
    tx: Transaction, visit: Visit, book: Book, row: Row, names: sentences.Names
) -> Scene:  # fmt: skip
    """Read everything about a run that pages show; a handful of statements however long it is."""
    run_id = row["id"]
    steps = rows.steps(tx, run_id)
    found = store.waits_of(tx, run_id)
    votes = store.votes(tx, [one["approval_id"] for one in found if one["approval_id"]])
    waits = {one["step_id"]: one for one in waiting.answered(tx, visit, [book], found, votes)}
    manual = [one["id"] for one in steps if one["kind"] == "manual"]
    return Scene(
        visit, book, row, _revision(tx, visit, row), names, steps, waits, votes,
        done_by=confirmations.of_steps(tx, manual),
        tails=store.output_tails(tx, _shown(steps)),
        fed=store.last_output(tx, run_id),
        evidence=runs.evidence(tx, run_id) if manual else (),
        children=store.children(tx, run_id) if _starts_runs(steps) else {},
        parent=rows.get(tx, row["parent_id"]) if row["parent_id"] is not None else None,
        before=runstore.before_that(tx, row),
        ahead=rows.ahead_in_line(tx, row) if row["state"] == "queued" else None,
    )  # fmt: skip


def in_sight(steps: Iterable[Row]) -> list[Row]:
    """Return the items of a repeated step that are shown at length: those to look at first."""
    rank = {state: place for place, state in enumerate(URGENT)}
    looked_at = [one for one in steps if one["state"] in rank]
    return sorted(looked_at, key=lambda one: (rank[one["state"]], one["item"]))[:ITEMS]


def _shown(steps: Sequence[Row]) -> list[int]:
    """The attempts whose output a page shows."""
    whole = [one for one in steps if one["part_of"] is None]
    groups: dict[int, list[Row]] = {}
    for one in steps:
        if one["part_of"] is not None:
            groups.setdefault(one["part_of"], []).append(one)
    whole += [one for group in groups.values() for one in in_sight(group)]
    return [tried["id"] for one in whole for tried in one["attempts"][-TRIES:]]


def _starts_runs(steps: Iterable[Row]) -> bool:
    return any(one["kind"] == "run" for one in steps)


def _revision(tx: Transaction, visit: Visit, row: Row) -> Book | None:
    try:
        return visit.kept.app.library.at(tx, row["revision"])
    except NotFound:
        return None
