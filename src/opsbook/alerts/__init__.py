"""When what was seen becomes an alert, and when the alert is over.

What belongs here: rules over observations with their holds (a pure decision in ``model``), the loop
that follows the observations in order, the alert as a row from pending through firing to resolved.
What does not: looking (``checks``), and what people do about it: incidents read the events
``alert.fired`` and ``alert.resolved``, which are written in the alert's own transaction.
"""

from opsbook.alerts.model import fingerprint
from opsbook.alerts.rules import Rules

__all__ = ["Rules", "fingerprint"]
