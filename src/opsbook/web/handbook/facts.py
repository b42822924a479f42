"""An element's fields in words: any model of the book, shown by walking its types.

A field becomes a `Fact`: a label, the value as HTML, and what the model's own docstring says of the
key. Durations, bands, quantities and schedules are said with their units, references are links to
what they name, models inside models are said in a line (`special` has the lines that read better by
hand). A value nobody wrote is shown only where the default does something, and says that it is one.

Everything is escaped here, by `Markup.format` or `escape`; what a book says is other people's text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final, get_args, get_origin
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape
from pydantic import BaseModel

from opsbook import calendar
from opsbook.base.quantities import Band, Quantity
from opsbook.book import Book, Text, walk
from opsbook.book.assumed import Assumption
from opsbook.book.positions import Path
from opsbook.book.refs import Refers
from opsbook.book.sections.about import Hours
from opsbook.book.sections.people import Contact
from opsbook.book.times import IsSchedule
from opsbook.book.types import bare, marks
from opsbook.web import words
from opsbook.web.handbook import links, names
from opsbook.web.i18n import Speech

AROUND: Final = frozenset({"id", "ref", "title", "name", "description", "links"})
"""What a page shows around an element's fields."""

Phrase = Callable[["Reader", Any], Markup]
"""Says a model in a line of its own."""


@dataclass(frozen=True)
class Fact:
    """One field, ready to show. `hint` is what the key means, `assumed` why a value was assumed."""

    key: str
    label: str
    html: Markup
    hint: str = ""
    idle: bool = False
    default: bool = False
    assumed: str = ""
    ref: str = ""


@dataclass(frozen=True)
class Reader:
    """A book and the language it is read in; `zone` is that of the element being read.

    `phrases` are the models that read better by hand (`special`).
    """

    speech: Speech
    book: Book
    phrases: Mapping[type, Phrase] = field(default_factory=dict)
    zone: str = ""
    assumed: Mapping[Path, Assumption] = field(default_factory=dict)

    def of(self, element: Any, path: Path = ()) -> Reader:
        """Return a reader of one element: in its own zone, with what was assumed in it."""
        zone = getattr(element, "timezone", None) or self.book.timezone
        mine = {at: why for at, why in self.book.assumed.items() if at[: len(path)] == path}
        return Reader(self.speech, self.book, self.phrases, zone, mine)

    def named(self, sections: Iterable[str], id: str) -> Markup:
        """Return a link to an element by what people call it; the id alone if there is none."""
        section = links.find(self.book, tuple(sections), id)
        if section is None:
            return Markup('<span class="mono">{}</span>').format(id)
        title = links.title(self.speech, self.book, section, id)
        return Markup('<a href="{}">{}</a>').format(links.path(self.book.id, section, id), title)

    def hours(self, text: str) -> str:
        """Return hours of the week in words."""
        zone = ZoneInfo(self.zone or self.book.timezone)
        return calendar.Hours.parse(text, zone, self.book.days).describe(self.speech.language)

    def schedule(self, text: str) -> str:
        """Return a schedule in words."""
        zone = ZoneInfo(self.zone or self.book.timezone)
        return calendar.Schedule.parse(text, zone, self.book.days).describe(self.speech.language)


def facts(
    reader: Reader, model: BaseModel, path: Path = (), *, skip: frozenset[str] = AROUND
) -> list[Fact]:
    """Return the fields of a model that say something, in the model's order."""
    idle = walk.idle(type(model))
    found = []
    for name, about in type(model).model_fields.items():
        key = about.alias or name
        value = getattr(model, name)
        unsaid = name not in model.model_fields_set
        if key in skip or _empty(value) or (unsaid and not _works(value)):
            continue
        shown = said(reader, value, about.annotation, tuple(about.metadata))
        if isinstance(model, Hours) and name == "open":
            shown = escape(reader.hours(str(value)))
        if not shown:
            continue
        hint = reader.speech.say(about.description) if about.description else ""
        why, ref = _why(reader, (*path, key))
        label = names.key(reader.speech, key, type(model).__name__)
        found.append(Fact(key, label, shown, hint, key in idle, unsaid, why, ref))
    return found


def said(
    reader: Reader, value: Any, annotation: Any = None, marked: tuple[Any, ...] = ()
) -> Markup:
    """Return a value as HTML, by what its type says it is."""
    for mark in (*marked, *marks(annotation)):
        if isinstance(mark, Refers):
            return reader.named(mark.sections, str(value))
        if isinstance(mark, IsSchedule):
            return escape(reader.schedule(str(value)))
    if phrase := reader.phrases.get(type(value)):
        return phrase(reader, value)
    if isinstance(value, BaseModel):
        return line(reader, value)
    args = [one for one in get_args(bare(annotation)) if one is not Ellipsis]
    inner = args[-1] if args and get_origin(bare(annotation)) is not None else None
    if isinstance(value, Mapping):
        return _listed(_pair(reader, key, one, inner) for key, one in value.items())
    if isinstance(value, tuple):
        parts = [said(reader, one, inner) for one in value]
        if any(isinstance(one, (Text, BaseModel)) for one in value):
            return _listed(parts)
        return Markup(", ").join(parts)
    return escape(scalar(reader.speech, value))


def scalar(speech: Speech, value: Any) -> str:
    """Return a single value in words, with its unit."""
    match value:
        case bool():
            return speech.say("yes") if value else speech.say("no")
        case Text():
            return words.text(speech, value)
        case timedelta():
            return words.length(speech, value)
        case Band():
            return words.band(speech, value)
        case Quantity():
            return words.value(speech, value.value, value.unit)
        case Contact():
            return _contact(speech, value)
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case date():
            return value.isoformat()
        case str():
            return names.value(speech, value)
    return str(value)


def line(reader: Reader, model: BaseModel) -> Markup:
    """Return a model within an element as one line: what it is called, then its fields."""
    title = links.called(reader.speech, model)
    parts = [Markup("<b>{}</b>").format(title)] if title else []
    about = getattr(model, "description", None)
    if isinstance(about, Text):
        parts.append(Markup("<span>{}</span>").format(words.text(reader.speech, about)))
    one: Markup
    for fact in facts(reader, model):
        if not fact.default:
            one = Markup('<span><span class="muted">{}</span> {}</span>')
            parts.append(one.format(fact.label, fact.html))
    return (
        Markup('<span class="meta">{}</span>').format(Markup(" ").join(parts))
        if parts
        else Markup()
    )


def _pair(reader: Reader, key: Any, value: Any, annotation: Any) -> Markup:
    shown = said(reader, value, annotation)
    return Markup('<span class="mono">{}</span> {}').format(key, shown)


def _listed(parts: Iterable[Markup]) -> Markup:
    items = Markup().join(Markup("<li>{}</li>").format(one) for one in parts if one)
    return Markup('<ul class="lines">{}</ul>').format(items) if items else Markup()


def _contact(speech: Speech, contact: Contact) -> str:
    """Return how somebody is reached, without the address: it may hold a password."""
    if contact.url is not None:
        return f"{urlsplit(contact.url).scheme}://…"
    return speech.say("an address kept as a secret")


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, (str, tuple, Mapping)) and not value)


def _works(value: Any) -> bool:
    """Whether a default does something worth a line: a time or a number does, a "no" does not."""
    return (
        isinstance(value, (timedelta, int, float, Quantity))
        and not isinstance(value, bool)
        and (bool(value))
    )


def _why(reader: Reader, path: Path) -> tuple[str, str]:
    """Return why the value at a path (or one inside it) was assumed, and its place in the guide."""
    why, ref = "", ""
    for at, said in reader.assumed.items():
        if at[: len(path)] == path:
            if said.assumed:
                why = why or said.reason or reader.speech.say("no reason is given")
            ref = ref or said.ref or ""
    return why, ref
