"""One look at the world on an interval, and what was seen.

What belongs here: the kinds of checks (one module each in ``kinds``), judging a reading against
the book's bands (alone or as a statistic of several), the scheduler that looks at every check when
it is due, the observations, what older ones come to and how long both are kept, whether a check
flaps or is behind another that failed. What does not: when an observation becomes an alert
(``alerts``), who hears of it, and any decision about the target itself; a check looks and changes
nothing.

Missing data is a state of its own. A look that failed on our side, or that got no answer in time,
is ``nodata``: never green, and never proof that the target is down either. ``critical`` without a
value means that the target answered, and the answer was wrong.
"""

from opsbook.checks.kind import Context, Facts, Kind
from opsbook.checks.kinds import KINDS
from opsbook.checks.model import CannotLook, Observation, Reading
from opsbook.checks.scheduler import Scheduler

__all__ = [
    "KINDS",
    "CannotLook",
    "Context",
    "Facts",
    "Kind",
    "Observation",
    "Reading",
    "Scheduler",
]
