"""docs/reference/errors: every message has its place there, and every page says what is said."""

import re
from collections import Counter

import pytest

from opsbook.book import complaints, drills, markdown
from opsbook.book.model import Sections
from opsbook.book.params import Param
from tests.book import error_pages, error_templates
from tests.book.error_pages import PAGES, judged
from tests.support.front_door import call

CASES = error_pages.cases()
MENDED = [case for case in CASES if case.mended]
REFERENCE = PAGES.parent

REMARKED = "no mistake: `opsbook validate` remarks on it, see test_remarks"
SECRETS = "no mistake: what does not work without a secret, see test_missing_secrets"
NOT_SHOWN = {
    "… of … lies beyond the calendar; give a day in the years … to … and far enough inside them": (
        "only a run is given a day that far away, see runs/test_poison.py"
    ),
    "this Opsbook runs: …": "every kind of the language is run, see test_step_language",
    "should be a number": "no field is a number with decimals so far",
    "write one such as 0.5": "no field is a number with decimals so far",
    "cannot be used here": "each form that a field has is told in words of its own, see below",
    "match …": "each form that a field has is told in words of its own, see below",
    "known here": "what a suggestion says unless its caller says more, which every one does",
    "has changed while it was read": "takes two at the same moment, see test_files",
    "try again when it is saved": "takes two at the same moment, see test_files",
    "this page is nested too deeply": "the parser stops at a depth of its own before that",
    "this runbook has no such parameter": "said of a run that is started, not of a book",
    "is required": "said of a run that is started, not of a book",
    "a span ends after it starts, not … to …": "a mistake in the program, not in a book",
    "… does not open within 500 days of …; take dates out of the holidays":
        "asked at a certain time, not of a book",
    "… has not come yet by … UTC": "asked at a certain time, not of a book",
    "there is no business day within … days of …; take dates out of the holidays":
        "asked at a certain time, not of a book",
    "… is not a regular expression that can be stopped: …; write it in a plainer way":
        "no pattern is known that the one engine reads and the other does not",
    "… could not be compared with its pattern in … s": "takes its time, see test_params",
    "write one that is in …": "said of the hundred and first wrong name, see test_messages",
    "… is empty, and the path would be another one without it":
        "said of a run's values, not of a book, see test_kinds_http",
    "… gives no host, or no port":
        "said of a run's values, not of a book, see test_kinds_http",
    "… would lead to another folder":
        "said of a run's values, not of a book, see test_kinds_http",
    "the header … would have a line break or a control character in it":
        "said of a run's values, not of a book, see test_kinds_http",
    "…= means nothing on a heading":
        "no mistake: `opsbook validate` remarks on it, see test_meant",
    "step …: nothing is called … by then, and the text is shown as it is":
        "no mistake: `opsbook validate` remarks on it, see test_meant",
    "a matcher longer than … characters is not taken": "a page of its own, see test_matchers",
    "more than … matchers are not taken": "one matcher is read at a time, see test_matchers",
    "without a token: it takes alerts from this machine only": REMARKED,
    "opens incidents that page nobody, since no severity has an escalation": REMARKED,
    "add escalation: to the severities that somebody must answer": REMARKED,
    "no alert comes here, since none is both … and …": REMARKED,
    "take one of the two out": REMARKED,
    "no alert comes here: route … before it takes them all": REMARKED,
    "move this one before it, or give that one continue: true": REMARKED,
    "…: no alert has the severity …": REMARKED,
    ", since the intake … makes … of it": REMARKED,
    "…: no rule of the book has the severity …, only what comes in by … may say it": REMARKED,
    "write severities: {…: …} at the intake, and … here": REMARKED,
    "… is told as it stands, since a rule over a check fills in nothing": REMARKED,
    "say it in words: what the check measured and its labels are told beside it": REMARKED,
    "nothing reaches them there": SECRETS,
    "nothing is told there": SECRETS,
    "nothing is sent there": SECRETS,
    "no sign of life goes out": SECRETS,
    "nobody can hand in alerts there, and senders are answered 503": SECRETS,
    "no step or check that needs it gets in": SECRETS,
    "it cannot look": SECRETS,
    "it never comes": "the reader of cron lines finds these itself",
    "… is not a size; write 512Ki, 4Gi or 20GB": "a parameter tells it in its own words",
    "… is not a percentage; write it as 80%": "a parameter tells it in its own words",
    "… ms": "a value for people to read",
    "… PiB": "a value for people to read",
}  # fmt: skip
"""Sentences of the source that no page shows, with the reason."""


def _lines() -> list[str]:
    return [line for case in CASES for line in case.told if line != error_pages.MORE]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_page_shows_what_is_really_said_and_it_says_what_to_do(case, tmp_path):
    problems = case.problems(tmp_path)
    assert problems, "nothing is wrong with this"
    assert case.prose, "not a word on why or when"
    told = [str(problem) for problem in problems]
    assert error_pages.shortened(told, case.told) == case.told
    for problem in problems:
        assert problem.file
        assert problem.line >= 1
        assert problem.column >= 1
        assert len(problem.message.split()) >= 2, problem
        assert len(problem.remedy.split()) >= 2, f"{problem} does not say what to do"
        assert not re.search(r"\bInput\b|\binput should\b|validation", problem.message), problem


@pytest.mark.parametrize("case", MENDED, ids=str)
def test_a_mended_piece_is_mended(case):
    assert [str(problem) for problem in judged(case.mended_files(), case.kinds)] == []


def test_nothing_is_wrong_with_the_book_that_the_pieces_are_put_into():
    assert [str(problem) for problem in judged(error_pages.base())] == []


def test_every_message_of_the_source_is_shown_on_a_page():
    lines = _lines()
    missing = [
        str(template)
        for template in error_templates.templates()
        if template.words not in NOT_SHOWN
        and not any(template.pattern.search(line) for line in lines)
    ]
    assert missing == [], "show each on a page of docs/reference/errors"


def test_what_is_not_shown_is_in_the_source_and_really_is_not_shown():
    source = {template.words: template for template in error_templates.templates()}
    lines = _lines()
    assert [words for words in NOT_SHOWN if words not in source] == []
    general = {"it never comes", "match …", "… never comes…", "… ms", "is required"}
    assert [
        words
        for words in NOT_SHOWN.keys() - general
        if any(source[words].pattern.search(line) for line in lines)
    ] == []


def test_a_new_message_would_be_found(tmp_path):
    source = tmp_path / "new.py"
    source.write_text(
        '"""Reads owls."""\n'
        "def owls(n, whole):\n"
        '    """No owl is left out."""\n'
        '    told = f"{n} owls sit on {whole}" if n else "there is no owl"\n'
        '    yield whole.problem(told, "bring " + "one owl")\n'
        '    raise ValueError(f"{n!r} is no owl; bring one owl")\n'
    )
    found = [template.words for template in error_templates.of_file(source, "new.py")]
    assert found == ["… owls sit on …", "there is no owl", "one owl", "… is no owl; bring one owl"]


def test_each_case_and_each_message_is_shown_once():
    titles = Counter((case.page, case.title) for case in CASES)
    pieces = Counter((tuple(case.pieces), case.commands) for case in CASES)
    lines = Counter(_lines())
    assert [one for counted in (titles, pieces, lines) for one in counted if counted[one] > 1] == []


def test_the_index_names_every_page_and_the_reference_leads_to_it():
    index = (PAGES / "index.md").read_text()
    pages = {path.stem for path in PAGES.glob("*.md")} - {"index"}
    assert set(re.findall(r"^\| \[(\w+)\]\(\1\.md\)", index, re.MULTILINE)) == pages
    assert "errors/index.md" in (REFERENCE / "book.md").read_text()
    assert "errors/index.md" in (REFERENCE / "cli.md").read_text()


def test_validate_prints_what_the_pages_show(tmp_path, monkeypatch):
    case = next(case for case in CASES if case.title == "An unknown key")
    monkeypatch.chdir(tmp_path)
    error_pages.write(case.files(), tmp_path / "book")
    ran = call("validate", "book")
    assert ran.status == 2
    for line in case.told:
        assert f"book/{line}" in ran.err


def test_every_form_that_a_text_must_have_is_told_in_words():
    forms = {form for model in (Sections, markdown.FrontMatter, drills.FrontMatter, Param)
             for form in _forms(model.model_json_schema(by_alias=True))}  # fmt: skip
    assert forms, "the models have forms"
    assert forms <= complaints.FORMS.keys()


def _forms(schema):
    """Every ``pattern`` in a schema, wherever it stands."""
    if isinstance(schema, dict):
        if isinstance(pattern := schema.get("pattern"), str):
            yield pattern
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from _forms(part)
