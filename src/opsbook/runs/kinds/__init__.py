"""The kinds of steps, one module each and one line each here."""

from __future__ import annotations

from collections.abc import Mapping

from opsbook.runs.kinds.approval import Approval
from opsbook.runs.kinds.check import Check
from opsbook.runs.kinds.http import Http
from opsbook.runs.kinds.kind import StepKind
from opsbook.runs.kinds.manual import Manual
from opsbook.runs.kinds.notify import Notify
from opsbook.runs.kinds.promql import Promql
from opsbook.runs.kinds.run import Run
from opsbook.runs.kinds.script import Script
from opsbook.runs.kinds.sql import Sql
from opsbook.runs.kinds.wait import Wait

STEP_KINDS: Mapping[str, StepKind] = {
    "approval": Approval(),
    "bash": Script("bash"),
    "check": Check(),
    "http": Http(),
    "manual": Manual(),
    "notify": Notify(),
    "promql": Promql(),
    "python": Script("python"),
    "run": Run(),
    "sh": Script("sh"),
    "sql": Sql(),
    "wait": Wait(),
}
