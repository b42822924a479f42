"""What the schema refuses, as the models do; and that any value may say where it came from."""

import copy

import jsonschema
import pytest

from opsbook.book import BookError, Vocabulary, editor, load, yamlpos
from opsbook.checks import KINDS
from tests.book.kinds import starter

VOCABULARY = Vocabulary({name: kind.model for name, kind in KINDS.items()})
SCHEMA = editor.book_schema(VOCABULARY)
WHOLE = jsonschema.Draft7Validator(SCHEMA)

BAD = [
    ("book.yaml", "status: active", "status: activ"),
    ("book.yaml", "status: active", "stauts: active"),
    ("book.yaml", "languages: [ko, en]", "languages: ko"),
    ("book.yaml", "languages: [ko, en]", "languages: [fr]"),
    ("book.yaml", "observations: 14d", "observations: 14"),
    ("book.yaml", "observations: 14d", "observations: 14x"),
    ("book.yaml", "observations: 14d", "observation: 14d"),
    ("checks.yaml", "kind: tcp", "kind: tpc"),
    ("checks.yaml", "    kind: tcp\n", ""),
    ("checks.yaml", 'host: "{opsbook.host}"', "hots: x"),
    ("checks.yaml", 'port: "{opsbook.port}"', "port: high"),
    ("checks.yaml", 'port: "{opsbook.port}"', "port: 70000"),
    ("checks.yaml", "metric: load", "metric: lod"),
    ("checks.yaml", "metric: load", "url: http://a"),
    ("checks.yaml", "every: 1m", "every: [1m]"),
    ("checks.yaml", 'bands: {warning: "> 85%", critical: "> 95%"}', "bands: 85"),
    ("checks.yaml", 'bands: {warning: "> 85%", critical: "> 95%"}', "bands: {warning: 85}"),
    ("alerts.yaml", "when: critical", "when: critcal"),
    ("alerts.yaml", "    severity: P2\n", ""),
    ("alerts.yaml", "severity: P2", "severity: {a: b}"),
    ("alerts.yaml", "runbook: first-response", "runbook: [first-response]"),
    ("people.yaml", "- after: 0m", "- aftr: 0m"),
    ("people.yaml", 'admin: ["*:admin"]', 'admin: ["admin"]'),
    ("people.yaml", 'admin: ["*:admin"]', 'admin: ["*:all"]'),
    ("people.yaml", "contacts: []", "contacts: [ntfy]"),
    ("people.yaml", "members: [operator]", "members: []"),
    ("incidents.yaml", "P1:\n", "P 1:\n"),
    ("services.yaml", "title: Opsbook", "title: []"),
    ("routines.yaml", "schedule: every day 09:00", "schedule: 9"),
]


@pytest.mark.parametrize(("file", "old", "new"), BAD, ids=lambda text: repr(text)[:30])
def test_what_the_models_refuse_by_its_shape_the_schema_refuses(file, old, new):
    files = starter()
    assert old in files[file]
    assert WHOLE.is_valid(yamlpos.read(files[file], file).data)
    files[file] = files[file].replace(old, new, 1)
    with pytest.raises(BookError):
        load(files, VOCABULARY)
    assert not WHOLE.is_valid(yamlpos.read(files[file], file).data)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_kind_brings_its_own_keys_and_no_others(kind):
    fields = KINDS[kind].model.model_fields
    own = {field.alias or name for name, field in fields.items()}
    about = SCHEMA["definitions"][f"check.{kind}"]
    assert own <= set(about["properties"])
    others = {name for other in KINDS.values() for name in other.model.model_fields} - own
    foreign = others - set(about["properties"])
    assert foreign
    for name in foreign:
        check = {"kind": kind, "title": "x", name: "x"}
        assert any(
            name in error.message for error in WHOLE.iter_errors({"checks": {"x": check}})
        ), name


def wrapped(value):
    """Every single value and every list with a word about where it came from."""
    if isinstance(value, dict):
        return {key: wrapped(inner) for key, inner in value.items()}
    return {"value": copy.deepcopy(value), "assumed": True, "reason": "the guide leaves it open"}


def test_every_value_may_say_that_it_is_assumed_and_why():
    for name, text in starter().items():
        if name.endswith(".yaml"):
            data = yamlpos.read(text, name).data
            told = [
                f"{list(e.absolute_path)}: {e.message}" for e in WHOLE.iter_errors(wrapped(data))
            ]
            assert told == [], name


@pytest.mark.parametrize(
    "value",
    [
        {"value": "5m", "ref": "§2.3"},
        {"value": "5m", "assumed": True, "reason": "measured", "ref": "§2.3"},
    ],
)
def test_a_value_may_say_where_in_the_guide_it_stands(value):
    assert WHOLE.is_valid({"retention": {"observations": value}})
    assert WHOLE.is_valid({"retention": {"value": {"observations": "5m"}, "ref": "§2.3"}})


@pytest.mark.parametrize(
    "value",
    [
        {"value": "5m", "assumed": True},
        {"value": "5m", "assumed": False, "reason": "x"},
        {"value": "5m", "reason": "x"},
        {"value": "5m"},
        {"value": "5x", "ref": "§2.3"},
        {"assumed": True, "reason": "x"},
        {"value": "5m", "assumed": True, "reason": "x", "why": "x"},
    ],
)
def test_a_word_that_is_not_whole_is_refused(value):
    assert not WHOLE.is_valid({"retention": {"observations": value}})


def test_a_fault_is_told_at_its_place_and_not_at_the_section():
    check = {"kind": "tcp", "title": "x", "host": "h", "port": 1, "evry": "1m"}
    (error,) = WHOLE.iter_errors({"checks": {"x": check}})
    assert list(error.absolute_path) == ["checks", "x"]
    assert "'evry'" in error.message


def test_a_section_whose_lines_are_all_commented_out_is_fine():
    assert WHOLE.is_valid(dict.fromkeys(SCHEMA["properties"]))
    assert WHOLE.is_valid(None)
