"""Whatever happens to a good book, the outcome is a good load or problems with a place."""

import functools
import random
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsbook.book import Book, BookError, Vocabulary, load, read_folder
from opsbook.book.memory import Memory
from opsbook.checks import KINDS
from opsbook.runs import STEP_KINDS
from tests.book.kinds import STARTER as FOLDER

BOOKS = sorted(path.parent for path in FOLDER.parent.glob("*/book.yaml"))
LINE_END = re.compile(r"\r\n|\r|\n")
WORD = re.compile(r"[a-z][a-z0-9_-]{2,}")
KEY = re.compile(r"^ *(?:- )?[\w-]+:.*$", re.MULTILINE)
KINDS_OF_ALL = Vocabulary({name: kind.model for name, kind in KINDS.items()}, frozenset(STEP_KINDS))

SCRAPS = [
    "", " ", "\t", "\r\n", "\r", "\x00", "\ufeff", "\udcff", "\u2028", ":", ": ", "- ", "{", "}",
    "[", "]", '"', "'", "|", ">", "&a ", "*a", "!!int ", "---\n", "...\n", "%YAML", "#", "@", "`",
    "~", "null", "true", "1e999", ".nan", ".inf", "0x", "007", "9" * 60, "-1", "> 5", "5x", "30",
    "label:", "label:x", "{opsbook.x}", "```", "~~~", "```bash\n", "## x {.rollback of=repair}\n",
    "{#a #b}", '{"a": ', "{.finally}", "- [ ] ", "<!--", "every day", "$", "${check}", "e\u0301",
    "id: x\n", "ref: 5\n", "checks:\n", "params:\n", "? ", "<<: *a\n", "a.b", "🙂", "=", "\\",
]  # fmt: skip


@functools.cache
def good(folder):
    """A book's files, and a memory of them, so that an example reads only what it has changed."""
    return read_folder(folder), Memory()


def outcome(files, memory):
    """The book, or the problems; any other exception fails the test."""
    try:
        return load(files, KINDS_OF_ALL, memory)
    except BookError as error:
        return error.problems


def mutate(text, chance):
    """One change of the sort that a hand, an editor or a merge makes."""
    lines = text.splitlines(keepends=True) or [""]
    at = chance.randrange(len(text) + 1)
    line, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    scrap = chance.choice(SCRAPS)
    words, keys = WORD.findall(text) or ["x"], KEY.findall(text) or [""]
    match chance.randrange(13):
        case 0:
            return text[:at] + scrap + text[at:]
        case 1:
            return text[:at] + text[at + chance.randrange(1, 20) :]
        case 2:
            del lines[line]
        case 3:
            lines.insert(other, lines[line])
        case 4:
            lines[line] = " " * chance.randrange(7) + lines[line].lstrip(" ")
        case 5:
            return text[:at]
        case 6:
            key, colon, rest = lines[line].partition(": ")
            lines[line] = f"{key}{colon}{scrap}\n" if colon else rest
        case 7:
            lines[line], lines[other] = lines[other], lines[line]
        case 8:
            new = chance.choice([scrap, "new-name"])
            return re.sub(rf"\b{chance.choice(words)}\b", lambda _: new, text)
        case 9:
            return text.replace(chance.choice(words), chance.choice(words), 1)
        case 10:
            return text.replace(chance.choice(keys), "", 1)
        case 11:
            return text + text[at:]
        case _:
            del lines[min(line, other) : max(line, other)]
    return "".join(lines)


def try_one(folder, seed):
    """One to three changes of a book, and what must hold of whatever comes of it."""
    chance = random.Random(seed)
    whole, memory = good(folder)
    files = dict(whole)
    for _ in range(chance.randrange(1, 4)):
        name = chance.choice(sorted(files))
        files[name] = mutate(files[name], chance)
    found = outcome(files, memory)
    if isinstance(found, Book):
        return
    assert found
    for problem in found:
        place = f"{folder.name}, seed {seed}: {problem}"
        lines = LINE_END.split(files[problem.file].removeprefix("\ufeff"))
        assert 1 <= problem.line <= len(lines), place
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1, place
        assert problem.message, place
        assert "Error" not in problem.message, place
        assert "pydantic" not in str(problem), place


@pytest.mark.parametrize("folder", BOOKS, ids=lambda folder: folder.name)
def test_a_mutated_book_loads_or_says_where_it_is_wrong(folder):
    @settings(
        max_examples=max(60, 400 // len(BOOKS)),
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(min_value=0, max_value=2**32))
    def tried(seed):
        try_one(folder, seed)

    tried()


@pytest.mark.prove
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("folder", BOOKS, ids=lambda folder: folder.name)
def test_two_thousand_mutations_of_a_book_load_or_say_where_they_are_wrong(folder):
    for seed in range(2_000):
        try_one(folder, seed)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.text(max_size=400), st.integers(min_value=0))
def test_any_text_in_place_of_a_file_is_a_book_or_a_problem_with_a_place(text, at):
    files, memory = good(FOLDER)
    names = [*sorted(files), "extra.yaml", "runbooks/extra.md", "drills/extra.md"]
    found = outcome({**files, names[at % len(names)]: text}, memory)
    assert isinstance(found, Book) or all(problem.line >= 1 for problem in found)
