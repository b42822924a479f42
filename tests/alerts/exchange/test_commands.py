"""`opsbook export`, `import` and `routes test` as people use them."""

import contextlib
import io
import shutil
from pathlib import Path

import pytest
import yaml

from opsbook.cli import main
from tests.alerts.exchange.test_alertmanager import SECRETS
from tests.alerts.exchange.tools import FILES, PEOPLE, amtool, promtool
from tests.books.shelf import FOLDER
from tests.support.front_door import Answer
from tests.support.front_door import call as as_a_program

SAMPLE = FILES / "alertmanager.yml"


def call(*words: str | Path, cwd: Path | None = None) -> Answer:
    """Run a command within this process, which spares a second of importing each time."""
    out, err = io.StringIO(), io.StringIO()
    here = contextlib.chdir(cwd or Path())
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), here:
        status = main([str(one) for one in words])
    return Answer(status, out.getvalue(), err.getvalue())


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A book that has nobody told of anything yet."""
    folder = tmp_path / "book"
    folder.mkdir()
    (folder / "book.yaml").write_text(yaml.safe_dump(dict(PEOPLE), sort_keys=False))
    return folder


def test_an_alertmanager_yml_becomes_a_book_that_loads_and_leaves_again(
    people: Path, tmp_path: Path
) -> None:
    done = call("import", "alertmanager", SAMPLE, "--into", people)
    assert done.status == 0, done.err
    names = [f"● {people / name}" for name in ("routing.yaml", "channels.yaml", "intakes.yaml")]
    assert done.out.splitlines() == names
    assert f"{SAMPLE}:23:7: deprecated: route.routes[0].match:" in done.err
    assert f"{SAMPLE}:15:5: missing: templates[0]:" in done.err
    assert "  PAGER_PAGERDUTY  pagerduty://{routing_key}@events" in done.err
    assert not [secret for secret in SECRETS if secret in done.err + done.out]
    assert call("validate", people).status == 0
    out = as_a_program("export", "alertmanager", people, "--into", tmp_path / "out")
    assert out.status == 0
    assert "SUCCESS" in amtool("check-config", tmp_path / "out" / "alertmanager.yml")


def test_an_import_overwrites_nothing_and_does_not_route_twice(people: Path) -> None:
    call("import", "alertmanager", SAMPLE, "--into", people)
    before = {file.name: file.read_bytes() for file in people.iterdir()}
    again = call("import", "alertmanager", SAMPLE, "--into", people)
    assert again.status == 2
    assert "has routing: already" in again.err
    (people / "routing.yaml").rename(people / "away")
    (people / "routing.yaml").write_text("")
    in_the_way = call("import", "alertmanager", SAMPLE, "--into", people)
    assert in_the_way.status == 1
    assert "already has routing.yaml, channels.yaml." in in_the_way.err
    assert (people / "away").read_bytes() == before["routing.yaml"]
    assert (people / "routing.yaml").read_bytes() == b""


def test_a_broken_file_is_told_in_full_without_a_trace_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    file, into = tmp_path / "am.yml", tmp_path / "new"
    file.write_text("route: {receiver: x, group_wait: soon}\nreceivers: [{nam: y}]\n")
    done = call("import", "alertmanager", file, "--into", into)
    assert done.status == 2
    told = [line for line in done.err.splitlines() if line.startswith(f"{file}:")]
    assert [line.split(":")[1] for line in told] == ["1", "1", "2", "2"]
    assert "Traceback" not in done.err
    assert not into.exists()
    shown = call("import", "alertmanager", file, "-o", "json")
    assert shown.status == 2
    assert [one["level"] for one in shown.json["findings"]] == ["error"] * 4


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a: \x01", b"a: [", b"\x00" * 100])
def test_what_is_no_text_is_told_with_its_place(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "am.yml"
    file.write_bytes(content)
    for kind in ("alertmanager", "prometheus"):
        done = call("import", kind, file)
        assert done.status == 2
        assert done.err.startswith(f"{file}:1:")
        assert "bug" not in done.err


def test_a_file_that_is_not_there_is_a_misuse(tmp_path: Path) -> None:
    done = call("import", "alertmanager", tmp_path / "gone.yml")
    assert (done.status, "cannot be read: No such file" in done.err) == (2, True)


def test_rules_come_over_with_the_words_for_their_severities(people: Path) -> None:
    file = people.parent / "rules.yml"
    rule = "{alert: Down, expr: up == 0, labels: {severity: page}}"
    file.write_text(f"groups: [{{name: a, rules: [{rule}]}}]\n")
    asked = call("import", "prometheus", file, "--into", people, "-o", "json")
    assert asked.status == 2
    assert "--severity page=ID" in asked.json["findings"][0]["remedy"]
    assert not (people / "rules.yaml").exists()
    done = call("import", "prometheus", file, "--into", people, "--severity", "page=P1")
    assert (done.status, done.err) == (0, "")
    assert call("validate", people).status == 0


def test_rules_leave_with_their_proof_into_a_folder(tmp_path: Path) -> None:
    book = FOLDER / "kubernetes"
    several = call("export", "prometheus", book)
    assert several.status == 2
    assert "Name a folder with --into" in several.err
    done = call(
        "export", "prometheus", book, "--into", tmp_path, "--url", "https://ops.example.org"
    )
    assert done.status == 0
    rules, tests = sorted(tmp_path.iterdir())
    promtool("check", "rules", rules)
    assert "SUCCESS" in promtool("test", "rules", tests)
    assert call("export", "prometheus", book, "--into", tmp_path).status == 0


def test_a_book_with_mistakes_is_not_exported(people: Path) -> None:
    (people / "more.yaml").write_text("routing: {to: [nobody-there]}\n")
    done = call("export", "alertmanager", people)
    assert (done.status, done.out) == (2, "")
    assert "nobody-there" in done.err


def test_a_finding_of_an_export_names_the_place_in_the_book() -> None:
    done = call("export", "alertmanager", "books/kubernetes", cwd=FOLDER.parent)
    assert done.status == 0
    assert "books/kubernetes/people.yaml:" in done.err
    assert "hours.business: Alertmanager knows no holidays" in done.err
    assert done.out.startswith("# Written from the book ai-platform")


def test_dashboards_are_written_for_what_prometheus_is_asked(tmp_path: Path) -> None:
    done = call("export", "grafana", FOLDER / "kubernetes", "--into", tmp_path)
    assert done.status == 0
    assert (tmp_path / "ai-platform-rules.json").exists()
    nothing = call("export", "grafana", FOLDER / "starter")
    assert nothing.status == 1
    assert "nothing can be drawn" in nothing.err


def test_where_an_alert_goes_is_told_with_groups_waits_and_what_keeps_it_quiet() -> None:
    book = FOLDER / "kubernetes"
    night = call("routes", "test", book, "severity=P4", "--at", "2026-03-02T23:00")
    assert night.status == 0
    assert 'routing.routes[5] {severity="P4"}  tells: platform-chat' in night.out
    assert "quiet   within nights" in night.out
    assert "What the inhibition worse-includes-milder names may keep it quiet" in night.out
    day = call("routes", "test", book, "severity=P4", "--at", "2026-03-02T12:00+09:00")
    assert "quiet   " not in day.out
    model = call("routes", "test", book, "domain=model", "--at", "2026-03-01T12:00+09:00")
    assert "quiet   outside of business" in model.out


def test_where_an_alert_of_a_rule_goes_is_asked_by_the_rule() -> None:
    found = call("routes", "test", FOLDER / "compose", "rule=api-down", "-o", "json").json
    assert found["labels"]["severity"] == "P1"
    (way,) = found["routes"]
    assert (way["path"], way["as"], way["to"]) == ([0], "incident", ["shop", "team-chat"])
    assert way["group_labels"] == {"rule": "api-down", "service": "api"}
    assert (way["group_wait"], way["repeat_interval"]) == ("30s", "4h")


@pytest.mark.parametrize("words", [("x",), ("=x",), ("a=1", "a=2"), ("a=1", "--at", "noon")])
def test_labels_and_times_that_are_none_are_a_misuse(words: tuple[str, ...]) -> None:
    done = call("routes", "test", FOLDER / "compose", *words)
    assert done.status == 2
    assert done.err.startswith("error: ")


INTAKE = """
intakes:
  prometheus:
    {title: Prometheus, kind: alertmanager, token: "env:P", severities: {critical: P1},
     severity: P3, labels: {team: shop}}
rules:
  spoken-for: {received: ['alertname="Full"'], severity: P3, summary: Full}
routing: {to: [ops], routes: [{match: {severity: P1, team: shop}, to: [lead]}]}
"""


def test_where_an_alert_goes_that_an_intake_takes_is_asked_in_its_senders_words(
    people: Path,
) -> None:
    (people / "more.yaml").write_text(INTAKE)

    def way(*labels: str) -> tuple[str, str, list[str]]:
        words = ("routes", "test", people, *labels, "--intake", "prometheus", "-o", "json")
        found = call(*words).json
        return found["severity"], found["labels"].get("rule", ""), found["routes"][0]["to"]

    assert way("alertname=Down", "severity=critical") == ("P1", "", ["lead"])
    assert way("alertname=Down", "severity=other") == ("P3", "", ["ops"])
    assert way("alertname=Full", "severity=critical") == ("P3", "spoken-for", ["ops"])
    shown = call("routes", "test", people, "severity=critical", "--intake", "prometheus").out
    assert shown.startswith("By prometheus it is P1: severity=P1, team=shop\n")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("rule=api-dwn",), "There is no rule 'api-dwn' in the book.\n  Did you mean 'api-down'?"),
        (("sev~erity=x",), "'sev~erity' is no label's name."),
        (("severity!=P1",), "'severity!' is no label's name."),
        (("a=1", "--intake", "nope"), "There is no intake 'nope' in the book."),
    ],
)
def test_a_rule_an_intake_or_a_label_that_cannot_be_is_a_misuse(
    given: tuple[str, ...], why: str
) -> None:
    done = call("routes", "test", FOLDER / "compose", *given)
    assert (done.status, done.out) == (2, "")
    assert why in done.err


def test_a_book_carried_over_twice_by_the_program_stays_the_same(tmp_path: Path) -> None:
    book = tmp_path / "compose"
    shutil.copytree(FOLDER / "compose", book)
    first = call("export", "alertmanager", book).out
    (tmp_path / "am.yml").write_text(first)
    alerts = book / "alerts.yaml"
    alerts.write_text(alerts.read_text().partition("routing:")[0])
    assert call("import", "alertmanager", tmp_path / "am.yml", "--into", book).status == 0
    second = call("export", "alertmanager", book).out
    assert second.partition("\nroute:")[2] == first.partition("\nroute:")[2]
