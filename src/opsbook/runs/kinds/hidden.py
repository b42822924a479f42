"""Which of a run's variables are secret: what every text that people read leaves out."""

from __future__ import annotations

from opsbook.book import Runbook
from opsbook.runs.kinds.kind import Place


def names(runbook: Runbook) -> frozenset[str]:
    """Parameters that the book marks as secret, and values that steps save as such."""
    given = {name for name, param in runbook.params.items() if param.secret}
    saved = {step.save for step in runbook.steps if step.save and getattr(step, "secret", False)}
    return frozenset(given | saved)


def of(place: Place) -> frozenset[str]:
    """The secret variables of a step's run."""
    return names(place.book.runbooks[place.run["runbook"]]) | frozenset(place.secrets)
