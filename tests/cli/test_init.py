"""`opsbook init`: a book to start from, that loads, is laid out, and runs."""

import pytest

from opsbook.book import Vocabulary, load, read_folder, yamlpos
from opsbook.book.starting import machine
from opsbook.checks import KINDS
from tests.support.front_door import call, start

VOCABULARY = Vocabulary({name: kind.model for name, kind in KINDS.items()})
SEOUL = ("--timezone", "Asia/Seoul")


def made(folder, *options, **more):
    answer = call("init", folder, *SEOUL, *options, **more)
    assert answer.status == 0, answer.err
    return load(read_folder(folder), VOCABULARY)


@pytest.mark.parametrize("url", [(), ("--url", "https://www.example.org")], ids=["bare", "url"])
@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_book_loads_and_is_in_its_one_form(tmp_path, language, url):
    book = made(tmp_path / "shop", "--language", language, *url)
    assert (book.id, str(book.title), book.timezone) == ("shop", "shop", "Asia/Seoul")
    assert ("site" in book.checks) == ("site-down" in book.rules) == bool(url)
    phases = {step.phase for step in book.runbooks["first-response"].steps}
    assert phases == {"main", "rollback"}
    assert call("fmt", "--check", tmp_path / "shop").status == 0


def test_both_languages_are_the_same_book_and_only_one_speaks_korean(tmp_path):
    ko = made(tmp_path / "ko", "--id", "x", "--language", "ko")
    en = made(tmp_path / "en", "--id", "x", "--language", "en")
    for section in ("services", "people", "teams", "checks", "rules", "severities", "routines"):
        assert list(getattr(ko, section)) == list(getattr(en, section)), section
    for id, runbook in ko.runbooks.items():
        assert [(s.key, s.body) for s in runbook.steps if s.kind == "bash"] == [
            (s.key, s.body) for s in en.runbooks[id].steps if s.kind == "bash"
        ]
    assert not any("가" <= letter <= "힣" for text in en.files.values() for letter in text)
    assert all(any("가" <= letter <= "힣" for letter in text) for text in ko.files.values())


def test_a_commented_check_is_good_once_its_marks_are_removed(tmp_path):
    folder = tmp_path / "shop"
    made(folder)
    file = folder / "checks.yaml"
    lines = file.read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if line == "  # site:")
    last = lines.index("", first)
    lines[first:last] = [line.replace("# ", "", 1) for line in lines[first:last]]
    file.write_text("\n".join(lines) + "\n")
    assert "site" in load(read_folder(folder), VOCABULARY).checks


def test_every_file_names_the_schema_that_lies_beside_it(tmp_path):
    made(tmp_path)
    schema = tmp_path / ".opsbook.schema.json"
    assert "draft-07" in schema.read_text()
    files = sorted(tmp_path.glob("*.yaml"))
    assert len(files) == 7
    for file in files:
        first = file.read_text().splitlines()[0]
        assert first == f"# yaml-language-server: $schema={schema.name}"
    assert schema.name not in read_folder(tmp_path)


def test_the_language_is_that_of_the_terminal(tmp_path):
    made(tmp_path / "a", LANG="ko_KR.UTF-8", LC_ALL="", LC_MESSAGES="")
    made(tmp_path / "b", LANG="C.UTF-8", LC_ALL="", LC_MESSAGES="")
    assert "이 책이" in (tmp_path / "a" / "book.yaml").read_text()
    assert "What this book is" in (tmp_path / "b" / "book.yaml").read_text()


def test_whatever_is_in_the_way_is_named_and_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    answer = call("init", tmp_path, *SEOUL)
    assert answer.status == 1
    assert "is not empty: notes.txt." in answer.err
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]
    file = tmp_path / "notes.txt"
    assert f"{file} is a file." in call("init", file, *SEOUL).err
    assert file.read_text() == "mine"


def test_a_folder_with_only_git_in_it_is_empty_enough(tmp_path):
    (tmp_path / ".git").mkdir()
    assert call("init", *SEOUL, cwd=tmp_path).status == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--timezone", "Asia/Soul"), "--timezone 'Asia/Soul': 'Asia/Soul' is not a time zone"),
        (("--owner", "a b", *SEOUL), "--owner 'a b': 'a b' is not a name"),
        (("--id", "a b", *SEOUL), "--id 'a b': 'a b' is not a name"),
        (("--title", " ", *SEOUL), "--title ' ': "),
        (("--url", "shop", *SEOUL), "--url 'shop': 'shop' is no web address"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_value_that_no_book_can_have_is_told_by_its_option(tmp_path, options, said):
    answer = call("init", tmp_path / "shop", *options)
    assert answer.status == 2
    assert said in answer.err
    assert not (tmp_path / "shop").exists()


def test_words_that_yaml_reads_as_something_else_stay_words(tmp_path):
    book = made(tmp_path, "--id", "007", "--owner", "null", "--title", 'A "b": #c')
    assert (book.id, str(book.title), list(book.people)) == ("007", 'A "b": #c', ["null"])


def test_the_machine_is_asked_for_its_zone_and_nothing_is_guessed(tmp_path):
    zone = tmp_path / "usr/share/zoneinfo/Europe/Berlin"
    zone.parent.mkdir(parents=True)
    zone.touch()
    (tmp_path / "etc").mkdir()
    assert machine.timezone({}, tmp_path) is None
    (tmp_path / "etc/timezone").write_text("Asia/Tokyo\n")
    assert machine.timezone({}, tmp_path) == "Asia/Tokyo"
    (tmp_path / "etc/localtime").symlink_to(zone)
    assert machine.timezone({}, tmp_path) == "Europe/Berlin"
    assert machine.timezone({"TZ": ":Asia/Seoul"}, tmp_path) == "Asia/Seoul"
    assert machine.timezone({"TZ": "nowhere"}, tmp_path) == "Europe/Berlin"


def test_the_next_commands_are_told_and_validate_is_happy(tmp_path):
    answer = call("init", tmp_path / "my shop", *SEOUL, "-o", "json").json
    assert answer["next"][0] == f"opsbook validate '{tmp_path / 'my shop'}'"
    assert sorted(answer["files"]) == answer["files"]
    assert call("validate", tmp_path / "my shop").status == 0
    said = (tmp_path / "my shop" / "book.yaml").read_text()
    assert yamlpos.read(said, "book.yaml").data["id"] == "my-shop"


def test_opsbook_runs_the_book(tmp_path):
    tmp_path.chmod(0o755)
    made(tmp_path / "shop")
    up = start(tmp_path / "shop", data=tmp_path / "data")
    try:
        assert up.started["books"][0]["id"] == "shop"
        assert {check["id"] for check in up.call("checks", "-o", "json").json["checks"]} == {
            "disk", "memory", "opsbook",
        }  # fmt: skip
    finally:
        up.stop()
