"""Between them the example books show the whole language: nothing in the model goes without use."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from opsbook.app import vocabulary
from opsbook.book.model import Sections
from tests.books import shelf
from tests.support.front_door import call


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field's type speaks of, however they are wrapped."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is Annotated:
        yield from models_in(get_args(annotation)[0])
    elif get_origin(annotation) is not None:
        for inner in get_args(annotation):
            yield from models_in(inner)


def declared(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """A model's fields as the books write them, each under the class that brings it.

    What many elements have from one class (an owner, links) counts as one field of that class.
    """
    for name, field in model.model_fields.items():
        owner = next(
            one for one in reversed(model.__mro__) if name in vars(one).get(ANNOTATIONS, ())
        )
        yield owner.__name__, field.alias or name


ANNOTATIONS = "__annotations__"
WRITTEN_AS_KEYS = {("Named", "id"), ("Check", "spec")}
"""Fields without a key of their own: an element's id is the key it stands under."""


def everything() -> set[tuple[str, str]]:
    """Every field there is, from the sections down."""
    fields: set[tuple[str, str]] = set()
    seen: set[type[BaseModel]] = set()
    waiting: list[type[BaseModel]] = [Sections, *vocabulary().check_kinds.values()]
    while waiting:
        model = waiting.pop()
        if model in seen or model is BaseModel:
            continue
        seen.add(model)
        fields |= set(declared(model))
        for field in model.model_fields.values():
            waiting += models_in(field.annotation)
    return fields - WRITTEN_AS_KEYS


def used(part: Any) -> Iterator[tuple[str, str]]:
    """Every field that somebody has written, in a loaded book or below."""
    if isinstance(part, BaseModel):
        model = type(part)
        for (owner, key), name in zip(declared(model), model.model_fields, strict=True):
            value = getattr(part, name)
            if name in part.model_fields_set:
                yield owner, key
            yield from used(value)
    elif isinstance(part, (tuple, list)):
        for inner in part:
            yield from used(inner)
    elif hasattr(part, "items"):
        for inner in part.values():
            yield from used(inner)


def written(name: str) -> set[tuple[str, str]]:
    """What a book uses; at the top, what is there at all."""
    book = shelf.book(name)
    found = {
        ("Sections", key) for key in Sections.model_fields if book.positions.key((key,)) is not None
    }
    for key in Sections.model_fields:
        found |= set(used(getattr(book, key)))
    return found


def test_the_books_are_clean_and_laid_out() -> None:
    folders = [shelf.FOLDER / name for name in shelf.NAMES]
    found = call("validate", *folders)
    assert found.status == 0, found.err
    laid_out = call("fmt", "--check", *folders)
    assert laid_out.status == 0, laid_out.out


def test_no_field_of_the_model_goes_unused() -> None:
    found = set().union(*(written(name) for name in shelf.NAMES))
    unused = everything() - found
    assert not unused, sorted(unused)


def test_every_section_has_something_in_one_of_the_three() -> None:
    found = set().union(*(written(name) for name in shelf.NAMES if name != "starter"))
    assert {key for owner, key in found if owner == "Sections"} >= {
        key for owner, key in everything() if owner == "Sections"
    }


@pytest.mark.parametrize("name", shelf.NAMES)
def test_whoever_reads_korean_and_whoever_reads_english_finds_the_titles(name: str) -> None:
    book = shelf.book(name)
    for section in ("services", "checks", "routines", "severities", "teams", "escalation"):
        for id, element in getattr(book, section).items():
            if element.title is not None:
                languages = set(element.title.by_language)
                assert languages == {""} or languages >= {"ko", "en"}, (section, id)
    for runbook in book.runbooks.values():
        assert set(runbook.title.by_language) >= {"ko", "en"}, runbook.id


@pytest.mark.parametrize("name", shelf.NAMES)
def test_what_starts_by_itself_begins_with_a_step_that_reads(name: str) -> None:
    book = shelf.book(name)
    started = {routine.runbook for routine in book.routines.values()}
    started |= {rule.runbook for rule in book.rules.values() if rule.runbook}
    assert started
    for id in started:
        main = book.runbooks[id].in_phase("main")
        assert main[0].effect == "read", id
        first_change = next((n for n, step in enumerate(main) if step.effect == "change"), None)
        if first_change is not None:
            assert any(step.kind == "approval" for step in main[:first_change]), id


@pytest.mark.parametrize("name", shelf.NAMES)
def test_every_change_names_who_may_allow_it_and_until_when(name: str) -> None:
    book = shelf.book(name)
    for runbook in book.runbooks.values():
        changes = [step for step in runbook.in_phase("main") if step.effect == "change"]
        asks = [step for step in runbook.steps if step.kind == "approval"]
        assert not changes or asks, runbook.id
        for step in asks:
            assert step.by is not None, (runbook.id, step.key)
            assert step.within is not None, (runbook.id, step.key)
        for step in runbook.steps:
            if step.kind == "bash":
                assert "timeout" in step.attributes, (runbook.id, step.key)
