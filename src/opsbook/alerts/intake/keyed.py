"""Senders that tell their alerts apart by a name of their own, and what becomes of a severity.

Such a sender says of one alert first that it is a warning and then that it is critical, and ends it
with nothing but its name. Here the severity decides whom an alert pages, so what has become worse
must be told anew. Therefore an alert is known by its name *and* its severity in the book: what
fires with one is the end of what fired with any other, and an end ends it with all of them.

This needs no memory of what fired before: ends of what does not fire do nothing. So it holds after
a restart, and whichever server takes the next letter.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from opsbook.alerts.intake.posted import Posted
from opsbook.alerts.intake.severities import severity_of
from opsbook.book import Book
from opsbook.book.sections.intakes import Intake


def spelled_out(
    book: Book, intake: Intake, alerts: Iterable[Posted], now: datetime
) -> list[Posted]:
    """Return alerts with each severity's end where a name stands for one that may have several."""
    found: list[Posted] = []
    for one in alerts:
        if not one.key:
            found.append(one)
            continue
        severities = list(book.severities) or [""]
        if one.endsAt is not None and one.endsAt <= now:
            found += [msgspec.structs.replace(one, key=_key(one, each)) for each in severities]
            continue
        severity = severity_of(book, intake, one.labels)
        found += [
            Posted({}, endsAt=now, key=_key(one, each)) for each in severities if each != severity
        ]
        found.append(msgspec.structs.replace(one, key=_key(one, severity)))
    return found


def _key(one: Posted, severity: str) -> str:
    return f"{severity} {one.key}"
