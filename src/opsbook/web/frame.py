"""What waits for the visitor, counted for the navigation of every page."""

from __future__ import annotations

from opsbook import notify
from opsbook.base.database import Transaction
from opsbook.web import store, waiting
from opsbook.web.visit import Visit


def counts(tx: Transaction, visit: Visit) -> dict[str, int]:
    """Return the numbers beside the navigation: unanswered incidents, unread pages, my waits."""
    books = [book.id for book in visit.books("incidents:read")]
    mine = waiting.for_me(tx, visit)
    return {
        "incidents": store.incident_counts(tx, books).get("open", 0),
        "inbox": notify.unread(tx, visit.persons),
        "runs": sum(1 for one in mine if one.run),
        "book": sum(1 for one in mine if not one.run),
    }
