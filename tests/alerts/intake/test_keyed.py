"""An alert that its sender knows by a name: what becomes worse is told anew, an end ends it."""

from datetime import timedelta

from opsbook.alerts.intake.keyed import spelled_out
from opsbook.alerts.intake.posted import Posted, told_apart_by
from opsbook.app import vocabulary
from opsbook.book import load
from tests.alerts.intake.gate import BOOK, NOW

SHOP = load({"book.yaml": BOOK}, vocabulary())
INTAKE = SHOP.intakes["json"]


def of(word: str, key: str = "k", **more: object) -> Posted:
    return Posted({"alertname": "x", "severity": word}, key=key, **more)  # type: ignore[arg-type]


def fires(events: list[Posted]) -> set[str]:
    """What fires after these, each known as the pipeline knows it."""
    found: dict[frozenset[tuple[str, str]], str] = {}
    for event in events:
        for one in spelled_out(SHOP, INTAKE, [event], NOW):
            name = frozenset(told_apart_by("json", one).items())
            if one.endsAt is not None and one.endsAt <= NOW:
                found.pop(name, None)
            else:
                found[name] = one.labels["severity"]
    return set(found.values())


def test_what_becomes_worse_is_another_alert_and_the_end_of_the_first() -> None:
    assert fires([of("mild")]) == {"mild"}
    assert fires([of("mild"), of("bad")]) == {"bad"}
    assert fires([of("mild"), of("bad"), of("fatal"), of("mild")]) == {"mild"}
    assert fires([of("bad"), of("P2")]) == {"P2"}  # two words for one severity: the same alert


def test_an_end_ends_it_whatever_it_has_become() -> None:
    for word in ("mild", "bad", "fatal", ""):
        over = Posted({"alertname": "k"}, endsAt=NOW, key="k")
        assert fires([of(word), over]) == set()
        assert fires([over]) == set()


def test_other_names_and_alerts_without_one_are_left_alone() -> None:
    assert fires([of("bad", "a"), of("fatal", "b")]) == {"bad", "fatal"}
    plain = of("bad", "", startsAt=NOW - timedelta(minutes=1))
    assert spelled_out(SHOP, INTAKE, [plain], NOW) == [plain]


def test_what_ends_a_name_with_another_severity_touches_no_alert_without_a_name() -> None:
    made = spelled_out(SHOP, INTAKE, [of("bad")], NOW)
    assert [one.labels for one in made] == [{}, {}, {"alertname": "x", "severity": "bad"}]
    assert [one.key for one in made] == ["P1 k", "P3 k", "P2 k"]
