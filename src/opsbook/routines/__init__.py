"""Calendar entries that start runbooks.

Belongs here: when each routine is due, and starting its run exactly once for each time it is due.
Does not belong here: what a time means (``calendar``) and what is done (``runs``).
"""

from opsbook.routines.loop import Routines

__all__ = ["Routines"]
