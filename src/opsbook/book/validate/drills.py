"""Drills: what goes wrong is a fault of the book's world; whom they belong to is there."""

from __future__ import annotations

from collections.abc import Iterator

from opsbook.book.positions import Path
from opsbook.book.problems import Problem, suggestion
from opsbook.book.validate.whole import Whole


def drills(whole: Whole) -> Iterator[Problem]:
    """A drill breaks a stand-in in a way that the stand-in knows."""
    for id, drill in whole.drills.items():
        path: Path = ("drills", id)
        yield from whole.missing((*path, "course"), drill.course, "courses", "course")
        yield from whole.missing((*path, "world"), drill.world, "world", "stand-in")
        if drill.owner is not None and not whole.known.has(drill.owner, "people", "teams"):
            remedy = suggestion(drill.owner, whole.known.of("people", "teams"), what="there are")
            told = f"there is no person or team {drill.owner!r}"
            yield whole.problem((*path, "owner"), told, remedy)
        stand_in = whole.sections.world.get(drill.world)
        if stand_in is not None and drill.fault not in stand_in.faults:
            told = f"{drill.world} has no fault {drill.fault!r}"
            remedy = suggestion(drill.fault, stand_in.faults, what="its faults")
            yield whole.problem((*path, "fault"), told, remedy)
