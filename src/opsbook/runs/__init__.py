"""Runs: the durable engine that carries out runbooks, and the journal that people look at.

Belongs here: starting a run, deciding its next move (`model`), writing it down before and after
(`journal`, `outcomes`), executing steps under the supervisor and finding them again (`drive`),
waiting as rows (`engine`), the kinds of steps (`kinds`, one module and one line each), and what
people do with a run under way (`answers`). The journal *is* the record: `store` has the queries.

Does not belong here: what starts a run (alerts, routines, people), who may approve (`access`), what
checks see (`checks`), and any step that knows a domain: domains register theirs from above.
"""

from opsbook.runs.answers import cancel, confirm, decide
from opsbook.runs.engine import Engine
from opsbook.runs.errors import (
    CannotRun,
    NoSuchRun,
    NotWaiting,
    Over,
    UnknownRunbook,
    WrongParameters,
)
from opsbook.runs.kinds import STEP_KINDS
from opsbook.runs.starting import start
from opsbook.runs.telling import Telling

__all__ = [
    "STEP_KINDS",
    "CannotRun",
    "Engine",
    "NoSuchRun",
    "NotWaiting",
    "Over",
    "Telling",
    "UnknownRunbook",
    "WrongParameters",
    "cancel",
    "confirm",
    "decide",
    "start",
]
