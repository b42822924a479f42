"""`opsbook plan`: what a folder would change, asked of a running server or of another folder."""

import shutil
from pathlib import Path

import pytest

from tests.support.front_door import call

STARTER = Path(__file__).resolve().parents[2] / "books" / "starter"


@pytest.fixture
def edited(tmp_path):
    """A copy of a book with texts replaced."""

    def edit(book, *edits):
        folder = tmp_path / "edited"
        shutil.copytree(book, folder)
        for file, old, new in edits:
            text = (folder / file).read_text()
            assert old in text
            (folder / file).write_text(text.replace(old, new, 1))
        return folder

    return edit


def test_the_folder_that_runs_changes_nothing(shop):
    answer = shop.call("plan", shop.book, "--exit-code")
    assert answer.status == 0, answer.err
    assert answer.out.splitlines()[-1] == "Nothing changes."


def test_a_loosened_approval_stands_first_and_says_so_in_words(shop, edited):
    folder = edited(
        shop.book,
        ("runbooks/deploy.md", "by=lead within=1h", "within=1h"),
        ("book.yaml", "timezone: Asia/Seoul", "timezone: Europe/Berlin"),
    )
    answer = shop.call("plan", folder)
    assert answer.status == 0, answer.err
    lines = answer.out.splitlines()
    assert lines[0].startswith(f"shop · {folder} against revision ")
    assert lines[0].endswith(", which runs")
    assert lines[2] == "NEEDS APPROVAL (1)"
    assert lines[3].startswith(
        "  ■ needs approval: Others may answer allow of deploy: whoever has runs:write instead of "
        "lead.  runbooks/deploy.md:"
    )
    assert lines[5].startswith("WITHIN A DAY (")
    assert lines[-1].endswith("; 1 needs approval before this revision runs.")
    assert "\x1b" not in answer.out


def test_a_run_that_waits_is_told_with_the_revision_it_keeps(shop, edited):
    run = shop.call("run", "deploy", "-o", "json").json
    folder = edited(shop.book, ("runbooks/deploy.md", 'echo "applied"', "echo done"))
    answer = shop.call("plan", folder, "-o", "json")
    told = [one for one in answer.json["changes"] if one["section"] == "runs"]
    mine = next(one for one in told if one["id"] == str(run["id"]))
    assert mine["sentence"].startswith(f"Run {run['id']} (deploy, at allow) stays on revision ")
    assert "1 of its remaining steps differ: " in mine["sentence"]
    assert shop.call("runs", "cancel", str(run["id"])).status == 0


def test_a_revision_that_ran_is_named_by_the_beginning_of_its_hash(shop, edited):
    revision = shop.call("plan", shop.book, "-o", "json").json["old"]
    folder = edited(shop.book, ("book.yaml", "Asia/Seoul", "Europe/Berlin"))
    answer = shop.call("plan", folder, "--against", revision[:10])
    assert f"against revision {revision[:12]}" in answer.out
    assert "The book's time zone is Europe/Berlin instead of Asia/Seoul." in answer.out
    assert shop.call("plan", folder, "--against", "0123456789").status == 1
    short = shop.call("plan", folder, "--against", "012")
    assert short.status == 2
    assert "at least the first 8 digits" in short.err


def test_a_book_that_does_not_run_is_new_as_a_whole(shop):
    answer = shop.call("plan", STARTER, "-o", "json")
    assert answer.status == 0, answer.err
    assert answer.json["old"] is None
    assert answer.json["loosens"] == 0
    assert answer.json["changes"][0]["sentence"].startswith("The book starter is new")


def test_the_exit_status_tells_of_a_difference_only_when_asked(edited, tmp_path):
    folder = edited(STARTER, ("routines.yaml", "every day 09:00", "every day 08:00"))
    none = {"OPSBOOK_DATA": str(tmp_path / "none")}
    assert call("plan", folder, "--against", STARTER, **none).status == 0
    assert call("plan", folder, "--against", STARTER, "--exit-code", **none).status == 1
    assert call("plan", STARTER, "--against", STARTER, "--exit-code", **none).status == 0


def test_without_a_server_it_says_so_and_what_can_be_compared_with(tmp_path):
    answer = call("plan", STARTER, OPSBOOK_DATA=str(tmp_path))
    assert answer.status == 1
    assert f"No Opsbook is running (data folder {tmp_path})." in answer.err
    assert "--against FOLDER" in answer.err


def test_a_folder_with_mistakes_is_answered_as_validate_does(edited):
    folder = edited(STARTER, ("checks.yaml", "every: 1m", "every: 1x"))
    answer = call("plan", folder, "--against", STARTER)
    assert answer.status == 2
    assert answer.out == ""
    assert f"{folder}/checks.yaml:" in answer.err
    assert "'1x' is not a duration" in answer.err


def test_what_is_no_option_is_a_mistake_of_usage():
    assert call("plan").status == 2
    assert call("plan", STARTER, "--aginst", "x").status == 2
