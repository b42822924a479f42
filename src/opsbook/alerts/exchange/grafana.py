"""Dashboards for Grafana: what a book asks a Prometheus, drawn with its bands as thresholds.

One dashboard for each of the book's own, one for each service that PromQL looks after, and one for
the rules in PromQL. Checks of other kinds are looked at by Opsbook and are in no Prometheus. The
data source is a variable, since a book does not know what it is called in somebody's Grafana.

Source of the form: Grafana's dashboard JSON model. Version 39 of it is that of Grafana 11; later
ones read it and bring it up to date by themselves.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from opsbook.alerts.exchange.alertmanager_out import Exported
from opsbook.alerts.exchange.findings import Finding
from opsbook.alerts.exchange.rules_out import RUNBOOK
from opsbook.base.quantities import Band
from opsbook.book import Book
from opsbook.book.matchers import Matcher
from opsbook.book.positions import Path, dotted
from opsbook.book.sections.alerts import Rule
from opsbook.book.sections.checks import Bands, Check
from opsbook.book.texts import Text

SCHEMA_VERSION: Final = 39
_WIDTH, _HEIGHT, _COLUMNS = 12, 8, 2
_LONGEST_UID: Final = 40
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_COLORS: Final = {"ok": "green", "warning": "orange", "critical": "red"}
_UNITS: Final[Mapping[str, str]] = {
    "": "short", "%": "percent", "ms": "ms", "s": "s", "d": "d", "bytes": "bytes",
}  # fmt: skip
_LIMIT: Final = re.compile(
    r"(?P<left>.+?)\s*(?P<op>>=|<=|>|<)\s*(?P<limit>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)", re.DOTALL
)
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`')
_LOOSER: Final = re.compile(r"\b(and|or|unless|bool)\b|#|[=!<>]=|[<>]", re.IGNORECASE)


def write(book: Book, *, url: str) -> Exported:
    """Write every dashboard, each a file that Grafana imports."""
    drawing = _Drawing(book, url)
    boards = [*drawing.own(), *drawing.services(), *drawing.rules()]
    if not boards:
        told = "neither a check nor a rule of the book is in PromQL, so that nothing can be drawn"
        drawing.say((), told, "write a check of the kind promql, or a rule with promql:")
    files = {
        f"{board['uid']}.json": json.dumps(board, ensure_ascii=False, indent=2) + "\n"
        for board in boards
    }
    return Exported(files, tuple(sorted(set(drawing.findings))))


@dataclass(slots=True)
class _Drawing:
    book: Book
    url: str
    findings: list[Finding] = field(default_factory=list)

    def say(self, path: Path, message: str, remedy: str) -> None:
        mark = self.book.positions.key(path) if path else None
        place = (mark.file, mark.line, mark.column) if mark else ("book.yaml", 1, 1)
        told = f"{dotted(path)}: {message}" if path else message
        self.findings.append(Finding(*place, "missing", told, remedy))

    def text(self, text: Text | None) -> str:
        return text.in_language(self.book.languages[0]) if text is not None else ""

    def own(self) -> Iterator[dict[str, Any]]:
        """The dashboards that the book itself has."""
        for id, board in self.book.dashboards.items():
            panels = []
            for n, one in enumerate(board.panels):
                check = self.book.checks[one.check]
                if (query := query_of(check)) is None:
                    told = f"{one.check} is a check of the kind {check.kind}, in no Prometheus"
                    self.say(("dashboards", id, "panels", n), told, "look at it in Opsbook")
                else:
                    panels.append(self.check(check, query, self.text(one.title)))
            if panels:
                about = self.text(board.description)
                yield self.board(f"board-{id}", self.text(board.title), about, panels)

    def services(self) -> Iterator[dict[str, Any]]:
        """What PromQL sees of each service."""
        for id, service in self.book.services.items():
            panels = [
                self.check(check, query, "")
                for check in self.book.checks.values()
                if check.service == id and (query := query_of(check)) is not None
            ]
            if panels:
                about = self.text(service.description)
                yield self.board(f"service-{id}", self.text(service.title), about, panels)

    def rules(self) -> Iterator[dict[str, Any]]:
        """The rules that a Prometheus evaluates."""
        panels = [self.rule(rule) for rule in self.book.rules.values() if rule.promql is not None]
        if panels:
            title = f"{self.text(self.book.title)}: alerting rules"
            yield self.board("rules", title, "", panels)

    def check(self, check: Check, query: str, title: str) -> dict[str, Any]:
        unit = check.value_unit or next((one.limit.unit for one in bands_of(check.bands)), "")
        title = title or self.text(check.title)
        steps = thresholds(check.bands, unit)
        return _panel(title, self.text(check.description), [(query, "")], unit, steps)

    def rule(self, rule: Rule) -> dict[str, Any]:
        expression = (rule.promql or "").strip()
        steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
        if (split := limit_of(expression)) is not None:
            expression, op, limit = split
            above, below = ("red", "green") if op.startswith(">") else ("green", "red")
            steps = [{"color": below, "value": None}, {"color": above, "value": limit}]
        firing = ",".join(
            str(Matcher(name, "=", value))
            for name, value in (
                ("alertname", rule.id),
                ("alertstate", "firing"),
                ("book", self.book.id),
            )
        )
        queries = [(expression, ""), (f"count(ALERTS{{{firing}}})", "firing")]
        title = self.text(rule.title) or self.text(rule.summary)
        panel = _panel(title, self.text(rule.description), queries, "", steps)
        if rule.runbook is not None:
            path = RUNBOOK.format(book=quote(self.book.id), runbook=quote(rule.runbook))
            link = {"title": rule.runbook, "url": self.url.rstrip("/") + path, "targetBlank": True}
            panel["links"] = [link]
        return panel

    def board(
        self, name: str, title: str, about: str, panels: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        placed = [
            {
                "id": n + 1,
                "gridPos": {
                    "h": _HEIGHT, "w": _WIDTH, "x": n % _COLUMNS * _WIDTH,
                    "y": n // _COLUMNS * _HEIGHT,
                },
                **panel,
            }
            for n, panel in enumerate(panels)
        ]  # fmt: skip
        return {
            "id": None,
            "uid": uid(f"{self.book.id}-{name}"),
            "title": title,
            "description": about,
            "tags": ["opsbook", self.book.id],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "timezone": "browser",
            "refresh": "1m",
            "time": {"from": "now-6h", "to": "now"},
            "annotations": {"list": []},
            "links": [],
            "templating": {"list": [_source()]},
            "panels": placed,
        }


def query_of(check: Check) -> str | None:
    """The PromQL of a check, or None where another kind looks."""
    query = getattr(check.spec, "query", None) if check.kind == "promql" else None
    return query if isinstance(query, str) else None


def uid(name: str) -> str:
    """A name as Grafana takes it: 40 letters at most, and the same for the same name."""
    if len(name) <= _LONGEST_UID and re.fullmatch(r"[A-Za-z0-9_-]+", name):
        return name
    kept = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:27]
    return f"{kept}-{hashlib.blake2b(name.encode(), digest_size=6).hexdigest()}".lstrip("-")


def bands_of(bands: Bands) -> list[Band]:
    """The bands that are said."""
    return [one for one in (bands.normal, bands.warning, bands.critical) if one is not None]


def thresholds(bands: Bands, unit: str) -> list[dict[str, Any]]:
    """The colors between the limits, each asked of the bands themselves.

    A limit belongs to the color above it; on the limit itself the two may differ.
    """
    limits: set[float] = set()
    for one in bands_of(bands):
        limits.add(one.limit.in_unit(unit))
        if one.upto is not None:
            limits.add(one.upto.in_unit(unit))
    edges = sorted(limits)
    steps: list[dict[str, Any]] = []
    for start, inside in zip((None, *edges), _between(edges), strict=True):
        color = _COLORS[bands.state(inside, unit)]
        if not steps or steps[-1]["color"] != color:
            steps.append({"color": color, "value": start})
    return steps


def _between(edges: Sequence[float]) -> Iterator[float]:
    """A value below the first edge, one between each two, and one above the last."""
    yield edges[0] - 1 if edges else 0.0
    for low, high in itertools.pairwise(edges):
        yield (low + high) / 2
    if edges:
        yield edges[-1] + 1


def limit_of(expression: str) -> tuple[str, str, float] | None:
    """An expression that ends in a comparison with a number, taken apart; None for any other.

    With the comparison in it, a panel would be empty until it is too late.
    """
    found = _LIMIT.fullmatch(expression)
    if found is None:
        return None
    left = found["left"]
    plain = _QUOTED.sub('""', left)
    selectors = re.sub(r"\{[^{}]*\}", "{}", plain)
    if _LOOSER.search(selectors) or any(
        plain.count(opened) != plain.count(closed) for opened, closed in ("()", "[]", "{}")
    ):
        return None
    return left, found["op"], float(found["limit"])


def _panel(
    title: str,
    about: str,
    queries: Iterable[tuple[str, str]],
    unit: str,
    steps: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    return {
        "type": "timeseries",
        "title": title,
        "description": about,
        "datasource": dict(_SOURCE),
        "fieldConfig": {
            "defaults": {
                "unit": _UNITS.get(unit, f"suffix:{unit if unit.startswith('/') else f' {unit}'}"),
                "thresholds": {"mode": "absolute", "steps": list(steps)},
                "custom": {"thresholdsStyle": {"mode": "line" if len(steps) > 1 else "off"}},
            },
            "overrides": [],
        },
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {
                "refId": chr(ord("A") + n), "datasource": dict(_SOURCE), "expr": query,
                "legendFormat": legend or "__auto", "range": True, "editorMode": "code",
            }
            for n, (query, legend) in enumerate(queries)
        ],
    }  # fmt: skip


def _source() -> dict[str, Any]:
    return {
        "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
        "current": {}, "hide": 0, "includeAll": False, "multi": False, "options": [], "refresh": 1,
        "regex": "", "skipUrlSync": False,
    }  # fmt: skip
