"""Silences are looked up and remembered; what they keep quiet is what trying each would say."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opsbook.alerts import silences
from opsbook.alerts.pipeline.model import Alert
from opsbook.alerts.silences import Index, Silence, index
from opsbook.base.database import Database, Transaction
from opsbook.book.matchers import Matcher, parse_all

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
VALUES = ["", "api", "shop", "api-1", "a\nb", "한국", "x" * 300]
PATTERNS = ["api|shop", "api.*", "", "x+", ".*", ".+", "[^a]*", "한.", "a\\nb", "(?i)API"]
NAMES = ["alertname", "team", "job"]


def silence(n: int, *matchers: str | Matcher, **more: Any) -> Silence:
    found = [m for one in matchers for m in ([one] if isinstance(one, Matcher) else parse_all(one))]
    values = {
        "starts_at": NOW - timedelta(hours=1), "ends_at": NOW + timedelta(days=2),
        "created_by": "lead", "comment": "why", "updated_at": NOW, **more,
    }  # fmt: skip
    return Silence(n, f"s{n}", "shop", tuple(found), **values)


def alert(**labels: str) -> Alert:
    return Alert(0, "shop", "x", "f", labels, {}, "", NOW, None, NOW)


def uuids(some: list[Silence]) -> list[str]:
    return [one.uuid for one in some]


def any_silence(dice: random.Random, n: int) -> Silence:
    some = []
    for _ in range(dice.randint(1, 3)):
        op: Any = dice.choice(["=", "!=", "=~", "!~"])
        value = dice.choice(PATTERNS if "~" in op else VALUES)
        some.append(Matcher(dice.choice(NAMES), op, value))
    return silence(n, *some, ends_at=NOW + timedelta(minutes=dice.randint(-5, 60)))


@pytest.mark.parametrize("seed", range(40))
def test_the_index_says_what_trying_each_says_while_silences_come_and_go(seed: int) -> None:
    dice = random.Random(seed)
    alerts = [
        alert(**{name: dice.choice(VALUES) for name in NAMES if dice.random() < 0.7})
        for _ in range(30)
    ]
    known: tuple[Silence, ...] = ()
    made = 0
    for _ in range(12):
        left = [one for one in known if dice.random() < 0.9]
        more = dice.choice([0, 1, 3, 20])
        known = (*left, *(any_silence(dice, made + n) for n in range(more)))
        made += more
        now = NOW + timedelta(minutes=dice.randint(0, 30))
        for one in dice.sample(alerts, 20):
            wanted = uuids(silences.matching(known, one.labels, now))
            assert uuids(silences.index_of(known).of(one, now)) == wanted
            assert uuids(Index(known).matching(one.labels, now)) == wanted


def test_nothing_is_evaluated_while_silences_and_labels_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = (silence(1, 'team=~"sh.*"'), silence(2, 'alertname="A"', 'job!~"x.*"'))
    shop = alert(alertname="A", team="shop")
    assert uuids(silences.index_of(known).of(shop, NOW)) == ["s1", "s2"]
    refuse_to_match(monkeypatch)
    assert uuids(silences.index_of(known).of(shop, NOW + timedelta(hours=1))) == ["s1", "s2"]
    with pytest.raises(AssertionError):
        silences.index_of(known).of(alert(alertname="A"), NOW)


def test_a_silence_that_comes_is_all_that_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    known = tuple(silence(n, f'team=~"sh.*|{n}"') for n in range(100))
    shop = alert(alertname="A", team="shop")
    assert len(silences.index_of(known).of(shop, NOW)) == 100
    after = (*known[1:], silence(200, 'alertname="A"'))
    tried: list[str] = []
    real = Matcher.matches

    def matches(self: Matcher, labels: Any) -> bool:
        if labels:  # without: whether it takes an alert without its label
            tried.append(self.name)
        return real(self, labels)

    monkeypatch.setattr(Matcher, "matches", matches)
    monkeypatch.setattr(index.Patterns, "met", fails)
    assert uuids(silences.index_of(after).of(shop, NOW)) == [
        *(f"s{n}" for n in range(1, 100)), "s200",
    ]  # fmt: skip
    assert tried == ["alertname"]


def test_other_labels_or_other_matchers_are_not_taken_for_what_is_known() -> None:
    known = (silence(1, 'team="shop"'),)
    shop = alert(alertname="A", team="shop")
    assert silences.index_of(known).of(shop, NOW)
    shop.labels = {"alertname": "A", "team": "web"}
    assert not silences.index_of(known).of(shop, NOW)
    changed = (silence(1, 'team="web"'),)
    assert silences.index_of(changed).of(shop, NOW)
    assert not silences.index_of(known).of(shop, NOW)


def test_a_recurring_silence_opens_and_closes_although_what_it_matches_is_remembered() -> None:
    again = silence(
        1, 'team="shop"', schedule="every day 13:00", length=timedelta(hours=1), timezone="UTC"
    )
    shop = alert(team="shop")
    found = [
        bool(silences.index_of((again,)).of(shop, NOW + timedelta(minutes=m)))
        for m in (0, 59, 60, 119, 120)
    ]
    assert found == [False, False, True, True, False]


@pytest.mark.parametrize("broken", ["too large", "given up"])
def test_patterns_that_cannot_be_asked_together_are_asked_one_by_one(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    if broken == "too large":
        monkeypatch.setattr(index, "ROOM", 1)
        monkeypatch.setattr(index, "ROOM_EACH", 1)
    else:
        monkeypatch.setattr(index, "_together", lambda _: Silent())
    some = index.Patterns(["api|shop", "x.*", ".*"])
    assert some.met("shop") == {"api|shop", ".*"}
    assert some.met("") == {".*"}


class Silent:
    """A set that has no room to answer."""

    def Match(self, value: str) -> None:  # noqa: N802
        return None


def test_a_thousand_patterns_and_three_thousand_alerts_are_quickly_looked_up() -> None:
    known = tuple(silence(n, f'alertname=~"(a|b|c)*{n}x.*"') for n in range(1_000))
    patterns = Index(known).patterns["alertname"]
    found = [patterns.met(f"abc{n}xyz") for n in range(3_000)]
    assert [len(one) for one in found] == [1] * 1_000 + [0] * 2_000
    assert patterns._set is not None


async def test_patterns_that_are_each_allowed_may_be_too_many(database: Database) -> None:
    def put(tx: Transaction, n: int) -> Silence:
        matchers = parse_all(f'alertname=~"(a|b)*a(a|b){{200}}{n}"')
        asked = silences.Wanted(matchers, NOW, NOW + timedelta(hours=1), "lead", "why")
        return silences.put(tx, NOW, "shop", asked, "account:1")

    def fill(tx: Transaction) -> list[Silence]:
        made: list[Silence] = []
        while len(made) < 1_000:
            try:
                made.append(put(tx, len(made)))
            except silences.InvalidSilence as error:
                assert "too much work together" in error.message  # noqa: PT017
                break
        return made

    made = await database.write(fill)
    assert 10 < len(made) < 200
    await database.write(lambda tx: silences.expire(tx, NOW, "shop", made[0].uuid, "account:1"))
    await database.write(lambda tx: put(tx, len(made)))


def refuse_to_match(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Matcher, "matches", fails)
    monkeypatch.setattr(index.Patterns, "met", fails)
    monkeypatch.setattr(index, "_takes", fails)


def fails(*_: object) -> Any:
    raise AssertionError("something was evaluated")
