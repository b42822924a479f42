"""Webhooks: programs elsewhere that are told of events, by signed requests.

Belongs here: a delivery as a row before it is a request, sending it until it is taken or given up,
the signature, and where a request may lead at all. One event makes one delivery to one hook,
however often it is handled; it is sent at least once.

Does not belong here: which events there are and what is said of them (`runs.hooks` for runs), and
telling people (the pages and channels beside this).
"""

from opsbook.notify.webhooks.loop import Deliveries, record
from opsbook.notify.webhooks.model import ALERTS, TEST, envelope, hook_secrets, identity, signature
from opsbook.notify.webhooks.store import prune, queue

__all__ = [
    "ALERTS",
    "TEST",
    "Deliveries",
    "envelope",
    "hook_secrets",
    "identity",
    "prune",
    "queue",
    "record",
    "signature",
]
