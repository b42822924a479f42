"""What of the book's step language the engine acts on, and refusing the rest before a run starts.

The book reads and checks more than is carried out yet. A run that left an attribute out would do
something else than the page says (a script tried once although it says ``retry=3``, a change made
although ``when=`` does not hold), so it is not begun at all. Values that ask for what happens in
any case (``need=1``, ``on-fail=rollback``) are fine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from opsbook.book import Runbook, Step
from opsbook.runs.kinds import STEP_KINDS

UNSUPPORTED: Final[Mapping[str, Callable[[Step], bool]]] = {
    "by": lambda step: len(step.roles) > 1,
    "need": lambda step: step.need > 1,
    "when": lambda step: step.when is not None,
    "retry": lambda step: step.retry > 0,
    "json": lambda step: step.json is not None,
    "on-fail": lambda step: step.on_fail != "rollback",
    "on-cancel": lambda step: step.on_cancel != "rollback",
    "each": lambda step: step.each is not None,
    "expect": lambda step: step.expect is not None,
    "reject": lambda step: step.reject is not None,
    "assert": lambda step: bool(step.asserts),
    "phase": lambda step: step.day is not None,
    "on": lambda step: step.on is not None,
    "within": lambda step: step.within is not None and step.kind == "bash",
}
"""By attribute, whether a step asks for what the engine does not do. A line goes when it does."""


def unsupported(step: Step) -> tuple[str, ...]:
    """What the engine would have to leave out of this step: its kind, or attributes."""
    if step.kind not in STEP_KINDS:
        return (f"kind {step.kind}",)
    return tuple(f"{name}=" for name, asks in UNSUPPORTED.items() if asks(step))


def obstacles(runbook: Runbook) -> list[str]:
    """Why this runbook cannot be started, one sentence for each reason; empty if it can."""
    found = [
        f"step {step.key} (line {step.line}): {', '.join(lacking)}"
        for step in runbook.steps
        if (lacking := unsupported(step))
    ]
    return found + [
        f"parameter {name} is secret, and there is no sealed place to keep its value in"
        for name, param in runbook.params.items()
        if param.secret
    ]
