"""``book.yaml``: what the book is, whose it is, and the few settings that hold for all of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from opsbook.book.fields import Duration, Part

SelfApproval = Literal["forbid", "record"]
"""``record`` is how a team of one says so: approving one's own run is allowed and shown."""


class Retention(Part):
    """How long the book's records are kept; audit entries are not among them."""

    observations: Duration = timedelta(days=14)
