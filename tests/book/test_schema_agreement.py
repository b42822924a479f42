"""The editor's schema and the models agree: what a model accepts the schema accepts, key by key."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, get_args

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from opsbook.book import Vocabulary, editor, yamlpos
from opsbook.book.fields import Named
from opsbook.book.model import Sections
from opsbook.book.sections.checks import Check
from opsbook.checks import KINDS

BOOKS = Path(__file__).parents[2] / "books"
VOCABULARY = Vocabulary({name: kind.model for name, kind in KINDS.items()})
SCHEMA = editor.book_schema(VOCABULARY)
PAGES = {page: editor.page_schema(page) for page in editor.PAGES}


def validator(schema, root=SCHEMA):
    return jsonschema.Draft7Validator({**schema, "definitions": root["definitions"]})


WHOLE = validator(SCHEMA)


def complaints(data, whole=WHOLE):
    return [f"{list(e.absolute_path)}: {e.message}" for e in whole.iter_errors(data)]


def reachable(annotation, found):
    """Every model that an annotation leads to."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation in found or annotation is BaseModel:
            return found
        found.append(annotation)
        for field in annotation.model_fields.values():
            reachable(field.annotation, found)
    for inner in get_args(annotation):
        reachable(inner, found)
    return found


MODELS = reachable(Sections, [])


def keys(models, root):
    """Each key of each model: what the model reads it by, and the schema's word on it."""
    for model in models:
        made = root["definitions"].get(model.__name__, root)
        written = made["properties"]
        for name, field in model.model_fields.items():
            if (name == "id" and issubclass(model, Named)) or (model is Check and name == "spec"):
                continue
            if model is Check and name == "kind":
                continue  # the vocabulary knows the kinds, the model does not
            kept = tuple(field.metadata)
            read = TypeAdapter(Annotated[(field.annotation, *kept)] if kept else field.annotation)
            key = field.alias or name
            yield f"{model.__name__}.{key}", read, validator(written[key], root)


def pages(page, root):
    """The keys of a page's front matter, and of the models inside of it."""
    return keys(reachable(editor.PAGES[page], []), root)


def kinds():
    """The keys of the kinds of checks."""
    for kind, model in VOCABULARY.check_kinds.items():
        written = SCHEMA["definitions"][f"check.{kind}"]["properties"]
        for name, field in model.model_fields.items():
            kept = tuple(field.metadata)
            read = TypeAdapter(Annotated[(field.annotation, *kept)] if kept else field.annotation)
            yield f"{kind}.{name}", read, validator(written[field.alias or name])


KEYS = [
    *keys(MODELS, SCHEMA),
    *(key for page, root in PAGES.items() for key in pages(page, root)),
    *kinds(),
]

WORDS = st.sampled_from(
    [
        "0", "5", "-1", "1.5", "yes", "No", "true", "5m", "1h 30m", "500ms", "> 80%", ">= 10",
        "30%..70%", "< 14d", "80%", "4Gi", "20GB", "50/s", "warning", "nodata", "P1", "디스크",
        "checks.disk", "a b", "*:read", "runs:write", "mailto://a@b", "Asia/Seoul", "UTC",
        "2026-01-31", "2026-01-31 18:00", "every day 09:00", "매일 09:00", "0 9 * * *",
        "weekdays 09:00-18:00", "D-7", "+20%", "label:check", "files/a.sh", "/var/log/x",
        "{opsbook.data}/x", "{opsbook.port}", "https://example.org", "forever", "full", "", " ",
        "𠀀", "KR", "a" * 64, 'severity="P1"', '{a=~"b|c"}', 'team!=web', "09:00-18:00",
        "monday:friday", "Saturday", "-3:-1", "january:march", "2026:2027", "alert.tags[0]",
    ]
)  # fmt: skip
SCALARS = st.one_of(
    WORDS, st.text(max_size=12), st.integers(-10, 70_000), st.floats(allow_nan=False), st.none(),
    st.booleans(),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            WORDS | st.sampled_from(["ko", "en", "value", "secret"]), inner, max_size=3
        )
    ),
    max_leaves=5,
)


def accepted(read, value):
    try:
        read.validate_python(value)
    except ValidationError:
        return False
    return True


def has_number_from_bool(value):
    """pydantic takes true for 1; the schema does not, see the docstring of `editor`."""
    if isinstance(value, Mapping):
        return any(map(has_number_from_bool, value.values()))
    return (
        any(map(has_number_from_bool, value))
        if isinstance(value, list)
        else value is True or (value is False)
    )


@settings(max_examples=150, deadline=None, derandomize=True)
@given(VALUES)
def test_whatever_a_model_accepts_the_schema_accepts(value):
    if has_number_from_bool(value):
        return
    for name, read, schema in KEYS:
        if accepted(read, value):
            assert schema.is_valid(value), f"{name}: {value!r}"


def test_every_key_takes_some_value_that_the_models_take():
    """Otherwise the test above would prove nothing of that key."""
    tried = ["5m", 5, "디스크", "> 80%", True, "2026-01-31", ["2026-01-31"], {}, [], None, "/x",
             "every day 09:00", "*:read", "D-7", "weekdays 09:00-18:00", "https://a.example",
             "mailto://a@b", "+20%", ["runs"], ["ko"], {"a": "b"}, "0" * 64, "forever", [5], ["5m"],
             {"severity": "P1"}, {"a": 5}, "env:NAME", ["run.finished"], ['severity="P1"'],
             ["09:00-18:00"], ["monday:friday"], [2026], {"name": "alert.name"}]  # fmt: skip
    tried += ["UTC"] + [
        word for _, read, _ in KEYS for word in re.findall(r"'(\w+)'", repr(read._type))
    ]
    unmet = {name for name, read, _ in KEYS if not any(accepted(read, value) for value in tried)}
    lists = {"layers", "levels", "phases", "panels", "ranges"}
    assert {name.partition(".")[2] for name in unmet} <= lists


@pytest.mark.parametrize("file", sorted(BOOKS.glob("*/**/*.yaml")), ids=lambda f: str(f.name))
def test_every_shipped_book_is_right_by_the_schema(file):
    if "files" in file.relative_to(BOOKS).parts:
        return
    reading = yamlpos.read(file.read_text(), file.name)
    assert not reading.problems
    assert complaints(reading.data) == []


@pytest.mark.parametrize("page", editor.PAGES)
def test_every_shipped_page_is_right_by_its_schema(page):
    seen = 0
    for file in sorted(BOOKS.glob(f"*/{page}s/*.md")):
        front = file.read_text().split("---\n")[1]
        data = yamlpos.read(front, file.name).data
        assert complaints(data, validator(PAGES[page], PAGES[page])) == [], file
        seen += 1
    assert seen >= 1


def test_the_schemas_are_schemas_and_no_section_is_missing():
    for schema in (SCHEMA, *PAGES.values()):
        jsonschema.Draft7Validator.check_schema(schema)
    assert set(SCHEMA["properties"]) == set(Sections.model_fields)
    assert {f"check.{kind}" for kind in KINDS} <= set(SCHEMA["definitions"])


def test_every_key_is_described():
    bare = [
        f"{name}.{key}"
        for name, made in [("", SCHEMA), *SCHEMA["definitions"].items()]
        for key, about in made.get("properties", {}).items()
        if not name.startswith(("check.", "text", "contact")) and "-said" not in name
        if not about.get("description")
    ]
    assert bare == []
