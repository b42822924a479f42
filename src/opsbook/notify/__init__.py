"""Telling people: the outbox, the channels, and the inbox in the web page.

Belongs here: a page as a row before it is a message, sending it until it is out or given up, every
attempt visible, and one folder or file per channel. Pages are sent at least once; where we cannot
know whether an attempt got through, the next one says "possibly repeated".

Does not belong here: whom to page and when (``people``, ``incidents``), and what a page says about
an incident. Channels know neither books nor causes: they are handed a message and a destination.
"""

from opsbook.notify.duty import DutyTelling
from opsbook.notify.loop import Outbox
from opsbook.notify.store import inbox, mark_all_read, mark_read, unread

__all__ = ["DutyTelling", "Outbox", "inbox", "mark_all_read", "mark_read", "unread"]
