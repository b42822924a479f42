"""Nothing that differs is missing from a plan, and nothing is told of books that are the same."""

import copy
import json

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from opsbook.book import BookError, load
from opsbook.book.model import Sections
from opsbook.revisions.plan import as_data, change_of, compare
from opsbook.web.i18n import Speech
from tests.book.kinds import VOCABULARY
from tests.revisions.planned import BOOK, FILES, MORE, NOW, RUNBOOK, book, plan


class Plain(yaml.SafeLoader):
    """YAML whose dates stay the texts they are in a book."""


Plain.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
WHOLE = {**yaml.load(BOOK, Plain), **yaml.load(MORE, Plain)}
OTHERS = (
    "admin", "responder", "first-person", "second-person", "third-person", "operations", "P1",
    "P2", "disk", "web", "clean", "warning", "critical", "1h", "45d", "> 50%", "< 3%", ">= 97%",
    "every day 05:00", "매주 월요일 10:00", "2026-12-01", "optional", "dangerous", True, 3, 7,
    "Another text",
)  # fmt: skip
STEPS = (
    ("effect=read", ""), ("by=admin", "by=responder"), ("within=4h", "within=2h"),
    ("timeout=5m", "timeout=6m"), ("echo remove", "echo gone"), ("risk: change", "risk: dangerous"),
    ("# Clean up", "# Tidy up"), ("#verify", "#verified"), ("df -h /", "df -h /srv"),
    ("risk: change", "risk: change\nlock: disk"),
)  # fmt: skip


def leaves(value, path=()):
    """The paths of every value and of every element in nested maps and lists."""
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in inside:
        if isinstance(inner, (dict, list)):
            yield from leaves(inner, (*path, key))
        else:
            yield (*path, key)


PATHS = sorted(leaves(WHOLE), key=str)


def edited(sections, path, other):
    """The sections with one value replaced, or with what is there removed for ``None``."""
    at = sections
    for step in path[:-1]:
        at = at[step]
    if other is None:
        del at[path[-1]]
    elif isinstance(at[path[-1]], list):
        at[path[-1]] = [other, *at[path[-1]]][:2]
    elif not isinstance(at[path[-1]], dict):
        at[path[-1]] = other


@st.composite
def books(draw):
    """Books a few edits away from the whole one; an edit that makes no book is left out."""
    files = {**FILES, "more.yaml": "", "book.yaml": json.dumps(WHOLE)}
    for _ in range(draw(st.integers(0, 3))):
        sections = copy.deepcopy(yaml.load(files["book.yaml"], Plain))
        path = draw(st.sampled_from(PATHS))
        try:
            edited(sections, path, draw(st.sampled_from((None, *OTHERS))))
        except (KeyError, IndexError, TypeError):
            continue
        tried = {**files, "book.yaml": json.dumps(sections, ensure_ascii=False)}
        if draw(st.booleans()):
            old, new = draw(st.sampled_from(STEPS))
            tried["runbooks/clean.md"] = RUNBOOK.replace(old, new, 1)
        if draw(st.booleans()):
            tried["files/tidy.sh"] = draw(st.sampled_from(("echo tidy\n", "echo other\n")))
        try:
            load(tried, VOCABULARY)
        except BookError:
            continue
        files = tried
    return load(files, VOCABULARY)


def test_a_book_that_is_given_another_id_says_so():
    (change,) = plan(("id: shop\n", "id: store\n")).changes
    assert str(change) == "id is store instead of shop."


@given(books(), books())
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_plan_is_empty_exactly_when_the_books_are_the_same(old, new):
    found = compare(old, new, NOW)
    same = old.files == new.files
    assert found.empty == same
    spoken = {one.section for one in found.changes} | {
        one.id for one in found.changes if one.section == "book"
    }
    for section in Sections.model_fields:
        if getattr(old, section) != getattr(new, section):
            assert section in spoken, section
    for id in set(old.runbooks) | set(new.runbooks):
        before, after = old.runbooks.get(id), new.runbooks.get(id)
        if before is None or after is None or before.source != after.source:
            assert ("runbooks", id) in {(one.section, one.id) for one in found.changes}
    if old.files["files/tidy.sh"] != new.files["files/tidy.sh"]:
        assert "files/tidy.sh" in {one.id for one in found.changes}


@given(st.sampled_from(PATHS), st.sampled_from((None, *OTHERS)))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_one_edit_is_told_of_the_element_it_was_made_in(path, other):
    sections = copy.deepcopy(WHOLE)
    edited(sections, path, other)
    base = {**FILES, "more.yaml": "", "book.yaml": json.dumps(WHOLE)}
    try:
        new = load({**base, "book.yaml": json.dumps(sections)}, VOCABULARY)
    except BookError:
        assume(False)
    old = load(base, VOCABULARY)
    section = str(path[0])
    assume(getattr(old, section) != getattr(new, section))
    found = list(compare(old, new, NOW).changes)
    listed = isinstance(WHOLE[section], dict) and section not in {"routing", "extensions"}
    wanted = (section, str(path[1])) if listed and len(path) > 1 else ("book", section)
    if listed and len(path) == 1:
        assert section in {one.section for one in found}
    else:
        assert wanted in {(one.section, one.id) for one in found}


def test_every_change_points_at_a_line_of_one_of_the_two_books():
    edits = (
        ("every day 08:00", "every day 09:00"), ("need: 2", "need: 1"), ("echo tidy", "echo x"),
        ("reports:\n  weekly", "reports:\n  monthly"), ("echo remove", "echo gone"),
    )  # fmt: skip
    for one in plan(*edits).changes:
        file, _, line = one.where.rpartition(":")
        assert file in FILES, one
        assert 1 <= int(line) <= len(FILES[file].splitlines()) + 1


def test_a_comment_alone_is_told_as_nothing_but_a_comment():
    (change,) = plan(("id: shop\n", "id: shop  # the id\n")).changes
    assert str(change) == "Only comments, order or layout differ, in: book.yaml."


def test_a_default_that_is_written_down_changes_nothing_else():
    (change,) = plan(("title: Database, of", "title: Database, at_least: 1, of")).changes
    assert str(change).startswith("Only comments, order or layout differ")


def test_a_password_in_a_contact_or_an_address_is_in_no_plan():
    secret = "hunter2"
    found = plan(
        ("name: Third", f'name: Third, contacts: ["mailto://a:{secret}@example.org"]'),
        ("http://127.0.0.1/", f"http://a:{secret}@127.0.0.1/"),
        ("ntfy://ntfy.example.org/users", f"ntfy://a:{secret}@ntfy.example.org/users"),
    )
    assert len(found.changes) == 3
    assert secret not in json.dumps(as_data(found))


def test_a_contact_of_which_only_the_password_differs_is_told_without_either():
    with_one = 'name: Third, contacts: ["mailto://a:one@example.org"]'
    old = book(("name: Third", with_one))
    new = book(("name: Third", with_one.replace("one", "two")))
    assert [str(one) for one in compare(old, new, NOW).changes] == [
        "people.third-person.contacts was changed."
    ]


def test_a_change_survives_being_stored():
    for one in plan(("every day 08:00", "every day 09:00"), ("need: 2", "need: 1")).changes:
        assert change_of(json.loads(json.dumps(one.as_data()))) == one


@pytest.mark.parametrize("edit", [("every day 08:00", "every day 09:00"), ("need: 2", "need: 1")])
def test_a_plan_is_said_in_korean(edit):
    (one,) = plan(edit).changes
    said = one.told(Speech("ko").say)
    assert said != str(one)
    assert any("가" <= letter <= "힣" for letter in said)
    assert "Mon" not in said
