"""What ties the sections together: every reference names something that is there and can answer.

That a named thing exists is checked for all sections at once, along the types of their fields
(`opsbook.book.refs`, `opsbook.book.walk`). What else must be true is one function each, from the
whole book to its problems. They see whatever was readable, with `Known` holding also the ids of
elements that were not: a check with a wrong interval is reported once, as that, and not again by
everything that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from opsbook.book.problems import Problem, suggestion
from opsbook.book.refs import Refers
from opsbook.book.validate import (
    alerts,
    bands,
    calendar,
    drills,
    intakes,
    people,
    promql,
    routing,
    runbooks,
    starting,
    targets,
    webhooks,
)
from opsbook.book.validate.whole import Known, Whole

__all__ = ["Known", "Whole", "references"]


def references(whole: Whole) -> list[Problem]:
    """Every problem between the sections."""
    return [problem for rule in RULES for problem in rule(whole)]


def _named(whole: Whole) -> Iterator[Problem]:
    """Whatever is named is there, also by an element that has another mistake.

    Looking for what was meant costs with the number of names, so it is done for the first of them:
    who has written more wrong ones has renamed something, and knows.
    """
    guesses = MOST_GUESSES
    for found in (*whole.marked, *whole.left_out_names):
        mark = found.mark
        if not isinstance(mark, Refers) or whole.known.has(found.value, *mark.sections):
            continue
        sections = _and(mark.sections)
        if guesses > 0:
            guesses -= 1
            remedy = suggestion(found.value, whole.known.of(*mark.sections), what=f"in {sections}")
        else:
            remedy = f"write one that is in {sections}"
        yield whole.problem(found.path, f"there is no {mark.what} {found.value!r}", remedy)


MOST_GUESSES: Final = 100


def _and(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


RULES: tuple[Callable[[Whole], Iterator[Problem]], ...] = (
    _named,
    people.people,
    people.names,
    people.teams,
    people.rotations,
    people.escalation,
    people.approvals,
    webhooks.webhooks,
    alerts.checks,
    alerts.rules,
    promql.expressions,
    routing.routes,
    routing.inhibitions,
    routing.listeners,
    routing.times,
    intakes.intakes,
    intakes.heartbeats,
    starting.starts,
    runbooks.owners,
    runbooks.steps,
    targets.targets,
    targets.steps,
    targets.checks,
    drills.drills,
    bands.capacity,
    calendar.schedules,
    calendar.windows,
    calendar.phases,
    calendar.severities,
    calendar.backups,
    calendar.services,
    calendar.data_rules,
    calendar.stand_ins,
)
"""One line for each; a section that needs more than names brings its rule here."""
