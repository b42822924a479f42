"""``/api/v1``: what scripts, the command line and followers ask, and the problems they get.

What belongs here: who calls (a bearer token, or for reading the page's session), the shapes of the
answers, live streams. What does not: any decision. A request becomes a call of the package whose
noun it names, and that package refuses; nothing here is allowed that the pages would not allow.
"""

from opsbook.web.api.idempotency import KEPT as KEEP_ANSWERS
from opsbook.web.api.router import router
from opsbook.web.api.store import forget_answers
from opsbook.web.api.wired import Wired

__all__ = ["KEEP_ANSWERS", "Wired", "forget_answers", "router"]
