"""Routes and rules that are carried over one after the other still belong together."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml

from opsbook.app import build, vocabulary
from opsbook.book import load, read_folder, remarks
from opsbook.settings import Settings
from tests.alerts.exchange.test_commands import call
from tests.alerts.exchange.tools import PEOPLE
from tests.support.alertmanager import Ears, listening, running_alertmanager
from tests.support.prometheus import running_prometheus

ALERTMANAGER = """\
route:
  receiver: default
  group_by: [alertname]
  group_wait: 0s
  routes:
    - {matchers: [severity="critical", team="infra"], receiver: team-infra-pager}
    - {matchers: ['severity=~"critical|warning"'], receiver: team-chat}
inhibit_rules:
  - {source_matchers: [severity="critical"], target_matchers: [severity!="critical"], equal: [job]}
receivers:
  - {name: default, webhook_configs: [{url: "http://127.0.0.1:PORT/default"}]}
  - {name: team-infra-pager, webhook_configs: [{url: "http://127.0.0.1:PORT/pager"}]}
  - {name: team-chat, webhook_configs: [{url: "http://127.0.0.1:PORT/chat"}]}
"""
RULES = """\
groups:
  - name: hosts
    rules:
      - {alert: TargetDown, expr: vector(1), labels: {severity: critical, team: infra, job: a}}
      - {alert: QueueLong, expr: vector(1), labels: {severity: warning, job: b}}
"""
WORDS = ("--severity", "critical=P1", "--severity", "warning=P3")


class Folder:
    """A book that is carried over to, and the files that are."""

    def __init__(self, place: Path, port: int = 1) -> None:
        self.book = place / "shop"
        self.book.mkdir(parents=True)
        people = {**PEOPLE, "roles": {"lead": ["*:admin"]}}
        people["people"] = {**PEOPLE["people"], "lead": {"name": "Lead", "roles": ["lead"]}}
        (self.book / "book.yaml").write_text(yaml.safe_dump(people, sort_keys=False))
        self.files = {"alertmanager": place / "am.yml", "prometheus": place / "rules.yml"}
        self.files["alertmanager"].write_text(ALERTMANAGER.replace("PORT", str(port)))
        self.files["prometheus"].write_text(RULES)

    def carry(self, kind: str, *words: str) -> Any:
        """Import one of the two."""
        return call("import", kind, self.files[kind], "--into", self.book, *words)

    def texts(self) -> dict[str, str]:
        return {file.name: file.read_text() for file in self.book.iterdir()}

    def remarks(self) -> list[str]:
        book = load(read_folder(self.book), vocabulary())
        return [str(one) for one in remarks.of(book) if "severity" in one.message]


def test_in_either_order_both_speak_of_the_books_severities(tmp_path: Path) -> None:
    found = []
    for n, order in enumerate(itertools.permutations(("alertmanager", "prometheus"))):
        folder = Folder(tmp_path / str(n))
        for kind in order:
            done = folder.carry(kind, *WORDS)
            assert (done.status, done.err) == (0, ""), order
        assert call("validate", folder.book).status == 0
        assert folder.remarks() == []
        found.append(folder.texts())
    assert found[0] == found[1]
    routing = yaml.safe_load(found[0]["routing.yaml"])
    first, second = routing["routing"]["routes"]
    assert first["match"] == {"severity": "P1", "team": "infra"}
    assert second["matchers"] == ['severity=~"P1|P3"']
    (inhibition,) = routing["inhibitions"].values()
    assert (inhibition["while"], inhibition["mutes_matchers"]) == (
        {"severity": "P1"}, ['severity!="P1"'],
    )  # fmt: skip
    intake = yaml.safe_load(found[0]["intakes.yaml"])["intakes"]["prometheus"]
    assert intake["severities"] == {"critical": "P1", "warning": "P3"}


def test_rules_alone_say_which_routes_pass_them_by_and_what_to_write(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    plain = folder.carry("alertmanager")
    assert plain.status == 0
    assert "nothing says what 'critical' is in the book" in plain.err
    done = folder.carry("prometheus", *WORDS)
    assert done.status == 0
    routing = folder.book / "routing.yaml"
    lines = routing.read_text().splitlines()
    told = [one for one in done.err.splitlines() if one.startswith(f"{routing}:")]
    assert len(told) == 5
    for one in told:
        assert "critical" in lines[int(one.split(":")[1]) - 1] or "warning" in one
    assert 'routing.routes[0].match.severity: severity="critical" does not mean' in told[0]
    assert told[0].endswith("write P1 there instead of critical.")
    assert folder.remarks() != []


def test_an_intake_that_is_there_is_named_with_what_to_write_into_it(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    door = "intakes: {outside: {title: Outside, kind: alertmanager, severities: {warning: P3}}}\n"
    (folder.book / "doors.yaml").write_text(door)
    done = folder.carry("alertmanager", *WORDS)
    assert done.status == 0
    assert "what comes in by outside says critical still" in done.err
    assert "write severities: {critical: P1} under intakes.outside of the book" in done.err
    assert not (folder.book / "intakes.yaml").exists()


def test_what_cannot_be_said_in_the_books_words_is_named(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    file = folder.files["alertmanager"]
    more = "    - {matchers: ['severity=~\"crit.*\"'], receiver: team-chat}\n"
    text = file.read_text().replace("inhibit_rules:", f"{more}inhibit_rules:")
    file.write_text(text.replace('"critical|warning"', '"critical|page"'))
    done = folder.carry("alertmanager", "--severity", "critical=P1", "--severity", "fatal=P1")
    told = [one.partition(": changed: ")[2] for one in done.err.splitlines()]
    assert any("nothing says what 'page' is in the book" in one for one in told)
    assert any('severity=~"crit.*" is no list of words' in one for one in told)
    assert sum("means what is fatal as well" in one for one in told) == 4


def said_by(ears: Ears) -> dict[str, str]:
    """Which alert came to which path, of what was heard."""
    return {
        alert["labels"]["alertname"]: one.path for one in ears.heard for alert in one.body["alerts"]
    }


@pytest.mark.timeout(120)
async def test_a_real_prometheus_with_the_exported_rules_ends_at_the_right_receivers(
    tmp_path: Path,
) -> None:
    async with listening() as ears:
        folder = Folder(tmp_path, ears.port)
        for kind in ("prometheus", "alertmanager"):
            assert folder.carry(kind, *WORDS).status == 0
        out = tmp_path / "out"
        for kind in ("prometheus", "alertmanager"):
            assert call("export", kind, folder.book, "--into", out).status == 0
        rules = (out / "shop.rules.yml").read_text()
        data = tmp_path / "data"
        app = build(Settings(books=(folder.book,), data=data, listen=("127.0.0.1", 0)))
        await app.start()
        try:
            host, port = app.address
            target = f"{host}:{port}"
            await until_told(ears, rules, target, "/in/shop/prometheus")
        finally:
            await app.stop()
        expected = {"TargetDown": "/pager", "QueueLong": "/chat"}
        assert said_by(ears) == expected
        ears.heard.clear()
        with running_alertmanager((out / "alertmanager.yml").read_text()) as there:
            await until_told(ears, rules, there.removeprefix("http://"), "/")
        assert said_by(ears) == expected


async def until_told(ears: Ears, rules: str, target: str, path: str) -> None:
    """Let a Prometheus with these rules tell somebody, until two have been heard."""
    configuration = f"""\
global: {{scrape_interval: 200ms, evaluation_interval: 200ms}}
rule_files: [shop.rules.yml]
alerting:
  alertmanagers:
    - path_prefix: {path}
      static_configs: [{{targets: ["{target}"]}}]
"""
    again = "--rules.alert.resend-delay=1s"
    with running_prometheus(configuration, {"shop.rules.yml": rules}, again):
        await ears.until(2, within=40)
