"""What a new revision changes against another: pure comparison of two books.

A change is a sentence with its values apart (``template`` and ``values``), so that the web page can
say it in the reader's language; ``str(change)`` is the English one. A calculator is a function from
a pair of books to changes, one file per concern: a new one is a file here and a name in
``CALCULATORS``. What no calculator speaks of is told key by key (`elements`), so that nothing that
differs is missing. Not here: reading what goes on (whoever asks brings it), and deciding who must
approve (``opsbook.revisions`` does, from ``Plan.loosens``).
"""

from opsbook.revisions.plan.comparing import CALCULATORS, compare
from opsbook.revisions.plan.model import Change, Kind, Plan, as_data, change_of
from opsbook.revisions.plan.underway import (
    OpenIncident,
    RunInFlight,
    Running,
    fingerprint,
    remaining,
    running_as_data,
    running_of,
)

__all__ = [
    "CALCULATORS",
    "Change",
    "Kind",
    "OpenIncident",
    "Plan",
    "RunInFlight",
    "Running",
    "as_data",
    "change_of",
    "compare",
    "fingerprint",
    "remaining",
    "running_as_data",
    "running_of",
]
