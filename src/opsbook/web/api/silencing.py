"""A silence as the interface is asked for it: read, or everything that is wrong with it at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from opsbook.alerts import silences
from opsbook.alerts.silences import InvalidSilence, Wanted
from opsbook.base.quantities import QuantityError, parse_duration
from opsbook.book import Book
from opsbook.book.matchers import Matcher, MatcherError, parse_all
from opsbook.web.api.models import NewSilence

LONGEST: Final = timedelta(days=36_500)
UNREAD: Final = timedelta(hours=1)
"""Stands in for a length that cannot be read, so that the rest is looked at as well."""
FIELDS: Final = (
    ("matcher", "matchers"), ("pattern", "matchers"), ("it has no comment", "comment"),
    ("it ends before", "length"), ("its end is past", "length"), ("each time", "each"),
)  # fmt: skip
"""Words of what is wrong with a silence, and the field they are about; else it is the schedule."""


def wanted(book: Book, asked: NewSilence, login: str, now: datetime) -> Wanted:
    """Return what is asked for.

    Raises:
        InvalidSilence: with everything that is wrong, by field.
    """
    faults: list[tuple[str, str]] = []
    matchers: list[Matcher] = []
    for text in asked.matchers:
        try:
            matchers += parse_all(text)
        except MatcherError as error:
            faults.append(("matchers", str(error)))
    if not asked.length:
        faults.append(("length", "it does not say for how long; write a time such as 2h"))
    if asked.each and not asked.schedule:
        faults.append(("each", "it means nothing without a schedule; add one, or leave it out"))
    length = _read("length", asked.length, faults)
    each = _read("each", asked.each, faults)
    made = Wanted(
        tuple(matchers), now, now + min(length, LONGEST), login, asked.comment,
        schedule=asked.schedule,
        length=(each if asked.each else timedelta(0)) if asked.schedule else timedelta(0),
        timezone=book.timezone if asked.schedule else "",
    )  # fmt: skip
    unread = {name for name, _ in faults}
    for told in silences.faults(made, now):
        field = next((name for words, name in FIELDS if words in told), "schedule")
        if field not in unread or (field == "matchers" and matchers):
            faults.append((field, told))
    if faults:
        raise InvalidSilence(
            f"The silence cannot be set: {'; '.join(f'{name}: {told}' for name, told in faults)}.",
            remedy='Write matchers such as service="api", a length such as 2h, and why.',
            problems=[f"parameter {name}: {told}" for name, told in faults],
        )
    return made


def _read(name: str, text: str, faults: list[tuple[str, str]]) -> timedelta:
    try:
        return parse_duration(text) if text else UNREAD
    except QuantityError as error:
        faults.append((name, str(error)))
        return UNREAD
