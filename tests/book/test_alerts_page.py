"""docs/reference/alerts.md: its examples are one book that goes where the page says."""

import re
from datetime import timedelta
from pathlib import Path
from typing import get_args

from opsbook.alerts.intake.kinds import KINDS as SENDERS
from opsbook.alerts.pipeline import muting, routing
from opsbook.app import vocabulary
from opsbook.base.quantities import parse_duration
from opsbook.book import load, remarks
from opsbook.book.sections import intakes
from opsbook.book.sections.routing import Inhibition, Receiver, Route, TimeInterval
from opsbook.book.sections.routing import TimeRange as Range

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "alerts.md").read_text()


def examples():
    """Every piece of YAML on the page; what stands twice under one section is put together."""
    pieces = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    return {f"example-{n}.yaml": text for n, text in enumerate(pieces)}


def book(**more):
    return load({**examples(), **more}, vocabulary())


def where(labels, of=None):
    """The receivers of an alert, as the tree names them."""
    return [node.receiver for node in routing.root(of or book()).taken_by(labels)]


def test_the_examples_are_a_book_without_a_remark():
    assert len(examples()) >= 8
    assert remarks.of(book()) == ()


def test_alerts_go_where_the_page_sends_them():
    assert where({"severity": "P1", "team": "shop"}) == ["everybody"]
    assert where({"severity": "P2", "team": "shop"}) == ["incident,chat"]
    assert where({"severity": "P2", "team": "web"}) == ["operations"]
    assert where({"severity": "P3", "alertname": "Watchdog"}) == ["nobody"]
    assert where({"severity": "P3", "team": "shop"}) == ["chat"]


def test_the_defaults_are_those_on_the_page():
    plain = routing.root(load({"book.yaml": examples()["example-0.yaml"]}, vocabulary()))
    assert (plain.as_, plain.group_by, plain.listeners) == ("incident", None, ())
    assert (plain.wait, plain.interval) == (timedelta(0), timedelta(0))
    grouped = routing.root(
        load(
            {"book.yaml": examples()["example-0.yaml"] + "routing: {group_by: []}\n"}, vocabulary()
        )
    )
    row = re.compile(r"^\| `(group_\w+|repeat_\w+)` \| [^|]+ \| `(\w+)` \|$", re.MULTILINE)
    told = dict(row.findall(PAGE))
    assert {name: parse_duration(text) for name, text in told.items()} == {
        "group_wait": grouped.wait,
        "group_interval": grouped.interval,
        "repeat_interval": grouped.repeat,
    }
    assert plain.repeat == grouped.repeat


def test_what_keeps_alerts_quiet_is_told_in_the_order_of_the_stages():
    part = PAGE.split("## What keeps an alert quiet")[1].split("\n\n**")[0]
    told = re.findall(r"^\d\. \*\*([^*]+)\*\*", part, re.MULTILINE)
    assert told == ["Inhibition", "A check it stands behind", "`active`", "`mute`", "A silence"]
    assert [stage.__name__ for stage in muting.STAGES] == [
        "inhibited", "behind", "inactive", "muted", "silenced",
    ]  # fmt: skip


def test_every_key_and_every_kind_of_sender_is_on_the_page():
    models = (Route, Receiver, Inhibition, TimeInterval, Range)
    keys = {field.alias or name for one in models for name, field in one.model_fields.items()}
    unsaid = {"id", "ref", "title"}
    assert {key for key in keys - unsaid if not re.search(rf"\b{key}\b", PAGE)} == set()
    shown = set(re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", PAGE, re.MULTILINE))
    assert set(get_args(intakes.IntakeKind)) <= shown
    assert set(SENDERS) <= set(get_args(intakes.IntakeKind))


def test_the_remarks_on_the_page_are_what_validate_remarks():
    part = PAGE.split("## What validate remarks on")[1].split("\n## ")[0]
    shown = re.findall(r"^\| `(.+)` \| .+ \|$", part, re.MULTILINE)
    routes = (
        "routing:\n  to: [chat]\n  routes:\n    - {to: [chat]}\n    - {match: {severity: P1}}\n"
        "    - {match: {severity: P1}, matchers: ['severity=\"P2\"'], as: incident}\n"
    )
    plain = examples()["example-0.yaml"].replace(", escalation: standard", "")
    routes += "    - {match: {severity: critical}}\n"
    door = "intakes:\n  prometheus: {title: Prometheus, kind: alertmanager}\n"
    words = "{check: front-page, when: warning, severity: P2, summary: 'Slow: {{ $labels.host }}'}"
    files = {"book.yaml": plain + routes + door, "more.yaml": f"rules:\n  slow: {words}\n"}
    found = list(remarks.of(load(files, vocabulary())))
    seventh = "inhibitions: {odd: {while: {severity: P7}, mutes: {severity: P1}}}\n"
    found += remarks.of(load({"book.yaml": plain + seventh}, vocabulary()))
    assert {one.message.partition(": ")[2] for one in found} == set(shown)
