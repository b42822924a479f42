"""When it is an alert, when it is over, and who is told of it.

What belongs here: rules over observations with their holds (a pure decision in ``model``) and the
loop that follows the observations in order; alerts from outside (``intake``); silences; and the
``pipeline`` that groups, inhibits, silences, routes and tells. What does not: looking (``checks``),
sending (``notify``), and what people do about it: incidents read the events ``group.firing`` and
``group.resolved``, which are written in the transaction that remembers that they were told.
"""

from opsbook.alerts.model import fingerprint
from opsbook.alerts.pipeline.loop import Dispatcher
from opsbook.alerts.rules import Rules

__all__ = ["Dispatcher", "Rules", "fingerprint"]
