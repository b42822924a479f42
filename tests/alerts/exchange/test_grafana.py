"""Dashboards: their structure, their thresholds, and what is drawn of a book."""

import json
from typing import Any

import jsonschema
import pytest

from opsbook.alerts.exchange import grafana
from opsbook.book.sections.checks import Bands
from tests.alerts.exchange.tools import made
from tests.books import shelf

URL = "https://opsbook.example.org"
SOURCE = {
    "type": "object",
    "required": ["type", "uid"],
    "properties": {"type": {"const": "prometheus"}, "uid": {"const": "${datasource}"}},
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["id", "uid", "title", "schemaVersion", "panels", "templating", "time", "tags"],
    "properties": {
        "id": {"type": "null"},
        "uid": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,40}$"},
        "title": {"type": "string", "minLength": 1},
        "schemaVersion": {"type": "integer", "minimum": 36},
        "tags": {"type": "array", "items": {"type": "string"}},
        "time": {"type": "object", "required": ["from", "to"]},
        "templating": {
            "type": "object",
            "properties": {
                "list": {
                    "type": "array",
                    "minItems": 1,
                    "contains": {
                        "properties": {
                            "name": {"const": "datasource"}, "type": {"const": "datasource"},
                            "query": {"const": "prometheus"},
                        },
                        "required": ["name", "type", "query"],
                    },
                }
            },
        },
        "panels": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": [
                    "id", "type", "title", "gridPos", "datasource", "targets", "fieldConfig",
                    "options",
                ],
                "properties": {
                    "id": {"type": "integer", "minimum": 1},
                    "type": {"const": "timeseries"},
                    "title": {"type": "string", "minLength": 1},
                    "datasource": SOURCE,
                    "gridPos": {
                        "type": "object",
                        "required": ["h", "w", "x", "y"],
                        "properties": {
                            "w": {"maximum": 24}, "x": {"minimum": 0, "maximum": 23},
                        },
                    },
                    "targets": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["refId", "expr", "datasource"],
                            "properties": {
                                "refId": {"pattern": "^[A-Z]$"},
                                "expr": {"type": "string", "minLength": 1},
                                "datasource": SOURCE,
                            },
                        },
                    },
                    "fieldConfig": {
                        "type": "object",
                        "required": ["defaults", "overrides"],
                        "properties": {
                            "defaults": {
                                "properties": {
                                    "unit": {"type": "string"},
                                    "thresholds": {
                                        "required": ["mode", "steps"],
                                        "properties": {"steps": {"type": "array", "minItems": 1}},
                                    },
                                },
                            }
                        },
                    },
                },
            },
        },
    },
}  # fmt: skip
BOOK = """
services: {web: {title: {ko: 웹, en: Web}}}
checks:
  latency:
    title: Latency
    kind: promql
    url: http://127.0.0.1:9090
    service: web
    query: histogram_quantile(0.95, sum by (le) (rate(seconds_bucket[5m]))) * 1000
    unit: ms
    bands: {normal: "< 500ms", warning: "> 500ms", critical: "> 2s"}
  port: {title: Port, kind: tcp, host: 127.0.0.1, port: 1}
dashboards:
  main: {title: Main, panels: [{check: latency, title: How slow}, {check: port}]}
rules:
  hot: {promql: 'max(temperature{x=~">"}) > 85', severity: P1, summary: Too hot}
"""


def boards(*texts: str) -> dict[str, Any]:
    out = grafana.write(made(*texts), url=URL)
    return {name: json.loads(text) for name, text in out.files.items()}


def test_every_dashboard_has_the_structure_of_grafanas_model() -> None:
    drawn = boards(BOOK)
    assert list(drawn) == ["shop-board-main.json", "shop-service-web.json", "shop-rules.json"]
    for board in drawn.values():
        jsonschema.validate(board, SCHEMA)
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert len({board["uid"] for board in drawn.values()}) == 3


def test_the_schema_of_this_test_refuses_what_is_no_dashboard() -> None:
    board = next(iter(boards(BOOK).values()))
    for spoiled in (
        {**board, "uid": "x" * 41}, {**board, "panels": []}, {**board, "templating": {"list": []}},
        {**board, "panels": [{**board["panels"][0], "targets": []}]},
    ):  # fmt: skip
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(spoiled, SCHEMA)


def test_bands_become_thresholds_in_the_unit_of_the_values() -> None:
    board = boards(BOOK)["shop-board-main.json"]
    (panel,) = board["panels"]
    defaults = panel["fieldConfig"]["defaults"]
    assert (panel["title"], defaults["unit"]) == ("How slow", "ms")
    assert defaults["thresholds"]["steps"] == [
        {"color": "green", "value": None},
        {"color": "orange", "value": 500.0},
        {"color": "red", "value": 2000.0},
    ]


@pytest.mark.parametrize(
    ("bands", "unit", "colors"),
    [
        ({"critical": "< 14d", "warning": "< 30d"}, "d",
         [("red", None), ("orange", 14.0), ("green", 30.0)]),
        ({"normal": "30%..70%", "between": "warning"}, "%",
         [("orange", None), ("green", 30.0), ("orange", 70.0)]),
        ({"critical": "10..20"}, "", [("green", None), ("red", 10.0), ("green", 20.0)]),
        ({}, "", [("green", None)]),
    ],
)  # fmt: skip
def test_every_band_is_drawn_as_it_judges(
    bands: dict[str, str], unit: str, colors: list[tuple[str, float | None]]
) -> None:
    steps = grafana.thresholds(Bands.model_validate(bands), unit)
    assert [(one["color"], one["value"]) for one in steps] == colors


def test_a_rule_is_drawn_without_its_comparison_and_with_when_it_fires() -> None:
    (panel,) = boards(BOOK)["shop-rules.json"]["panels"]
    assert panel["targets"][0]["expr"] == 'max(temperature{x=~">"})'
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1] == {
        "color": "red", "value": 85.0,
    }  # fmt: skip
    assert 'ALERTS{alertname="hot",alertstate="firing",book="shop"}' in panel["targets"][1]["expr"]


@pytest.mark.parametrize(
    ("expression", "split"),
    [
        ("a > 5", ("a", ">", 5.0)),
        ("sum(rate(a[5m])) / sum(b) <= -1.5e3", ("sum(rate(a[5m])) / sum(b)", "<=", -1500.0)),
        ('a{x="b or c"} < 1', ('a{x="b or c"}', "<", 1.0)),
        ("a and b > 5", None), ("a > 1 < 5", None), ("(a > 5)", None), ("a == 5", None),
        ("a > bool 5", None), ("a # b > 5", None), ("a > b", None),
    ],
)  # fmt: skip
def test_only_a_comparison_that_stands_last_and_alone_is_taken_off(
    expression: str, split: tuple[str, str, float] | None
) -> None:
    assert grafana.limit_of(expression) == split


def test_what_is_in_no_prometheus_is_named() -> None:
    out = grafana.write(made(BOOK), url=URL)
    assert [one.message for one in out.findings] == [
        "dashboards.main.panels[1]: port is a check of the kind tcp, in no Prometheus"
    ]
    empty = grafana.write(shelf.book("starter"), url=URL)
    assert not empty.files
    assert "nothing can be drawn" in empty.findings[0].message


def test_a_long_or_korean_name_is_one_that_grafana_takes_and_stays_the_same() -> None:
    for name in ("x" * 60, "쇼핑몰-service-웹"):
        assert len(grafana.uid(name)) <= 40
        assert grafana.uid(name).isascii()
        assert grafana.uid(name) == grafana.uid(name) != grafana.uid(f"{name}2")
