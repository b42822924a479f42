"""What people respond to: opened by an alert, paged, escalated, answered, resolved.

Belongs here: the incident's states and clocks, who is called and when, and the link from an alert
to its first-response runbook. Does not belong here: deciding that something is wrong (``alerts``),
sending (``notify``) and executing (``runs``). The timeline is not a table of its own: it is the
audit entries of the thread ``incident:N``.
"""

from opsbook.incidents.answer import acknowledge, note, resolve
from opsbook.incidents.escalate import Escalator
from opsbook.incidents.response import Response

__all__ = ["Escalator", "Response", "acknowledge", "note", "resolve"]
