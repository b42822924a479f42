"""The sections of a book in the order of the handbook, and what each holds.

The order is that of reading: what we run and who we are, how it is watched, what happens when it
breaks, then everything that is done so that it does not. A section that the model has and this list
does not is shown at the end instead of nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from opsbook.book import Book, walk
from opsbook.book.model import Sections
from opsbook.web.i18n import N_

GROUPS: Final[Sequence[tuple[str, Sequence[str]]]] = (
    (
        N_("Services and people"),
        (
            "services",
            "targets",
            "people",
            "teams",
            "rotations",
            "escalation",
            "roles",
            "channels",
            "webhooks",
            "hours",
            "time_intervals",
        ),
    ),
    (
        N_("Watching"),
        ("checks", "rules", "intakes", "routing", "receivers", "inhibitions", "heartbeats"),
    ),
    (N_("Incidents"), ("severities", "lifecycle", "incident_kinds", "communication")),
    (N_("Routine and change"), ("runbooks", "routines", "change_kinds", "windows", "freezes")),
    (
        N_("Backups and capacity"),
        ("backups", "scaling", "limits", "forecasts", "quotas", "load_tests", "slos"),
    ),
    (N_("Registers"), ("accounts", "extensions", "secrets", "certificates")),
    (N_("Models and data"), ("model_updates", "data_quality")),
    (N_("Training and reports"), ("courses", "world", "reports", "dashboards")),
)
ABOUT: Final = frozenset(
    {
        "ref", "id", "title", "description", "version", "timezone", "languages", "owner", "status",
        "self_approval", "retention", "holidays", "history", "links", "glossary",
    }
)  # fmt: skip
"""What says something of the book itself and stands on its first page."""

SINGLE: Final = frozenset({"routing", "extensions"})
"""Sections that are one thing instead of several with ids."""

NAMED: Final = frozenset(name for _, names in GROUPS for name in names)
OTHERS: Final = tuple(name for name in Sections.model_fields if name not in NAMED | ABOUT)
ALL: Final = (*(name for _, names in GROUPS for name in names), *OTHERS)
IDLE: Final = walk.idle(Sections)
"""Sections that are read, checked and shown while nothing acts on them yet."""


@dataclass(frozen=True)
class Section:
    """One section of a book: its key and what it holds, by id."""

    name: str
    held: Mapping[str, Any]
    single: Any = None

    @property
    def count(self) -> int:
        """How many elements there are; of a section that is one thing, one."""
        return len(self.held) if self.single is None else 1

    @property
    def idle(self) -> bool:
        """Whether nothing acts on it yet."""
        return self.name in IDLE


def section(book: Book, name: str) -> Section:
    """Return one section of a book; an unknown or empty one holds nothing."""
    if name not in ALL:
        return Section(name, {})
    value = getattr(book, name)
    if isinstance(value, Mapping):
        return Section(name, value)
    return Section(name, {}, value)


def shelves(book: Book) -> list[tuple[str, list[Section]]]:
    """Return the groups with the sections that the book has."""
    found = []
    for title, names in (*GROUPS, (N_("Others"), OTHERS)):
        there = [one for one in (section(book, name) for name in names) if one.count]
        if there:
            found.append((title, there))
    return found


def missing(book: Book) -> list[str]:
    """Return the sections that the book does not have."""
    return [name for name in ALL if not section(book, name).count]
