"""Who is on duty, and who is called next: pure answers from a book and a moment.

Belongs here: teams, rotations, escalation ladders, as calculators that take ``now``; and what
people agreed about duty on the page (`tables`, `store`). Does not belong here: sending anything
(``notify``), who may do what (``access``), and when a ladder is climbed (``incidents`` owns that
clock).
"""

from opsbook.people.duty import Duty, Shift
from opsbook.people.ladder import Rung, next_rung
from opsbook.people.store import duty

__all__ = ["Duty", "Rung", "Shift", "duty", "next_rung"]
