"""The book's reference says what is so: its examples are one book, and that book loads."""

import re
from pathlib import Path

from opsbook.book import Vocabulary, load
from opsbook.book.language import ATTRIBUTES
from opsbook.book.model import Sections
from opsbook.book.params import Param
from opsbook.book.sections.alerts import Rule
from opsbook.book.sections.checks import COMMON_FIELDS
from opsbook.calendar import Schedule
from opsbook.checks import KINDS
from tests.book.kinds import VOCABULARY, problems, starter

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGE = "".join((REFERENCE / name).read_text() for name in ("book.md", "runbooks.md"))
BLOCK = re.compile(
    r"^(?P<fence>```+)(?P<language>\w+)\n(?P<text>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL
)


def examples():
    files = {}
    for n, block in enumerate(BLOCK.finditer(PAGE)):
        if block["language"] == "yaml":
            files[f"example-{n}.yaml"] = block["text"]
        elif block["language"] == "markdown":
            files[f"runbooks/example-{n}.md"] = block["text"]
    return files


def test_the_examples_are_a_book():
    assert len(examples()) == 10
    for vocabulary in (
        VOCABULARY,
        Vocabulary({name: kind.model for name, kind in KINDS.items()}),
    ):
        assert problems(examples(), vocabulary) == []
    book = load(examples(), VOCABULARY)
    assert set(book.runbooks) == {"restart-web", "morning"}
    assert [step.phase for step in book.runbooks["restart-web"].steps].count("rollback") == 1


def test_every_section_key_and_attribute_is_on_a_page():
    pages = PAGE + (REFERENCE / "sections.md").read_text()  # which is made from the models
    told = set(re.findall(r"`([\w.#-]+)", pages)) | set(
        re.findall(r"^## (\w+)", pages, re.MULTILINE)
    )
    fields = {*Sections.model_fields, *COMMON_FIELDS, *ATTRIBUTES}
    for model in (Rule, Param):
        fields |= {field.alias or name for name, field in model.model_fields.items()}
    assert fields - {"ref"} <= told


def test_the_schedules_on_the_page_are_schedules():
    table = PAGE.split("| schedule | in Korean |")[1].split("\n\n")[0]
    texts = re.findall(r"`([^`]+)`", table)
    assert len(texts) > 20
    for text in texts:
        Schedule.parse(text, "Asia/Seoul")


def test_the_problems_on_the_page_are_what_a_book_says():
    files = starter()
    for file, old, new in (
        ("checks.yaml", "every: 1m", "every: 5x"),
        ("alerts.yaml", "check: disk\n", "check: dsk\n"),
        ("runbooks/first-response.md", "by=admin within", "by=admn within"),
    ):
        files[file] = files[file].replace(old, new, 1)
    shown = PAGE.split("## Problems")[1].split("```")[1].removeprefix("text\n").splitlines()
    assert set(shown) == set(problems(files))
