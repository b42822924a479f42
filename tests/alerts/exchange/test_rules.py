"""Rule files: what promtool says of those that are written, and what becomes of others'."""

from pathlib import Path

import pytest
import yaml

from opsbook.alerts.exchange import Known, rules_in, rules_out
from opsbook.alerts.exchange.findings import NotReadable
from opsbook.alerts.exchange.severities import words
from opsbook.base.errors import Invalid
from opsbook.book import Book, BookError
from tests.alerts.exchange.tools import PEOPLE, made, promtool, refused
from tests.books import shelf

URL = "https://opsbook.example.org"
RULES = """
rules:
  target-down:
    title: {ko: 대상 중단, en: A target is down}
    promql: |
      up{job="web"} == 0
    every: 15s
    for: 2m
    resolve_after: 5m
    severity: P1
    summary: 'The target {{ $labels.instance }} is down: {{ $value }}'
    description: "Look at it.\\n\\nThen look again."
    labels: {team: web, region: '{{ $labels.region }}'}
    ref: https://wiki.example.org/target-down
    tests:
      - series: {'up{job="web",instance="a"}': '1x4 0x20'}
        at: 8m
      - series: {'up{job="web",instance="a"}': '1x4 0 0 1x20', 'up{job="db"}': '0x30'}
        at: 8m
        fires: false
      - series: {'up{job="web",instance="a"}': '0x3 1x40'}
        every: 30s
        at: 6m
        fires: false
  slow:
    promql: rate(seconds_sum[5m]) / rate(seconds_count[5m]) > 1.5
    severity: P3
    summary: {ko: 느리다, en: It is slow}
"""
FILES = ("shop.rules.yml", "shop.tests.yml")


def written(book: Book, folder: Path) -> dict[str, str]:
    files = dict(rules_out.write(book, url=URL).files)
    for name, text in files.items():
        (folder / name).write_text(text)
    return files


def severities() -> Known:
    return Known.of(dict(PEOPLE))


def test_promtool_accepts_the_rules_and_proves_the_examples(tmp_path: Path) -> None:
    files = written(made(RULES), tmp_path)
    assert tuple(files) == FILES
    assert "2 rules found" in promtool("check", "rules", tmp_path / FILES[0])
    assert "SUCCESS" in promtool("test", "rules", tmp_path / FILES[1])


SHORT = 'at: 8m\n      - series: {\'up{job="web",instance="a"}\': \'1x4 0 0'


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("== 0", "== 7"),
        ("fires: false", "fires: true"),
        ("for: 2m", "for: 20m"),
        (SHORT, SHORT.replace("8m", "3m")),
    ],
)
def test_an_example_that_does_not_hold_is_what_promtool_fails_on(
    said: str, instead: str, tmp_path: Path
) -> None:
    assert said in RULES
    written(made(RULES.replace(said, instead, 1)), tmp_path)
    assert "FAILED" in refused("promtool", "test", "rules", tmp_path / FILES[1])


def test_a_rule_has_the_labels_and_texts_that_its_alerts_have_here(tmp_path: Path) -> None:
    book = made(RULES)
    (fast, slow) = yaml.safe_load(written(book, tmp_path)[FILES[0]])["groups"]
    assert (fast["name"], fast["interval"], slow["name"]) == ("shop-15s", "15s", "shop")
    (rule,) = fast["rules"]
    labels = book.rules["target-down"].labels_of("shop", None)
    assert {"alertname": rule["alert"], **rule["labels"]} == labels
    assert (rule["for"], rule["keep_firing_for"]) == ("2m", "5m")
    assert rule["annotations"]["title_ko"] == "대상 중단"
    assert rule["annotations"]["title"] == "A target is down"
    assert rule["annotations"]["runbook_url"] == "https://wiki.example.org/target-down"
    assert slow["rules"][0]["annotations"]["summary_ko"] == "느리다"


def test_rules_that_are_exported_and_imported_again_are_the_same(tmp_path: Path) -> None:
    book = made(RULES.partition("    tests:")[0] + "  slow:" + RULES.partition("  slow:")[2])
    text = written(book, tmp_path)[FILES[0]]
    back = rules_in.read({"x.yml": text}, severities())
    assert back.findings == ()
    again = made(back.files["rules.yaml"])
    for id, rule in book.rules.items():
        assert again.rules[id] == rule.model_copy(update={"promql": (rule.promql or "").strip()})
    assert (
        written(again, tmp_path)[FILES[0]].partition("\n")[2]
        == text.replace('|\n          up{job="web"} == 0', "'up{job=\"web\"} == 0'").partition(
            "\n"
        )[2]
    )


def test_the_rule_of_an_example_book_passes_promtool(tmp_path: Path) -> None:
    files = written(shelf.book("kubernetes"), tmp_path)
    rules, tests = files
    promtool("check", "rules", tmp_path / rules)
    assert "SUCCESS" in promtool("test", "rules", tmp_path / tests)


def test_a_book_without_promql_has_nothing_to_export_and_says_why() -> None:
    out = rules_out.write(shelf.book("starter"), url=URL)
    assert not out.files
    assert "no rule of the book is in PromQL" in out.findings[0].message


def test_examples_need_a_rule_in_promql() -> None:
    checks = {"web": {"title": "Web", "kind": "tcp", "host": "127.0.0.1", "port": 1}}
    rule = {
        "check": "web", "when": "critical", "severity": "P1", "summary": "x",
        "tests": [{"series": {"up": "1"}, "at": "1m"}],
    }  # fmt: skip
    with pytest.raises(BookError, match="tests: means nothing without promql:"):
        made(checks=checks, rules={"x": rule})


FOREIGN = """\
groups:
  - name: hosts
    interval: 30s
    limit: 10
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
      - alert: HostDown
        expr: up == 0
        for: 5m
        keep_firing_for: 10m
        labels: {severity: critical, team: infra, service: hosts}
        annotations:
          summary: '{{ $labels.instance }} is down'
          description: Nothing answers.
          runbook_url: https://runbooks.example.org/HostDown
          dashboard: https://grafana.example.org/d/x
      - alert: HostDown
        expr: up == 0
        labels: {severity: warning}
        annotations: {message: Perhaps down.}
      - alert: Disk Full
        expr: disk > 0.9
"""


def test_others_rules_come_over_with_what_is_left_out_named() -> None:
    given = words(["critical=P1", "warning=P3", "P3"])
    back = rules_in.read({"hosts.yml": FOREIGN}, severities(), given)
    book = made(back.files["rules.yaml"])
    down, again, disk = book.rules.values()
    assert (down.id, down.severity, str(down.labels)) == ("HostDown", "P1", "{'team': 'infra'}")
    assert (str(down.for_), str(down.resolve_after), str(down.every)) == (
        "0:05:00", "0:10:00", "0:00:30",
    )  # fmt: skip
    assert str(down.summary) == "{{ $labels.instance }} is down"
    assert down.ref == "https://runbooks.example.org/HostDown"
    assert (again.id, str(again.summary)) == ("HostDown-warning", "Perhaps down.")
    assert (disk.id, disk.severity, str(disk.summary)) == ("Disk-Full", "P3", "Disk Full")
    told = [(one.line, one.level) for one in back.findings]
    assert told == [
        (4, "missing"), (6, "missing"), (12, "missing"), (17, "missing"), (18, "changed"),
        (22, "changed"),
    ]  # fmt: skip


def test_a_severity_that_the_book_does_not_have_is_asked_for_once_and_nothing_is_carried() -> None:
    more = f"{FOREIGN}        labels: {{severity: critical}}\n      - {{alert: A, expr: up}}\n"
    with pytest.raises(NotReadable) as asked:
        rules_in.read({"hosts.yml": more}, severities())
    critical, warning, none = map(str, asked.value.findings)
    assert critical.startswith(
        "hosts.yml:12:18: the severity 'critical' of the rule (and of 1 more)"
    )
    assert "--severity critical=ID, of P1, P3" in critical
    assert "'warning'" in warning
    assert "the rule says no severity" in none
    assert "--severity ID, of P1, P3" in none
    with pytest.raises(NotReadable, match="severity 'critical'"):
        rules_in.read({"hosts.yml": FOREIGN})
    kept = words(["Critical=critical", "warning=warning", "warning"])
    assert (
        "severity: critical"
        in rules_in.read({"hosts.yml": FOREIGN}, None, kept).files["rules.yaml"]
    )


def test_a_book_whose_intake_translates_already_need_not_be_told_again() -> None:
    door = {"kind": "alertmanager", "severities": {"critical": "P1", "warning": "P3"}}
    book = Known.of({**PEOPLE, "intakes": {"prometheus": door}})
    back = rules_in.read({"hosts.yml": FOREIGN}, book, words(["P3"]))
    assert made(back.files["rules.yaml"]).rules["HostDown"].severity == "P1"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["critical="], "says nothing"),
        (["=P1"], "says nothing"),
        ([""], "says nothing"),
        (["critical=P1", "critical=P3"], "says twice what 'critical' is: P1 and P3"),
        (
            ["critical=P9", "warning=P8"],
            "no severity 'P9'. .*no severity 'P8'. Of the book: P1, P3",
        ),
    ],
)
def test_words_for_severities_that_cannot_be_are_refused(given: list[str], why: str) -> None:
    with pytest.raises(Invalid, match=why):
        words(given, severities())


def test_the_rules_of_a_kubernetes_operator_are_taken_from_where_they_stand() -> None:
    inner = "".join(f"  {line}\n" for line in FOREIGN.splitlines())
    text = f"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nspec:\n{inner}"
    given = words(["critical=P1", "warning=P3", "P3"])
    plain = rules_in.read({"x.yml": FOREIGN}, severities(), given)
    assert rules_in.read({"x.yml": text}, severities(), given).files == plain.files


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("rules: []\n", "there are no groups"),
        ("groups: [{rules: []}]\n", "a group has no name"),
        ("groups: [{name: a, rules: [{expr: up}]}]\n", "a rule has no alert:"),
        ("groups: [{name: a, rules: [{alert: A}]}]\n", "a rule has no expr:"),
        ("groups: [{name: a, rules: [{alert: A, expr: up, fro: 1m}]}]\n", "did you mean 'for'?"),
        ("groups: [{name: a, rules: [{alert: A, expr: up, for: 1x}]}]\n", "'1x' is no duration"),
        ("groups: [{name: a, rules: [{alert: A, expr: up, labels: {a-b: c}}]}]\n", "label's name"),
        ("groups: [{name: a, rules: [{alert: A, expr: sum(up}]}]\n", "'(' in it is not closed"),
        ("groups: [\n", ""),
        ("", "holds no configuration"),
    ],
)
def test_a_broken_rule_file_is_refused_with_its_place(text: str, why: str) -> None:
    given = words(["critical=P1", "warning=P3", "P3"])
    with pytest.raises(NotReadable) as told:
        rules_in.read({"fine.yml": FOREIGN, "x.yml": text}, None, given)
    assert why in str(told.value)
    assert {one.file for one in told.value.findings} == {"x.yml"}
