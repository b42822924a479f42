"""Reading a file of Prometheus or Alertmanager: typed values, and every fault with its place.

Those programs stop at the first fault. Whoever carries a configuration over would then mend it one
line at a time, so that everything is read here before anything is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from opsbook.alerts.exchange import layout
from opsbook.alerts.exchange.findings import Finding, Level
from opsbook.book import yamlpos
from opsbook.book.positions import Path, Positions, dotted
from opsbook.book.problems import suggestion

_DURATION: Final = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?"
)
_SECONDS: Final = (365 * 86400, 7 * 86400, 86400, 3600, 60, 1, 0.001)
_TRUE: Final = frozenset({"true", "yes", "on", "y"})
_FALSE: Final = frozenset({"false", "no", "off", "n"})
_DEEPEST_MERGE: Final = 20


@dataclass(slots=True)
class Sheet:
    """A file that is read: its places, its notes, and what was found so far."""

    file: str
    positions: Positions
    notes: Mapping[int, dict[str, Any]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def line(self, path: Path, *, key: bool = True) -> tuple[int, int]:
        """The place of what stands at a path, or of the nearest thing around it."""
        mark = self.positions.key(path) if key else self.positions.value(path)
        return (mark.line, mark.column) if mark is not None else (1, 1)

    def say(self, level: Level, path: Path, message: str, remedy: str = "") -> None:
        """Note a finding at a path."""
        line, column = self.line(path)
        self.findings.append(Finding(self.file, line, column, level, message, remedy))

    @property
    def errors(self) -> list[Finding]:
        """What makes the file unusable."""
        return [one for one in self.findings if one.level == "error"]


def opened(text: str, file: str) -> tuple[Sheet, At]:
    """Read a text; what is no YAML is already among the findings."""
    read = yamlpos.read(text, file)
    sheet = Sheet(file, read.positions, layout.notes(text))
    for one in read.problems:
        sheet.findings.append(
            Finding(one.file, one.line, one.column, "error", one.message, one.remedy)
        )
    data = _merged(read.data, 0)
    if not sheet.findings and not isinstance(data, dict):
        remedy = "give the file that the program itself is started with"
        sheet.say("error", (), "this file holds no configuration", remedy)
    return sheet, At(sheet, (), data if isinstance(data, dict) else {})


def _merged(value: Any, depth: int) -> Any:
    """Put what a merge key (``<<``) names into the maps around it; a map's own keys win.

    But for matchers: Alertmanager takes those of both, since it adds what it reads to what it has.
    """
    if depth > _DEEPEST_MERGE + yamlpos.MAX_DEPTH:
        return value
    if isinstance(value, list):
        return [_merged(one, depth + 1) for one in value]
    if not isinstance(value, dict):
        return value
    own = {key: _merged(one, depth + 1) for key, one in value.items() if key != "<<"}
    others = value.get("<<")
    for other in others if isinstance(others, list) else [others]:
        if isinstance(other, dict):
            for key, one in _merged(other, depth + 1).items():
                here = own.setdefault(key, one)
                if here is one or not key.endswith(("match", "match_re", "matchers")):
                    continue
                if isinstance(here, list) and isinstance(one, list):
                    own[key] = [*one, *here]
                elif isinstance(here, dict) and isinstance(one, dict):
                    own[key] = {**one, **here}
    return own


@dataclass(frozen=True, slots=True)
class At:
    """A map in a file, asked for its values by name; each asks for one kind and complains."""

    sheet: Sheet
    path: Path
    value: Mapping[str, Any]

    def __contains__(self, name: str) -> bool:
        return self.value.get(name) is not None

    @property
    def note(self) -> Mapping[str, Any]:
        """What was said in a comment above it, empty where nothing was."""
        lines = (self.sheet.line(self.path, key=key)[0] for key in (False, True))
        return next((self.sheet.notes[line] for line in lines if line in self.sheet.notes), {})

    def place(self, *names: str | int) -> Path:
        """The path of something inside."""
        return (*self.path, *names)

    def line(self, *names: str | int) -> int:
        """The line of something inside."""
        return self.sheet.line(self.place(*names))[0]

    def say(self, level: Level, name: str, message: str, remedy: str = "") -> None:
        """Note a finding at a key, or here where `name` is empty."""
        where = self.place(name) if name else self.path
        shown = dotted(where) or "the file"
        self.sheet.say(level, where, f"{shown}: {message}", remedy)

    def only(self, known: Iterable[str]) -> None:
        """Complain of keys that do not belong here: a misspelt one would silently do nothing."""
        known = set(known)
        for name in self.value:
            if name not in known:
                self.say("error", name, "is no key of this place", suggestion(name, known))

    def text(self, name: str, default: str = "") -> str:
        """A text; a number or a flag is taken as it is written."""
        value = self.value.get(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (str, int, float)):
            return str(value)
        self.say("error", name, "should be a text", "write one value")
        return default

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false, also in the words of YAML 1.1."""
        value = self.value.get(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        word = str(value).lower()
        if word not in _TRUE | _FALSE:
            self.say("error", name, f"{value!r} is neither true nor false", "write one of the two")
        return word in _TRUE

    def duration(self, name: str) -> timedelta | None:
        """A length of time as Prometheus writes it, or None."""
        if name not in self:
            return None
        text = self.text(name)
        found = _DURATION.fullmatch(text)
        if text and found:
            parts = zip(found.groups(), _SECONDS, strict=True)
            seconds = sum(int(part) * size for part, size in parts if part)
            if seconds <= 366 * 86400 * 10:
                return timedelta(seconds=seconds)
        if text == "0":
            return timedelta(0)
        self.say("error", name, f"{text!r} is no duration", "write one such as 30s, 5m or 1h30m")
        return None

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        return [text for _, text in self.texts_at(name)]

    def texts_at(self, name: str) -> list[tuple[int, str]]:
        """A list of texts, each with its number."""
        value = self.value.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.say("error", name, "should be a list", "write [a, b]")
            return []
        found = []
        for n, one in enumerate(value):
            if isinstance(one, (str, int, float)):
                text = str(one).lower() if isinstance(one, bool) else str(one)
                found.append((n, text))
            else:
                told = f"{dotted(self.place(name, n))}: should be a text"
                self.sheet.say("error", self.place(name, n), told, "write one value")
        return found

    def labels(self, name: str) -> dict[str, str]:
        """A map of texts."""
        if name not in self:
            return {}
        inner = self.inside(name)
        return {key: inner.text(key) for key in inner.value}

    def inside(self, name: str) -> At:
        """A map inside of this one; an empty one where there is none."""
        value = self.value.get(name)
        if value is not None and not isinstance(value, dict):
            self.say("error", name, "should be a map", "write keys and values under it")
        return At(self.sheet, self.place(name), value if isinstance(value, dict) else {})

    def each(self, name: str) -> Iterator[At]:
        """The maps of a list."""
        value = self.value.get(name)
        if value is None:
            return
        if not isinstance(value, list):
            self.say("error", name, "should be a list", "begin each of its elements with a dash")
            return
        for n, one in enumerate(value):
            if isinstance(one, dict):
                yield At(self.sheet, self.place(name, n), one)
            else:
                told = f"{dotted(self.place(name, n))}: should be a map"
                self.sheet.say("error", self.place(name, n), told, "write keys and values")
