"""Whatever happens to a good book, the outcome is a good load or problems with a place."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsbook.book import Book, BookError, load
from tests.book.kinds import VOCABULARY, starter

STARTER = starter()
NAMES = sorted(STARTER)

SCRAPS = [
    "", " ", "\t", "\r\n", "\r", "\x00", "\ufeff", "\udcff", "\u2028", ":", ": ", "- ", "{", "}",
    "[", "]", '"', "'", "|", ">", "&a ", "*a", "!!int ", "---\n", "...\n", "%YAML", "#", "@", "`",
    "~", "null", "true", "1e999", ".nan", ".inf", "0x", "007", "9" * 60, "-1", "> 5", "5x", "30",
    "label:", "label:x", "{opsbook.x}", "```", "~~~", "```bash\n", "## x {.rollback of=repair}\n",
    "{#a #b}", '{"a": ', "{.finally}", "- [ ] ", "<!--", "every day", "$", "${check}", "e\u0301",
    "id: x\n", "ref: 5\n", "checks:\n", "params:\n", "? ", "<<: *a\n", "a.b", "🙂", "=", "\\",
]  # fmt: skip


def outcome(files):
    """The book, or the problems; any other exception fails the test."""
    try:
        return load(files, VOCABULARY)
    except BookError as error:
        return error.problems


def mutate(text, chance):
    """One change of the sort that a hand, an editor or a merge makes."""
    lines = text.splitlines(keepends=True)
    at = chance.randrange(len(text) + 1)
    line = chance.randrange(len(lines)) if lines else 0
    scrap = chance.choice(SCRAPS)
    match chance.randrange(9) if lines else 0:
        case 0:
            return text[:at] + scrap + text[at:]
        case 1:
            return text[:at] + text[at + chance.randrange(1, 20) :]
        case 2:
            return "".join(lines[:line] + lines[line + 1 :])
        case 3:
            return "".join(lines[:line] + [lines[line]] * 2 + lines[line + 1 :])
        case 4:
            lines[line] = " " * chance.randrange(5) + lines[line].lstrip(" ")
            return "".join(lines)
        case 5:
            return text[:at]
        case 6:
            key, colon, rest = lines[line].partition(": ")
            lines[line] = f"{key}{colon}{scrap}\n" if colon else rest
            return "".join(lines)
        case 7:
            words = text.split(" ")
            one, two = chance.randrange(len(words)), chance.randrange(len(words))
            words[one], words[two] = words[two], words[one]
            return " ".join(words)
        case _:
            other = STARTER[chance.choice(NAMES)]
            return text + other[chance.randrange(len(other)) :]


@settings(
    max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(st.integers(min_value=0, max_value=2**32))
def test_a_mutated_book_loads_or_says_where_it_is_wrong(seed):
    chance = random.Random(seed)
    files = dict(STARTER)
    for _ in range(chance.randrange(1, 4)):
        name = chance.choice(NAMES)
        files[name] = mutate(files[name], chance)
    found = outcome(files)
    if isinstance(found, Book):
        return
    assert found
    for problem in found:
        assert problem.file in {*files, "book.yaml"}
        lines = len(files.get(problem.file, "").splitlines())
        assert 1 <= problem.line <= lines + 1, str(problem)
        assert problem.column >= 1
        assert problem.message
        assert "Error" not in str(problem)
        assert "pydantic" not in str(problem)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.text(max_size=400), st.sampled_from([*NAMES, "extra.yaml", "runbooks/extra.md"]))
def test_any_text_in_place_of_a_file_is_a_book_or_a_problem_with_a_place(text, name):
    found = outcome({**STARTER, name: text})
    assert isinstance(found, Book) or all(problem.line >= 1 for problem in found)
