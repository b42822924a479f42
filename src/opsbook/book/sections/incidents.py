"""``severities``: how bad it is, and by when somebody must have said "I am on it"."""

from __future__ import annotations

from opsbook.book.fields import Duration, Id, Named
from opsbook.book.texts import Text


class Severity(Named):
    """One line of the severity table. The order in the book is the order of weight, worst first.

    Without an `escalation` an incident of this severity is recorded and shown, and pages nobody.
    """

    title: Text
    description: Text | None = None
    acknowledge_within: Duration | None = None
    resolve_within: Duration | None = None
    escalation: Id | None = None
