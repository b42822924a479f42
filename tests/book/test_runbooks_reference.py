"""docs/reference/runbooks.md says what is so. Its `markdown` examples are in test_reference.py."""

import re
from pathlib import Path
from typing import get_args

from opsbook.book import drills, markdown
from opsbook.book.language import ATTRIBUTES, KINDS
from opsbook.book.params import Param, Type

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "runbooks.md").read_text()
EXAMPLES = re.findall(r"^````md\n(.*?)^````$", PAGE, re.MULTILINE | re.DOTALL)


def cells(rows):
    """The names in the first cells of a table's rows."""
    return set(re.findall(r"`([^`]+)`", " ".join(re.findall(r"^\| (.*?) \|", rows, re.MULTILINE))))


def table(heading):
    """Those of the first table after a heading."""
    rows = PAGE.split(f"\n## {heading}\n")[1].split("\n| --- |")[1]
    return cells(rows.partition("\n\n")[0].partition("\n")[2])


def test_the_example_of_the_whole_language_is_read():
    reading = markdown.read(EXAMPLES[0], "runbooks/cut-over.md", KINDS)
    assert [str(problem) for problem in reading.problems] == []
    used = {name for step in reading.runbook.steps for name in step.attributes}
    assert {"retry", "each", "at-once", "on-fail", "on-cancel", "when", "assert", "need"} <= used


def test_the_drill_is_read():
    reading = drills.read(EXAMPLES[1], "drills/sealed-vault.md", KINDS)
    assert [str(problem) for problem in reading.problems] == []
    assert reading.drill.points == 50


def test_the_tables_have_every_kind_attribute_key_and_type():
    assert table("Kinds of steps") == KINDS
    assert table("Attributes") - {"#id", ".rollback of=ID", ".finally"} == set(ATTRIBUTES)
    fields = {field.alias or name for name, field in Param.model_fields.items()} - {"ref"}
    assert table("Parameters") == fields
    types = PAGE.split("| type | values |")[1].split("\n\n")[0]
    assert cells(types) == {name for part in get_args(Type) for name in get_args(part) or (part,)}
