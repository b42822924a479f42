"""Runs: the durable engine that carries out runbooks, and the journal that people look at.

Belongs here: starting a run, deciding its next move (`model`), writing it down before and after
(`journal`, `outcomes`), executing steps under the supervisor and finding them again (`drive`),
waiting as rows (`engine`), the kinds of steps (`kinds`, one module and one line each), and what
people do with a run under way (`answers`). The journal *is* the record: `store` has the queries.

Does not belong here: what starts a run (alerts, routines, people), who may approve (`access`), what
checks see (`checks`), and any step that knows a domain: domains register theirs from above.
"""

from opsbook.runs.answers import cancel, confirm, decide, vote
from opsbook.runs.attaching import attach, evidence, evidence_content
from opsbook.runs.engine import Engine
from opsbook.runs.errors import (
    CannotResume,
    CannotRun,
    NoSuchRun,
    NotWaiting,
    Over,
    UnknownRunbook,
    WrongParameters,
)
from opsbook.runs.kinds import STEP_KINDS
from opsbook.runs.reminding import Reminding
from opsbook.runs.resuming import rerun, resume
from opsbook.runs.starting import start
from opsbook.runs.steering import comment, take_over
from opsbook.runs.telling import Telling

__all__ = [
    "STEP_KINDS",
    "CannotResume",
    "CannotRun",
    "Engine",
    "NoSuchRun",
    "NotWaiting",
    "Over",
    "Reminding",
    "Telling",
    "UnknownRunbook",
    "WrongParameters",
    "attach",
    "cancel",
    "comment",
    "confirm",
    "decide",
    "evidence",
    "evidence_content",
    "rerun",
    "resume",
    "start",
    "take_over",
    "vote",
]
