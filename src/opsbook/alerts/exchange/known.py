"""What the book that something is carried into has already."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from opsbook.book.matchers import Matcher, MatcherError, parse
from opsbook.book.positions import Path, Positions, dotted

_ENDS = "5m"
_LISTENERS = ("people", "teams", "channels", "webhooks")
_SPOKEN: Final = (
    ("match", "matchers"), ("while", "while_matchers"), ("mutes", "mutes_matchers"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """A matcher of a route or an inhibition, with its place in the book."""

    matcher: Matcher
    path: str
    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Known:
    """The ids of a book by section, its zone, and after what time its intakes end alerts.

    `doors` are the intakes that a Prometheus hands alerts in by, each with what it makes of the
    sender's severities, `words` all of these together, and `asked` is what routes and inhibitions
    ask of the label severity.

    Empty for a book that is yet to be written.
    It may be a book that does not load as it is, since carrying something over may be the first
    thing anybody does with it.
    """

    ids: Mapping[str, frozenset[str]] = field(default_factory=dict)
    timezone: str | None = None
    sections: frozenset[str] = frozenset()
    resolve_after: frozenset[str] = frozenset()
    doors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    asked: tuple[Asked, ...] = ()

    @classmethod
    def of(
        cls, raw: Mapping[str, Any], positions: Positions | None = None, folder: str = ""
    ) -> Known:
        """Take it from a book's sections as they were read, in the files of a folder."""
        ids = {
            name: frozenset(map(str, part)) for name, part in raw.items() if isinstance(part, dict)
        }
        zone = raw.get("timezone")
        intakes = _maps(raw.get("intakes"))
        written = raw.get("intakes")
        ends = {
            str(intakes.get(id, {}).get("resolve_after", _ENDS))
            for id in (written if isinstance(written, dict) else ())
        }
        doors = {
            id: _texts(one.get("severities"))
            for id, one in intakes.items()
            if one.get("kind") == "alertmanager"
        }
        asked = tuple(_asked(raw, positions or Positions(), folder))
        return cls(
            ids, zone if isinstance(zone, str) else None, frozenset(raw), frozenset(ends), doors,
            {word: here for each in doors.values() for word, here in each.items()}, asked,
        )  # fmt: skip

    def has(self, section: str, id: str) -> bool:
        """Whether an element is there."""
        return id in self.ids.get(section, ())

    def listens(self, id: str) -> bool:
        """Whether somebody or something of that name can be told of alerts."""
        return any(self.has(section, id) for section in _LISTENERS)


def _maps(value: Any) -> dict[str, Mapping[str, Any]]:
    found = value.items() if isinstance(value, dict) else ()
    return {str(id): one for id, one in found if isinstance(one, dict)}


def _texts(value: Any) -> dict[str, str]:
    found = value.items() if isinstance(value, dict) else ()
    return {str(word): str(here) for word, here in found}


def _asked(raw: Mapping[str, Any], positions: Positions, folder: str) -> Iterator[Asked]:
    parts: list[tuple[Path, Any]] = [(("routing",), raw.get("routing"))]
    parts += [(("inhibitions", id), one) for id, one in _maps(raw.get("inhibitions")).items()]
    while parts:
        path, part = parts.pop(0)
        if not isinstance(part, dict):
            continue
        for place, matcher in _spoken(part):
            mark = positions.key((*path, *place))
            if mark is not None and matcher.name == "severity":
                file = f"{folder}/{mark.file}" if folder else mark.file
                yield Asked(matcher, dotted((*path, *place)), file, mark.line, mark.column)
        routes = part.get("routes")
        listed = routes if isinstance(routes, list) else []
        parts += [((*path, "routes", n), one) for n, one in enumerate(listed)]


def _spoken(part: Mapping[str, Any]) -> Iterator[tuple[Path, Matcher]]:
    """The matchers of a route or an inhibition that can be read, each with its place in it."""
    for equal, others in _SPOKEN:
        listed = part.get(others)
        texts = enumerate(listed if isinstance(listed, list) else ())
        for name, value in _texts(part.get(equal)).items():
            with contextlib.suppress(MatcherError):
                yield (equal, name), Matcher(name, "=", value)
        for n, text in texts:
            with contextlib.suppress(MatcherError):
                yield (others, n), parse(str(text))
