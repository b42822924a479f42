"""What the book that something is carried into has already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_ENDS = "5m"
_LISTENERS = ("people", "teams", "channels", "webhooks")


@dataclass(frozen=True, slots=True)
class Known:
    """The ids of a book by section, its zone, and after what time its intakes end alerts.

    Empty for a book that is yet to be written.
    It may be a book that does not load as it is, since carrying something over may be the first
    thing anybody does with it.
    """

    ids: Mapping[str, frozenset[str]] = field(default_factory=dict)
    timezone: str | None = None
    sections: frozenset[str] = frozenset()
    resolve_after: frozenset[str] = frozenset()

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Known:
        """Take it from a book's sections as they were read."""
        ids = {
            name: frozenset(map(str, part)) for name, part in raw.items() if isinstance(part, dict)
        }
        zone = raw.get("timezone")
        intakes = raw.get("intakes")
        ends = {
            str(one.get("resolve_after", _ENDS)) if isinstance(one, dict) else _ENDS
            for one in (intakes.values() if isinstance(intakes, dict) else ())
        }
        return cls(
            ids, zone if isinstance(zone, str) else None, frozenset(raw), frozenset(ends)
        )  # fmt: skip

    def has(self, section: str, id: str) -> bool:
        """Whether an element is there."""
        return id in self.ids.get(section, ())

    def listens(self, id: str) -> bool:
        """Whether somebody or something of that name can be told of alerts."""
        return any(self.has(section, id) for section in _LISTENERS)
