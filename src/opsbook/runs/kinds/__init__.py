"""The kinds of steps, one module each and one line each here."""

from __future__ import annotations

from collections.abc import Mapping

from opsbook.runs.kinds.approval import Approval
from opsbook.runs.kinds.bash import Bash
from opsbook.runs.kinds.check import Check
from opsbook.runs.kinds.kind import StepKind
from opsbook.runs.kinds.manual import Manual

STEP_KINDS: Mapping[str, StepKind] = {
    "approval": Approval(),
    "bash": Bash(),
    "check": Check(),
    "manual": Manual(),
}
