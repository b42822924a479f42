"""HTTP/1.1 as far as a look needs it: ask once over a new connection, read a bounded answer.

What belongs here: writing a request, reading an answer however broken it is, and going on waiting
without holding anybody up. What does not: what the answer should have been (``kinds.http``), names
(``names``), redirects, and everything that serves many requests: no pool, no proxy, no cookies, no
decompression. Why it is our own is told in docs/why/0010-a-lean-look.md.

Whatever a server sends, the outcome is an `Answer`, a `NoAnswer` or an `OSError`.
"""

from opsbook.checks.lean.answer import Answer, NoAnswer, Reader
from opsbook.checks.lean.asking import ask
from opsbook.checks.lean.request import Request

__all__ = ["Answer", "NoAnswer", "Reader", "Request", "ask"]
