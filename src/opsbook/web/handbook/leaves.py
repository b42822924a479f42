"""One section as a list, and one element as a page: everything about it that the book says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from markupsafe import Markup, escape
from pydantic import BaseModel

from opsbook.book import Book, walk
from opsbook.book.model import Sections
from opsbook.book.refs import Refers
from opsbook.book.sections.checks import Check
from opsbook.book.types import bare, marks
from opsbook.web import words
from opsbook.web.handbook import facts, links, names, shelf, special
from opsbook.web.i18n import Speech

EACH: Final = 200
"""Elements on one page of a section."""
USERS: Final = 40
GIST: Final[Mapping[str, Sequence[str]]] = {
    "services": ("owner", "depends_on", "external"),
    "targets": ("kind", "url", "path", "read", "change"),
    "people": ("title", "account", "roles", "contacts"),
    "teams": ("members", "rotation"),
    "rotations": ("layers",),
    "escalation": ("levels", "repeat"),
    "channels": ("to", "public"),
    "webhooks": ("url", "events", "runbooks"),
    "hours": ("open",),
    "time_intervals": ("ranges",),
    "checks": ("kind", "service", "every", "bands"),
    "rules": ("check", "when", "promql", "received", "for", "severity", "runbook"),
    "intakes": ("kind", "service", "severities", "default"),
    "receivers": ("to", "as"),
    "inhibitions": ("while", "while_matchers", "mutes", "mutes_matchers"),
    "heartbeats": ("url", "every"),
    "severities": ("acknowledge_within", "resolve_within", "escalation"),
    "lifecycle": ("requires", "within"),
    "incident_kinds": ("checks", "runbooks"),
    "communication": ("to", "after", "every", "approval"),
    "routines": ("schedule", "runbook", "within"),
    "change_kinds": ("approvals", "notice", "windows", "emergency"),
    "windows": ("schedule", "length", "services"),
    "freezes": ("from", "to", "allows"),
    "backups": ("of", "schedule", "keep", "rpo", "rto"),
    "scaling": ("service", "least", "most", "up", "down"),
    "limits": ("check", "warn", "limit"),
    "forecasts": ("check", "limit", "horizon"),
    "quotas": ("limits", "approvals"),
    "load_tests": ("service", "rate", "users", "latency"),
    "slos": ("service", "measure", "target", "over"),
    "accounts": ("service", "approvals", "review_every", "expires_after"),
    "secrets": ("where", "max_age", "rotate"),
    "certificates": ("host", "port", "warn_before", "renew"),
    "model_updates": ("service", "rollback"),
    "data_quality": ("table", "column", "rule", "band"),
    "courses": ("length", "audience", "repeat_every"),
    "world": ("kind", "service", "port"),
    "reports": ("schedule", "contents", "to"),
    "dashboards": ("audience", "panels"),
}
"""What a list says of each element; a section without an entry shows its first fields."""
FIRST: Final = 4


@dataclass(frozen=True)
class Entry:
    """One element of a section, as its list shows it."""

    id: str
    title: str
    path: str
    about: str
    where: str
    ref: str
    facts: Sequence[facts.Fact]


def entries(speech: Speech, book: Book, section: shelf.Section, start: int = 0) -> list[Entry]:
    """Return the elements of a section from the `start`-th on, in the order of the book."""
    reader = special.reader(speech, book)
    return [
        Entry(
            id,
            links.called(speech, element) or id,
            links.path(book.id, section.name, id),
            words.text(speech, getattr(element, "description", None)),
            book.where(section.name, id),
            getattr(element, "ref", None) or "",
            _gist(reader, section.name, id, element),
        )
        for id, element in list(section.held.items())[start : start + EACH]
    ]


def _gist(reader: facts.Reader, section: str, id: str, element: Any) -> list[facts.Fact]:
    if not isinstance(element, BaseModel):
        return _permissions(reader.speech, element) if section == "roles" else []
    wanted = GIST.get(section)
    known = {field.alias or name for name, field in type(element).model_fields.items()}
    skip = facts.AROUND if wanted is None else frozenset(known - set(wanted))
    own = facts.facts(reader.of(element, (section, id)), element, (section, id), skip=skip)
    return own[:FIRST] if wanted is None else own


def _permissions(speech: Speech, given: Any) -> list[facts.Fact]:
    told = Markup('<span class="mono">{}</span>').format(", ".join(map(str, given)))
    return [facts.Fact("may", speech.say("May"), told, speech.say("What the role may do."))]


def fields(speech: Speech, book: Book, section: str, id: str, element: Any) -> list[facts.Fact]:
    """Return everything an element says, its check kind's own fields among the rest."""
    if section == "roles":
        holders = [one.id for one in book.people.values() if id in one.roles]
        reader = special.reader(speech, book)
        held = Markup(", ").join(reader.named(("people",), one) for one in holders)
        who = facts.Fact("people", speech.say("Held by"), held or escape(speech.say("nobody")))
        return [*_permissions(speech, element), who]
    reader = special.reader(speech, book).of(element, (section, id) if id else (section,))
    path = (section, id) if id else (section,)
    skip = facts.AROUND - {"title"} if section == "people" else facts.AROUND
    found = facts.facts(reader, element, path, skip=skip | {"spec"})
    if isinstance(element, Check):
        kind = next((n for n, one in enumerate(found) if one.key == "kind"), -1) + 1
        found[kind:kind] = facts.facts(reader, element.spec, path)
    return found


def outside(speech: Speech, book: Book, element: Any) -> list[Markup]:
    """Return an element's own links to elsewhere."""
    reader = special.reader(speech, book)
    return [special.link(reader, one) for one in getattr(element, "links", ())]


def used_by(speech: Speech, book: Book, section: str, id: str) -> dict[str, Any]:
    """Return who names an element, by section, each with the key that names it."""
    users = links.uses(book, section, id)
    shown: dict[tuple[str, str], list[str]] = {}
    for one in users:
        shown.setdefault((one.section, one.id), []).append(names.key(speech, one.key))
    listed = [
        {
            "section": names.section(speech, user) if user not in shelf.ABOUT else "",
            "title": links.title(speech, book, user, name) if name else names.key(speech, user),
            "path": links.path(book.id, *([] if user in shelf.ABOUT else [user, name])),
            "as": ", ".join(dict.fromkeys(keys)),
        }
        for (user, name), keys in list(shown.items())[:USERS]
    ]
    return {"users": listed, "more": max(0, len(shown) - USERS)}


def keys(speech: Speech, section: str) -> list[dict[str, Any]]:
    """Return what may be written in a section: each key, what it takes and what it means."""
    model = _model(section)
    if model is None:
        return []
    idle = walk.idle(model)
    return [
        {
            "key": field.alias or name,
            "label": names.key(speech, field.alias or name, model.__name__),
            "hint": speech.say(field.description) if field.description else "",
            "required": field.is_required(),
            "idle": (field.alias or name) in idle,
            "names": _names(speech, (*field.metadata, *marks(field.annotation))),
        }
        for name, field in model.model_fields.items()
        if name not in {"id", "spec", "ref"}
    ]


def _model(section: str) -> type[BaseModel] | None:
    field = Sections.model_fields.get(section)
    if field is None:
        return None
    plain = bare(field.annotation)
    for one in (plain, *map(bare, get_args(plain))):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None


def _names(speech: Speech, said: Sequence[Any]) -> str:
    """The sections whose elements a key may name."""
    for mark in said:
        if isinstance(mark, Refers):
            return ", ".join(names.section(speech, one) for one in mark.sections)
    return ""
