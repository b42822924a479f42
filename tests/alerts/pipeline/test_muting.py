"""What inhibits is found by the labels that must be equal, and once for each moment."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from opsbook.alerts.pipeline import model
from opsbook.alerts.pipeline.model import Alert, prometheus_fingerprint
from opsbook.alerts.pipeline.muting import MOST_NAMED, Inhibitor
from opsbook.book import Book
from opsbook.book.matchers import all_match
from tests.alerts.pipeline.desk import book

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SHOP = book(
    'inhibitions: {worse: {while: {severity: P1}, mutes_matchers: ["severity=~\\"P1|P2\\"", '
    '"team!=\\"db\\""], equal: [service]}, all: {while: {alertname: Down}, '
    "mutes: {severity: P3}}}"
)


def alert(name: str, ends_at: datetime | None = None, **labels: str) -> Alert:
    return Alert(0, "shop", "x", name, labels, {}, "", NOW, ends_at, NOW)


def tried(of: Book, alerts: Iterable[Alert], one: Alert, now: datetime) -> set[str]:
    """What Alertmanager's rules say, alert by alert."""
    found = set()
    for rule in of.inhibitions.values():
        if not all_match(rule.targets, one.labels):
            continue
        both = all_match(rule.sources, one.labels)
        for other in alerts:
            same = all(other.labels.get(n, "") == one.labels.get(n, "") for n in rule.equal)
            if not same or other.over(now) or not all_match(rule.sources, other.labels):
                continue
            if not (both and all_match(rule.targets, other.labels)):
                found.add(other.fingerprint)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_what_inhibits_is_what_trying_each_says_while_alerts_come_and_go(seed: int) -> None:
    dice = random.Random(seed)
    inhibitor = Inhibitor.of(SHOP, ())
    known: dict[str, Alert] = {}
    for n in range(60):
        if known and dice.random() < 0.3:
            inhibitor.forget(known.pop(dice.choice(sorted(known))))
        ends = NOW + timedelta(minutes=dice.randint(-5, 60))
        labels = {
            "alertname": dice.choice(["Down", "Slow"]), "severity": dice.choice(["P1", "P2", "P3"]),
            "service": dice.choice(["api", "shop"]), "team": dice.choice(["db", "web"]),
        }  # fmt: skip
        made = alert(f"f{n}", ends, **labels)
        known[made.fingerprint] = made
        inhibitor.note(made)
        now = NOW + timedelta(minutes=dice.choice([0, n]))
        for one in known.values():
            wanted = tried(SHOP, known.values(), one, now)
            found = inhibitor.by(one.labels, now)
            assert set(found) <= wanted
            assert bool(found) == bool(wanted)
            assert len(wanted) > MOST_NAMED or set(found) == wanted


def test_five_hundred_that_inhibit_five_hundred_are_looked_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sources = [
        alert(f"s{n}", NOW if n < 450 else None, alertname="Down", severity="P2")
        for n in range(500)
    ]
    inhibitor = Inhibitor.of(SHOP, sources)
    looked: list[str] = []
    real = Alert.over

    def counted(self: Alert, now: datetime) -> bool:
        looked.append(self.fingerprint)
        return real(self, now)

    monkeypatch.setattr(Alert, "over", counted)
    for _ in range(500):
        assert len(inhibitor.by({"severity": "P3"}, NOW)) == MOST_NAMED
    assert len(looked) <= len(sources)


def test_names_of_prometheus_are_remembered_by_a_digest_and_no_more_than_so_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model, "_named", {})
    monkeypatch.setattr(model, "MOST_NAMED", 3)
    for n in range(10):
        prometheus_fingerprint({"alertname": f"A{n}", "long": "x" * 5_000})
    assert len(model._named) == 3
    assert {len(key) for key in model._named} == {16}
    names = [prometheus_fingerprint({"a": "b", "c": "d"}) for _ in range(2)]
    assert names == [prometheus_fingerprint({"c": "d", "a": "b"})] * 2
    assert prometheus_fingerprint({"a": "bc", "d": ""}) != prometheus_fingerprint({"a": "b"})
