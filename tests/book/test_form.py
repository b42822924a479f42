"""A file's one form: nothing lost, nothing said differently, and the same when done again."""

import random
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsbook.book import markdown, yamlpos
from opsbook.book.form import Outcome, find, formed, write
from opsbook.book.form.proof import same

BOOKS = Path(__file__).parents[2] / "books"
YAML = [file.read_text() for file in sorted(BOOKS.glob("starter/*.yaml"))] + [
    "a: |2\n    x\n  # text\n # comment\nb:\n- q\n- - z\n  # c\n- {a: , b: 1}\n",
    "a:\n  - |\n    x\n  - >-\n    y\n\n    z\n# c\nb: pl\n  ain\n",
    "- a\n- b:\n   c: 1\n   # z\n",
    "x: [1,   # one\n  # two\n  {a: 1,\n   b: 2}\n]\ny: |+\n  z\n\n\nz: &n\n  - 1\nw: *n\n",
]
PAGES = [file.read_text() for file in sorted(BOOKS.glob("starter/runbooks/*.md"))]
SCRAPS = [
    "", " ", "  ", "\t", ":", ": ", "- ", "{", "}", "[", "]", '"', "'", "|\n", ">-\n", "|+\n",
    "&a ", "*a", "---\n", "#", " # c\n", "\n", "\n\n\n", "\n  ", "? ", '"a\\\n  b"', "'it''s'",
    "key: |\n  text\n\n   more\n", "x: >\n   a\n  \n   b\n", "\\", ", ", "    # deep\n",
    "- - a\n", "- a: 1\n  b:\n  - c\n", "e: [1,\n 2]\n", "{a: 1,\n  # in\n b: 2}", "🙂", "\r\n",
    "```", "```sh {.a   #b k='v'}\nx  \n```\n", "  \n", "   \n", "<div>  \n", "~~~\n", "\\  \n",
]  # fmt: skip


def mutated(text, chance):
    for _ in range(chance.randrange(1, 5)):
        lines = text.splitlines(keepends=True)
        if not lines:
            break
        line, at = chance.randrange(len(lines)), chance.randrange(len(text) + 1)
        match chance.randrange(6):
            case 0:
                text = text[:at] + chance.choice(SCRAPS) + text[at:]
            case 1:
                lines[line] = " " * chance.randrange(9) + lines[line].lstrip(" ")
                text = "".join(lines)
            case 2:
                lines.insert(line, " " * chance.randrange(9) + chance.choice(SCRAPS) + "\n")
                text = "".join(lines)
            case 3:
                text = "".join(lines[:line] + lines[line + 1 :])
            case 4:
                end = line + chance.randrange(1, 6)
                lines[line:end] = [" " * chance.randrange(1, 4) + one for one in lines[line:end]]
                text = "".join(lines)
            case _:
                text = text[:at] + " " * chance.randrange(3) + text[at:]
    return text.rstrip("\n") if chance.random() < 0.3 else text


def words_of_comments(text):
    """Comments found without the formatter's help; texts with a # in them are told by a quote."""
    return [line.strip() for line in text.split("\n") if line.lstrip().startswith("#")]


FUZZ = settings(
    max_examples=600, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@FUZZ
@given(st.integers(0, 2**32))
def test_a_yaml_file_says_the_same_afterwards_and_keeps_its_comments(seed):
    chance = random.Random(seed)
    text = mutated(chance.choice(YAML), chance)
    done = formed(text, "a.yaml")
    if done.problems:
        assert done.text == text
        assert all(problem.line >= 1 and problem.message for problem in done.problems)
        return
    before, after = yamlpos.read(text, "a.yaml"), yamlpos.read(done.text, "a.yaml")
    assert not after.problems
    assert same(before.data, after.data)
    assert words_of_comments(text.replace("\r\n", "\n")) == words_of_comments(done.text)
    assert formed(done.text, "a.yaml") == done
    assert done.text == "" or done.text.endswith("\n")


@FUZZ
@given(st.integers(0, 2**32))
def test_a_page_has_the_same_steps_afterwards(seed):
    chance = random.Random(seed)
    text = mutated(chance.choice(PAGES), chance)
    done = formed(text, "runbooks/a.md")
    if done.problems:
        assert done.text == text
        return
    assert formed(done.text, "runbooks/a.md") == done
    before, after = (markdown.read(one, "a.md", {"bash", "check", "approval", "sh"})
                     for one in (text, done.text))  # fmt: skip
    assert [problem.message for problem in before.problems] == [
        problem.message for problem in after.problems
    ]
    if before.runbook and after.runbook:
        told = [[(s.key, s.kind, s.body, s.attributes, s.phase) for s in r.runbook.steps]
                for r in (before, after)]  # fmt: skip
        assert told[0] == told[1]


def test_what_the_one_form_is():
    text = (
        "\ufeffa:   1   # one  \r\n\r\n\r\nb:\r\n- 'x'\r\n-   {c:  1 ,d: [1,2 ] }\r\n"
        "e:\r\n     f: \"g\"\r\n     # of f\r\n     h: 'it''s'\r\n# of the file\r\n\r\n"
    )
    assert formed(text, "a.yaml").text == (
        'a: 1   # one\n\nb:\n  - "x"\n  - {c: 1, d: [1, 2]}\n'
        "e:\n  f: \"g\"\n  # of f\n  h: 'it''s'\n# of the file\n"
    )


def test_wrapped_texts_stay_wrapped_and_long_lines_long():
    text = f"a: >\n      one\n        two\nb: wrapped\n     words\nc: {'long ' * 60}end\n"
    assert formed(text, "a.yaml").text == (
        f"a: >\n  one\n    two\nb: wrapped\n  words\nc: {'long ' * 60}end\n"
    )


@pytest.mark.parametrize(
    ("info", "wanted"),
    [
        ("bash   {  .b   #a  k='v w'  flag  x=\"1\" }", 'bash {#a .b k="v w" flag x=1}'),
        ('sh {"name":"x y","cwd":"/tmp"}', 'sh {name="x y" cwd=/tmp}'),
        ('sh {"name":"x","retries":3}', 'sh {"name":"x","retries":3}'),
        ('sh {"two words":"x"}', 'sh {"two words":"x"}'),
        ("js {1,3}", "js {1,3}"),
        ("bash {expect='a\\d+ \"b\"'}", "bash {expect='a\\d+ \"b\"'}"),
        ("bash {k=}", "bash {k=}"),
        ("bash title here", "bash title here"),
    ],
)
def test_attributes_of_a_fence_have_one_form_where_nothing_is_lost_by_it(info, wanted):
    page = f"# T\n\n```{info}\nbody   \n\n```\n"
    assert formed(page, "a.md").text == page.replace(info, wanted)


def test_a_page_keeps_line_breaks_and_everything_inside_of_fences():
    page = "# T  \none    \ntwo  \n\n- x   \n  ```sh\n  a   \n  ```\n\np\n\n    code   \n\n\n"
    assert formed(page, "a.md").text == (
        "# T\none  \ntwo\n\n- x\n  ```sh\n  a   \n  ```\n\np\n\n    code   \n"
    )


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("a.yaml", "a: [", "a.yaml:1:"),
        ("a.yaml", "a: 1\na: 2\n", "a.yaml:2:1: the key 'a' is already on line 1"),
        ("a.yaml", "a:\n\tb: 1\n", "a.yaml:2:"),
        ("a.yaml", "a: 'x\u2028y'\n", "a.yaml:1:6: this is a line end that no editor shows"),
        ("a.yaml", "a: \udcff\n", "a.yaml:1:4: this is not UTF-8"),
        ("a.md", "# T\n\n```bash\nx\n", "a.md:3:1: this code fence is not closed"),
        ("a.md", "---\nid: x\n# T\n", "a.md:1:1: the front matter is not closed"),
        ("a.md", "---\nid: [\n---\n# T\n", "a.md:"),
    ],
)
def test_what_cannot_be_read_stays_as_it_is_and_is_named(name, text, place):
    done = formed(text, name)
    assert done.text == text
    assert str(done.problems[0]).startswith(place)


def test_the_starter_is_in_its_one_form():
    assert [one.file.name for one in find(BOOKS / "starter") if one.changes or one.problems] == []


@pytest.fixture
def book(tmp_path):
    root = tmp_path / "book"
    for name in ("book.yaml", "runbooks/a.md", "files/x.yaml", "runbooks/x.yaml", "README.md"):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("a:   1\n" if name.endswith("yaml") else "# T  \n")
    return root


def names(path):
    return sorted(one.file.name for one in find(path))


def test_files_and_what_belongs_to_nobody_are_left_out(book):
    assert names(book) == ["a.md", "book.yaml"]
    assert names(book / "runbooks") == ["a.md"]
    assert names(book / "files") == []
    assert names(book.parent) == ["a.md", "book.yaml"]
    (named,) = find(book / "files" / "x.yaml")
    assert "stays as it is" in str(named.problems[0])


def test_links_out_of_the_book_are_refused_and_links_inside_are_passed_over(book, tmp_path):
    outside = tmp_path / "outside.yaml"
    outside.write_text("a:   1\n")
    (book / "out.yaml").symlink_to(outside)
    (book / "in.yaml").symlink_to(book / "book.yaml")
    (book / "loop.yaml").symlink_to(book / "loop.yaml")
    told = {one.file.name: one.problems for one in find(book)}
    assert "symbolic link out of the book" in str(told["out.yaml"][0])
    assert "in.yaml" not in told
    (named,) = find(book / "out.yaml")
    assert named.problems
    assert outside.read_text() == "a:   1\n"


def test_a_file_is_replaced_whole_and_keeps_its_mode(book):
    file = book / "book.yaml"
    file.chmod(0o640)
    (one,) = find(file)
    assert one.changes
    assert write(one) == ""
    assert file.read_text() == "a: 1\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(entry.name for entry in book.iterdir()) == [
        "README.md",
        "book.yaml",
        "files",
        "runbooks",
    ]


def test_a_file_that_was_changed_meanwhile_is_left_alone(book):
    file = book / "book.yaml"
    (one,) = find(file)
    file.write_text("a:   2   \n")
    assert "changed meanwhile" in write(one)
    assert file.read_text() == "a:   2   \n"
    assert not list(book.glob(".*"))


def test_a_file_that_is_too_large_is_named(book):
    (book / "big.yaml").write_text("# " + "x" * (5 * 1024 * 1024))
    told = {one.file.name: one for one in find(book)}["big.yaml"]
    assert isinstance(told, Outcome)
    assert "larger than 5 MiB" in str(told.problems[0])
