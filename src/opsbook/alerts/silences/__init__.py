"""Silences: for a while, alerts with these labels are told to nobody. They go on firing.

Belongs here: what a silence is and when it holds, also one that comes again every night; setting,
changing and expiring one, by Alertmanager's rules. Does not belong here: quiet hours that are
always the same, which are the book's (``mute`` of a route), and inhibitions.
"""

from opsbook.alerts.silences.index import Index, by_book, index_of
from opsbook.alerts.silences.model import (
    InvalidSilence,
    Silence,
    State,
    Wanted,
    faults,
    matching,
    of_row,
)
from opsbook.alerts.silences.setting import expire, put
from opsbook.alerts.silences.store import current, get, list_of, version

__all__ = [
    "Index",
    "InvalidSilence",
    "Silence",
    "State",
    "Wanted",
    "by_book",
    "current",
    "expire",
    "faults",
    "get",
    "index_of",
    "list_of",
    "matching",
    "of_row",
    "put",
    "version",
]
