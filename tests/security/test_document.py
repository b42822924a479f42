"""Every way round that the reference names is tried by a test that is there."""

import ast
import re
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "reference" / "ways-round.md"
ROW = re.compile(r"^\| (.+) \| (.+) \| `([^`]+)` \|$", re.MULTILINE)


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(one.name for one in ast.walk(tree) if isinstance(one, functions))


def rows() -> list[tuple[str, str, str]]:
    return ROW.findall(PAGE.read_text())


def test_every_way_names_a_test_that_is_there() -> None:
    missing = [
        (way, test)
        for way, _, test in rows()
        if not (TESTS / test.split("::")[0]).exists()
        or test.split("::")[1] not in names_in(test.split("::")[0])
    ]
    assert missing == []


def test_each_way_stands_there_once_and_no_row_is_lost() -> None:
    ways = [way for way, _, _ in rows()]
    assert len(ways) == len(set(ways))
    assert len(ways) > 25
    lines = [one for one in PAGE.read_text().splitlines() if one.startswith("| ")]
    heads = [one for one in lines if one.startswith(("| the way", "| ---"))]
    assert len(lines) - len(heads) == len(ways)


def test_every_test_of_this_folder_is_a_way_that_is_told() -> None:
    told = {test for _, _, test in rows()}
    beside = {"test_document.py"}
    ours = {
        f"security/{file.name}::{name}"
        for file in Path(__file__).parent.glob("test_*.py")
        if file.name not in beside
        for name in names_in(f"security/{file.name}")
        if name.startswith("test_")
    }
    supporting = {
        "security/test_one_person.py::test_whoever_is_excluded_may_say_no_under_either_account",
        "security/test_one_person.py::test_after_a_day_they_are_two_people_again",
        "security/test_one_person.py::test_a_yes_of_somebody_who_is_one_person_with_who_takes_part_is_found",
        "security/test_one_person.py::test_nobody_waits_for_an_account_that_is_the_starters_by_a_link",
        "security/test_one_person.py::test_the_page_shows_no_button_that_would_be_refused",
        "security/test_runs.py::test_a_new_role_of_that_name_is_worth_something_only_where_the_book_runs",
    }  # fmt: skip
    assert ours - told == supporting
