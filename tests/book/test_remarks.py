"""What is no mistake in a book and still does something else than it may seem."""

import pytest

from opsbook.book import load, remarks
from tests.book import error_pages
from tests.book.kinds import VOCABULARY
from tests.support.front_door import call


def told(text):
    """The remarks on the base book with more in it."""
    files = {**error_pages.base(), "more.yaml": text}
    return [f"{one.message}. {one.remedy}".strip() for one in remarks.of(load(files, VOCABULARY))]


def test_the_base_book_has_none():
    assert told("") == []


def test_an_intake_without_a_token_is_remarked_on():
    assert told("intakes: {near: {title: Near, kind: alertmanager}}\n") == [
        "intakes.near: without a token: it takes alerts from this machine only."
    ]
    door = "intakes: {near: {title: Near, kind: alertmanager, token: env:NEAR}}\n"
    assert told(door) == []


def routes(*lines):
    return "routing:\n  to: [operations]\n  routes:\n" + "".join(f"    - {one}\n" for one in lines)


@pytest.mark.parametrize(
    ("lines", "taker"),
    [
        (["{to: [operator]}", "{match: {severity: P1}}"], 1),
        (["{matchers: ['team=~\".*\"']}", "{match: {severity: P1}}"], 1),
        (["{match: {severity: P1}}", "{match: {severity: P1, team: web}}"], 1),
        (["{matchers: ['severity=~\"P1|P2\"']}", "{match: {severity: P2}}"], 1),
        (["{matchers: ['team!=\"web\"']}", "{match: {team: shop}}"], 1),
        (["{match: {team: a}}", "{match: {team: b}}", "{match: {team: b, severity: P1}}"], 2),
        (["{to: [operator], continue: true}", "{match: {severity: P1}}"], None),
        (["{match: {severity: P1, team: web}}", "{match: {severity: P1}}"], None),
        (["{matchers: ['team=~\"a|b\"']}", "{match: {team: c}}"], None),
        (["{matchers: ['severity=~\"P.\"']}", "{matchers: ['severity=~\"P[12]\"']}"], None),
    ],
)
def test_a_route_that_an_earlier_one_leaves_nothing_is_found(lines, taker):
    found = told(routes(*lines))
    if taker is None:
        assert found == []
    else:
        (remark,) = found
        assert f"route {taker} before it takes them all" in remark
        assert remark.startswith(f"routing.routes[{len(lines) - 1}]: no alert comes here")


def test_conditions_of_a_route_and_of_the_one_around_it_may_exclude_each_other():
    inner = "{match: {severity: P1}, routes: [{match: {severity: P2}, to: [operator]}]}"
    assert told(routes(inner)) == [
        "routing.routes[0].routes[0]: no alert comes here, since none is both "
        'severity="P1" and severity="P2". take one of the two out'
    ]


def test_incidents_that_page_nobody_are_remarked_on():
    plain = error_pages.base()["base.yaml"].replace(", escalation: standard", "")
    more = "receivers:\n  r: {as: incident}\nrouting:\n  as: incident\n"
    book = load({"base.yaml": plain + more}, VOCABULARY)
    assert [one.message.partition(":")[0] for one in remarks.of(book)] == [
        "receivers.r.as",
        "routing.as",
    ]


SPOKEN = routes("{match: {severity: P7}}", "{matchers: ['severity=~\"P1|critical\"']}")
DOOR = "intakes: {{near: {{title: Near, kind: alertmanager, token: env:NEAR{more}}}}}\n"


def test_a_severity_that_no_alert_has_is_remarked_on_where_alerts_are_chosen_by_it():
    seventh, spoken = told(SPOKEN)
    assert seventh == (
        "routing.routes[0]: severity=\"P7\": no alert has the severity 'P7'. known here: P1, P2"
    )
    assert "no alert has the severity 'critical'" in spoken
    both = "inhibitions: {a: {while: {severity: P0}, mutes_matchers: ['severity!=\"P9\"']}}\n"
    assert [one.partition(":")[0] for one in told(both)] == ["inhibitions.a", "inhibitions.a"]
    fine = "inhibitions: {a: {while: {severity: P1}, mutes_matchers: ['severity=~\"P2|\"']}}\n"
    assert told(fine) == []


def test_a_word_that_an_intake_translates_is_not_what_routes_see():
    seventh, spoken = told(SPOKEN + DOOR.format(more=", severities: {Critical: P1}"))
    assert "'P7'" in seventh
    assert spoken.endswith("'critical', since the intake near makes P1 of it. write P1")


def test_a_senders_own_word_is_remarked_on_where_rules_of_the_book_do_not_say_it():
    plain = DOOR.format(more="")
    rule = "rules:\n  here: {promql: up == 0, severity: P1, summary: Down}\n"
    other = "rules:\n  here: {received: ['a=\"b\"'], severity: P1, summary: Down}\n"
    base = error_pages.base()["base.yaml"]
    without = base[: base.index("rules:")] if "rules:" in base else base
    alone = {"base.yaml": without, "more.yaml": SPOKEN + plain}
    assert list(remarks.of(load(alone, VOCABULARY))) == []
    alone["rules.yaml"] = other
    assert list(remarks.of(load(alone, VOCABULARY))) == []
    found = told(SPOKEN + plain + rule)
    assert found[1].endswith(
        "no rule of the book has the severity 'critical', only what comes in by near may say it. "
        "write severities: {critical: …} at the intake, and … here"
    )


def test_validate_says_them_and_finds_the_book_right(tmp_path):
    more = {"more.yaml": routes("{to: [operator]}", "{match: {severity: P1}}")}
    error_pages.write({**error_pages.base(), **more}, tmp_path)
    answer = call("validate", tmp_path)
    assert answer.status == 0, answer.err
    assert (
        "a remark: routing.routes[1]: no alert comes here: route 1 before it takes them all "
        "(more.yaml:5); move this one before it, or give that one continue: true" in answer.out
    )
    (found,) = call("validate", tmp_path, "-o", "json").json["books"][0]["book"]["remarks"]
    assert found["where"] == "more.yaml:5"
    assert found["remedy"]


@pytest.mark.parametrize("name", ["summary", "title", "description"])
def test_a_template_that_nobody_fills_in_is_remarked_on(name):
    words = {"summary": "The disk is full", name: '"Disk of {{ $labels.host }} is full"'}
    said = ", ".join(f"{key}: {value}" for key, value in words.items())
    (one,) = told(f"rules:\n  full: {{check: disk, when: critical, severity: P2, {said}}}\n")
    assert one.startswith(f"rules.full.{name}: {{{{ $labels.host }}}} is told as it stands")
    elsewhere = f"rules:\n  full: {{promql: up == 0, severity: P2, {said}}}\n"
    assert told(elsewhere) == []
