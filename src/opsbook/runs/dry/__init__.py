"""The dry run: what a runbook would do with these parameters, before anything of it is done.

Belongs here: `plan`, which is pure and asks nothing of the world (no process, no network, no
write); what it finds is the whole of it, in the order in which it would happen, together with
everything that is known now to be missing or to fail, all at once.

What only the server knows (who holds the lock, which accounts there are, whether a secret is set)
comes in as `Around`, which `store.around` reads; nothing else here looks anything up.

Does not belong here: how a plan is drawn, which is the page's and the command line's. Its sentences
are `Note`, English with values by name, so that pages say them in the visitor's language.
"""

from opsbook.runs.dry.asking import Ask, Excluded
from opsbook.runs.dry.data import to_dict
from opsbook.runs.dry.model import (
    Account,
    Around,
    Fault,
    Note,
    Plan,
    PlannedStep,
    Used,
    Value,
)
from opsbook.runs.dry.planning import needed_secrets, plan
from opsbook.runs.dry.store import around

__all__ = [
    "Account",
    "Around",
    "Ask",
    "Excluded",
    "Fault",
    "Note",
    "Plan",
    "PlannedStep",
    "Used",
    "Value",
    "around",
    "needed_secrets",
    "plan",
    "to_dict",
]
