"""The starter loads, and a loaded book answers what the rest of Opsbook asks of it."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ConfigDict, Field, ValidationError

from opsbook.base.errors import Bug
from opsbook.book import Text, Vocabulary, facts, load
from opsbook.book.fields import Part
from opsbook.book.measures import Condition
from opsbook.book.sections.people import Permission
from opsbook.checks import KINDS
from tests.book.kinds import VOCABULARY, Tcp, changed, problems, starter

FACTS = {"data": "/data", "url": "http://127.0.0.1:8420", "host": "127.0.0.1", "port": "8420"}


@pytest.fixture(scope="module")
def book():
    return load(starter(), VOCABULARY)


def test_the_starter_loads_with_the_kinds_that_opsbook_has():
    kinds = {name: kind.model for name, kind in KINDS.items()}
    assert problems(starter(), Vocabulary(kinds, frozenset())) == []


def test_every_element_has_its_place(book):
    files = book.files
    for section in ("checks", "rules", "people", "severities", "routines", "services"):
        for id in getattr(book, section):
            file, line = book.where(section, id).split(":")
            assert files[file].splitlines()[int(line) - 1].strip().startswith(f"{id}:")
    assert book.where("runbooks", "first-response") == "runbooks/first-response.md:1"
    file, line = book.where("runbooks", "first-response", "steps", "repair").split(":")
    assert "{#repair" in files[file].splitlines()[int(line) - 1]
    assert book.where("nothing", "at", "all") == ""


def test_a_book_cannot_be_changed(book):
    with pytest.raises(ValidationError):
        book.status = "draft"
    with pytest.raises(TypeError):
        book.checks["new"] = book.checks["disk"]
    with pytest.raises(ValidationError):
        book.checks["disk"].every = timedelta(0)


def test_a_check_keeps_its_kinds_own_fields_and_upper_layers_fill_the_places(book):
    check = book.checks["opsbook-port"]
    assert (check.spec.host, check.spec.port) == ("{opsbook.host}", "{opsbook.port}")
    assert facts.fill(check.spec, FACTS) == Tcp(host="127.0.0.1", port=8420)
    assert book.checks["disk"].spec == facts.fill(book.checks["disk"].spec, FACTS)
    with pytest.raises(ValidationError):
        facts.fill(check.spec, {**FACTS, "port": "not a port"})


def test_bands_judge_a_value(book):
    bands = book.checks["disk"].bands
    assert [bands.state(value, "%") for value in (50, 86, 96)] == ["ok", "warning", "critical"]


def test_an_alert_fills_the_runbook_from_its_labels(book):
    rule = book.rules["disk-full"]
    labels = rule.labels_of(book.id, book.checks[rule.check])
    assert labels == {
        "alertname": "disk-full", "book": "starter", "rule": "disk-full", "check": "disk",
        "severity": "P2", "service": "machine",
    }  # fmt: skip
    assert rule.arguments(labels) == {"check": "disk", "keep_days": "7"}
    assert rule.arguments({}) == {"keep_days": "7"}


def test_the_schedule_is_in_the_books_zone(book):
    monday = datetime(2026, 1, 5, tzinfo=UTC)
    assert book.schedule("morning").next_after(monday) == datetime(2026, 1, 6, tzinfo=UTC)


def test_a_rule_escalates_as_it_says_or_as_its_severity_does(book):
    policy = book.escalation_of("disk-full")
    assert policy is not None
    assert policy.id == "standard"
    assert book.escalation_of("disk-filling") is None


def test_people_are_found_by_their_account(book):
    assert book.person_of("operator") == "operator"
    assert book.person_of("nobody") is None
    files = changed("people.yaml", "account: operator ", "")
    assert load(files, VOCABULARY).people["operator"].login == "operator"


def test_steps_that_only_read_are_three_and_the_rest_waits(book):
    steps = book.runbooks["first-response"].steps
    assert [(step.kind, step.effect) for step in steps] == [
        ("bash", "read"), ("bash", "read"), ("bash", "read"), ("approval", "read"),
        ("bash", "change"), ("check", "read"), ("manual", "read"),
    ]  # fmt: skip
    assert {step.effect for step in book.runbooks["morning-check"].steps} == {"read"}


def test_nothing_in_the_starter_pages_in_the_first_minutes(book):
    paging = [rule for rule in book.rules.values() if book.escalation_of(rule.id)]
    assert min(rule.for_ for rule in paging) >= timedelta(minutes=2)


def test_a_section_may_be_spread_over_files_and_left_empty():
    files = {**starter(), "more.yaml": "services:\n  shop: {title: Shop, ref: '§1'}\nroles:\n"}
    book = load(files, VOCABULARY)
    assert set(book.services) == {"machine", "opsbook", "shop"}
    assert book.services["shop"].ref == "§1"
    assert book.where("services", "shop") == "more.yaml:2"


def test_a_draft_is_loaded_too():
    assert load(changed("book.yaml", "active", "draft"), VOCABULARY).status == "draft"


@pytest.mark.parametrize(
    ("language", "told"), [("ko", "디스크"), ("ko-KR", "디스크"), ("en", "Disk"), ("de", "Disk")]
)
def test_a_text_is_in_the_language_asked_for_or_the_nearest(language, told):
    assert Text.of({"ko": "디스크", "en": "Disk"}).in_language(language) == told
    assert Text.of("one").in_language(language) == "one"


@pytest.mark.parametrize(
    ("when", "state", "value", "holds"),
    [
        ("warning", "warning", 1, True), ("warning", "critical", 1, True),
        ("warning", "nodata", None, False), ("critical", "warning", 1, False),
        ("nodata", "nodata", None, True), ("nodata", "critical", 1, False),
        ("> 90%", "ok", 91, True), ("> 90%", "critical", 89, False),
        ("> 90%", "nodata", None, False), ("> 90%", "critical", None, False),
    ],
)  # fmt: skip
def test_a_condition_is_that_state_or_worse_and_silence_is_its_own(when, state, value, holds):
    assert Condition.of(when).holds(state, value, "%") is holds


def test_a_permission_includes_the_lower_levels():
    assert Permission.of("*:admin").allows("incidents", "write")
    assert Permission.of("runs:write").allows("runs", "read")
    assert not Permission.of("runs:read").allows("runs", "write")
    assert not Permission.of("runs:admin").allows("books", "read")


def test_a_kind_that_would_swallow_mistakes_is_a_bug():
    class Open(Part):
        model_config = ConfigDict(extra="ignore")

    class Taking(Part):
        every: int = Field(default=1)

    with pytest.raises(Bug, match="must forbid extra fields"):
        Vocabulary({"open": Open})
    with pytest.raises(Bug, match="every"):
        Vocabulary({"taking": Taking})
