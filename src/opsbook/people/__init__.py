"""Who is on duty, and who is called next: pure answers from a book and a moment.

Belongs here: teams, rotations, escalation ladders, as calculators that take ``now``. Does not
belong here: sending anything (``notify``), who may do what (``access``), and when a ladder is
climbed (``incidents`` owns that clock).
"""

from opsbook.people.duty import on_duty, reached
from opsbook.people.ladder import Rung, next_rung
from opsbook.people.turns import hand_over, on_turn

__all__ = ["Rung", "hand_over", "next_rung", "on_duty", "on_turn", "reached"]
