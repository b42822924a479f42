"""Any JSON, with the book saying what stands where.

What tells alerts apart are the name and the labels that the book names; the sender's word for
severity is not among them, so that an alert that gets worse is the same alert.
"""

from __future__ import annotations

import functools
import re
from typing import Any, Final

import msgspec

from opsbook.alerts.intake import cleaning
from opsbook.alerts.intake.kind import (
    Handed,
    Kind,
    Letter,
    Unreadable,
    decoded,
    moment,
    until_told,
    word,
)
from opsbook.alerts.intake.posted import Posted
from opsbook.book.sections.intakes import Fields

_PART: Final = re.compile(r"\[(\d{1,4})\]|[A-Za-z0-9_-]+")
_TEXTS: Final = ("summary", "description")


def read(letter: Letter) -> Handed:
    """Return the alerts of a body, as the intake's `fields` say."""
    fields = letter.intake.fields
    if fields is None:  # a book that was loaded has them
        raise Unreadable("The book does not say where this intake finds what.")
    body: Any = decoded(letter.body, Any)
    found = at(body, fields.each) if fields.each else body
    if isinstance(found, dict) and not fields.each:
        found = [found]
    if not isinstance(found, list):
        where = f"At {fields.each} there is" if fields.each else "The body is"
        remedy = "Send it there, or let each: under fields in the book say where it is."
        raise Unreadable(f"{where} no list of alerts.", remedy=remedy)
    alerts: list[Posted] = []
    bad: list[str] = []
    for n, one in enumerate(found):
        try:
            alerts.append(cleaning.cleaned(_posted(letter, fields, one), letter.now))
        except cleaning.Unfit as error:
            bad.append(f"alerts[{n}]: {error.told}")
    return Handed(cleaning.latest(alerts), bad)


def _posted(letter: Letter, fields: Fields, one: Any) -> Posted:
    name = word(at(one, fields.name)).strip()
    if not name:
        remedy = "send one, or let name: under fields in the book say where it is"
        raise cleaning.Unfit(f"at {fields.name} there is no name", remedy=remedy)
    told = {label: word(at(one, path)) for label, path in fields.labels.items()}
    labels = {"alertname": name, **{label: value for label, value in told.items() if value}}
    key = msgspec.json.encode(labels, order="sorted").decode()
    if severity := _text(one, fields.severity):
        labels.setdefault("severity", severity)
    annotations = {
        which: value for which in _TEXTS if (value := _text(one, getattr(fields, which)))
    }
    ends = moment(at(one, fields.ends_at)) if fields.ends_at else None
    if fields.status is not None:
        said = "resolved" if _is_over(one, fields) else "firing"
        ends = cleaning.ended(said, ends, letter.now)
        ends = until_told(letter.intake, ends, letter.now)
    starts = moment(at(one, fields.starts_at)) if fields.starts_at else None
    return Posted(labels, annotations, starts, ends, _text(one, fields.link), key)


def _is_over(one: Any, fields: Fields) -> bool:
    """Whether an alert's status says that it is over; where none is said, it fires.

    A word that the book does not know fires as well: an alert too many is better than one too few.
    Where the book says which words mean that it fires, any other is refused, since a misspelt end
    that were taken for firing would leave its alert there for good.
    """
    said = _text(one, fields.status).strip()
    folded = said.casefold()
    if folded in {value.casefold() for value in fields.resolved}:
        return True
    known = fields.firing
    if known is not None and folded and folded not in {value.casefold() for value in known}:
        raise cleaning.Unfit(
            f"its status, at {fields.status}, is {cleaning.shown(said)}",
            remedy="send one that the book knows, or add it to firing: or resolved: under fields",
        )
    return False


def _text(one: Any, path: str | None) -> str:
    return word(at(one, path)) if path else ""


def at(value: Any, path: str) -> Any:
    """Return what stands at a path such as ``alert.tags[0].name``; None where nothing does."""
    for step in _steps(path):
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


@functools.lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[str | int, ...]:
    return tuple(int(one[1]) if one[1] else one[0] for one in _PART.finditer(path))


KIND = Kind(read)
