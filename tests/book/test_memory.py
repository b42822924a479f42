"""What a load takes over from the one before never changes what comes of it."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsbook.book import Book, BookError, Vocabulary, loader, markdown, yamlpos
from opsbook.book.loader import load
from opsbook.book.memory import Memory
from tests.book.kinds import VOCABULARY, Host, starter
from tests.book.test_mutations import mutate

STARTER = starter()
CHECK = "checks:\n  extra:\n    kind: host\n    title: Extra\n    metric: load\n"


def told(files, memory=None):
    """Everything that can be seen of a load, as one value to compare."""
    try:
        book = load(files, VOCABULARY, memory)
    except BookError as error:
        return error.problems
    places = {
        (section, id): book.where(section, id)
        for section in ("checks", "rules", "runbooks", "people", "services")
        for id in getattr(book, section)
    }
    return {name: value for name, value in book if name != "positions"}, places


def edit(files, chance):
    """One edit of a book: a file mutated, removed, renamed, or put back as it was."""
    names = sorted(files)
    name = chance.choice(names)
    match chance.randrange(8):
        case 0 if len(names) > 3:
            return {other: text for other, text in files.items() if other != name}
        case 1:
            return {**files, name: STARTER.get(name, "")}
        case 2:
            return {**files, f"more-{chance.randrange(3)}.yaml": CHECK}
        case 3:
            return {**files, f"copy-of-{name.rpartition('/')[2]}": files[name]}
        case 4:
            return dict(STARTER)
    return {**files, name: mutate(files[name], chance)}


def rounds(seed, edits):
    chance = random.Random(seed)
    files, memory = dict(STARTER), Memory()
    for _ in range(edits):
        assert told(files, memory) == told(files)
        files = edit(files, chance)


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(min_value=0, max_value=2**32))
def test_whatever_is_edited_a_load_with_memory_says_what_one_without_says(seed):
    rounds(seed, 6)


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_a_thousand_edits_in_a_row_come_to_the_same():
    for seed in range(40):
        rounds(seed, 25)


def counted(monkeypatch):
    """The files that were read from here on."""
    read = []
    for module in (yamlpos, markdown):
        reader = module.read

        def noting(text, file, *args, reader=reader, **said):
            read.append(file)
            return reader(text, file, *args, **said)

        monkeypatch.setattr(module, "read", noting)
    return read


def test_only_the_file_that_has_changed_is_read_again(monkeypatch):
    memory = Memory()
    load(STARTER, VOCABULARY, memory)
    read = counted(monkeypatch)
    load(dict(STARTER), VOCABULARY, memory)
    assert read == []
    files = {**STARTER, "checks.yaml": STARTER["checks.yaml"].replace("1m", "2m")}
    book = load(files, VOCABULARY, memory)
    assert read == ["checks.yaml"]
    assert str(book.checks["disk"].every) == "0:02:00"


def test_an_element_of_an_unchanged_file_is_the_very_same():
    memory = Memory()
    before = load(STARTER, VOCABULARY, memory)
    files = {**STARTER, "checks.yaml": STARTER["checks.yaml"].replace("1m", "2m")}
    after = load(files, VOCABULARY, memory)
    assert after.rules["disk-full"] is before.rules["disk-full"]
    assert after.runbooks["first-response"] is before.runbooks["first-response"]
    assert after.checks["disk"] is not before.checks["disk"]


def test_a_problem_is_told_again_however_often_it_is_loaded():
    memory = Memory()
    files = {**STARTER, "more.yaml": CHECK.replace("load", "{opsbook.nonsense}")}
    first = told(files, memory)
    assert len(first) >= 1
    assert told(files, memory) == told(files, memory) == first
    assert isinstance(load(STARTER, VOCABULARY, memory), Book)


def test_with_other_kinds_of_checks_nothing_is_taken_over():
    class Other(Host):
        colour: str = "red"

    memory = Memory()
    load(STARTER, VOCABULARY, memory)
    kinds = {**VOCABULARY.check_kinds, "host": Other}
    book = load(STARTER, Vocabulary(kinds, VOCABULARY.step_kinds), memory)
    assert book.checks["disk"].spec.colour == "red"


def test_a_memory_holds_no_more_than_the_last_load_used():
    memory = Memory()
    for n in range(5):
        load({**STARTER, f"more-{n}.yaml": CHECK}, VOCABULARY, memory)
    assert len(memory._kept) == len(STARTER) + 1


def test_the_search_for_garbage_goes_on_after_a_load(monkeypatch):
    for text in (CHECK, "no: such: thing"):
        told({**STARTER, "more.yaml": text})
        assert loader.gc.isenabled()
    loader.gc.disable()
    try:
        told(STARTER)
        assert not loader.gc.isenabled()
    finally:
        loader.gc.enable()
