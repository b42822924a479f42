"""What commands do against a running server, and what they say when it refuses."""

import json
import os
import pty
import re
import subprocess

import pytest

from opsbook.cli.root import cli, main
from tests.support.front_door import PROGRAM, call, environment


def test_a_run_is_followed_to_its_end_with_steps_and_output(shop):
    answer = shop.call("run", "greet", "-p", "name=crew", "-p", "times=2")
    assert answer.status == 0
    assert answer.out.count("hello crew\n") == 2
    assert re.search(r"● run \d+ succeeded", answer.out)


def test_a_run_that_fails_ends_with_one_and_says_why(shop):
    answer = shop.call("run", "fail")
    assert answer.status == 1
    assert "about to fail" in answer.out
    assert re.search(r"■ run \d+ failed", answer.out)


def test_every_wrong_parameter_is_named_at_once_and_nothing_is_started(shop):
    before = shop.call("runs", "list", "--limit", "1", "-o", "json").json
    answer = shop.call("run", "greet", "-p", "nam=crew", "-p", "times=9", "-p", "name=CREW")
    assert answer.status == 2
    assert re.search(r"^  nam: .*name", answer.err, re.MULTILINE)
    assert re.search(r"^  times: .*9", answer.err, re.MULTILINE)
    assert re.search(r"^  name: .*CREW", answer.err, re.MULTILINE)
    assert shop.call("runs", "list", "--limit", "1", "-o", "json").json == before


@pytest.mark.parametrize("given", ["name", "=crew", ""])
def test_what_is_no_parameter_is_named(given, shop):
    answer = shop.call("run", "greet", "-p", given)
    assert answer.status == 2
    assert repr(given) in answer.err


def test_a_parameter_given_twice_is_refused(shop):
    answer = shop.call("run", "greet", "-p", "name=a", "-p", "name=b")
    assert answer.status == 2
    assert "'name' is given twice" in answer.err


def test_a_value_may_hold_anything_a_line_can_hold(shop):
    answer = shop.call("run", "greet", "-p", "name=a=b; $(id)")
    assert answer.status == 2
    assert "a=b; $(id)" in answer.err


def test_an_unknown_runbook_is_answered_with_those_there_are(shop):
    answer = shop.call("run", "nope")
    assert answer.status == 1
    assert "deploy, fail, greet, look, slow" in answer.err


def test_the_same_key_starts_one_run_and_another_request_with_it_is_refused(shop):
    first = shop.call("run", "greet", "--key", "once", "--no-follow", "-o", "json").json
    again = shop.call("run", "greet", "--key", "once", "--no-follow", "-o", "json").json
    assert again["id"] == first["id"]
    other = shop.call("run", "greet", "-p", "name=crew", "--key", "once")
    assert other.status == 1
    assert f"run {first['id']}" in other.err


def test_following_comes_back_where_a_person_is_asked_and_says_the_command(shop):
    answer = shop.call("run", "deploy")
    assert answer.status == 0
    number = re.search(r"opsbook runs approve (\d+) --step allow", answer.out)
    assert number, answer.out
    assert "waits for approval by lead: Deploy now?" in answer.out
    assert shop.call("runs", "cancel", number[1], "--reason", "enough").status == 0


def test_a_run_is_approved_confirmed_and_followed_through_its_waits(shop):
    run = str(shop.call("run", "deploy", "-o", "json").json["id"])
    following = subprocess.Popen(
        [*PROGRAM, "runs", "logs", run, "-f"], stdout=subprocess.PIPE, text=True,
        env=environment(OPSBOOK_DATA=str(shop.data)),
    )  # fmt: skip
    approved = shop.as_person("runs", "approve", run, "--note", "go", "-o", "json")
    assert approved.status == 0, approved.err
    confirm_when_asked(shop, run)
    out, _ = following.communicate(timeout=60)
    assert following.returncode == 0
    assert [line for line in out.splitlines() if not line.startswith("──")] == ["before", "applied"]
    shown = shop.call("runs", "show", run)
    assert "Succeeded after" in shown.out
    assert "approved by lead" in shown.out


def confirm_when_asked(shop, run):
    for _ in range(600):
        answer = shop.as_person("runs", "confirm", run, "--step", "tell")
        if answer.status == 0:
            return
        assert "does not wait for a manual step" in answer.err
    raise AssertionError("it never waited for the manual step")


@pytest.mark.parametrize("how", ["approve", "reject", "confirm"])
def test_the_local_token_answers_for_nobody_and_says_how_to(how, shop):
    run = str(shop.call("run", "deploy", "-o", "json").json["id"])
    answer = shop.call("runs", how, run)
    assert answer.status == 1
    if how != "confirm":
        assert "local token" in answer.err
        assert "OPSBOOK_TOKEN" in answer.err
    shop.call("runs", "cancel", run)


def test_a_token_without_the_scope_cannot_approve(shop):
    run = str(shop.call("run", "deploy", "-o", "json").json["id"])
    token = shop.make_token("lead", "read", "run")
    answer = shop.call("runs", "approve", run, OPSBOOK_TOKEN=token)
    assert answer.status == 1
    assert "scope" in answer.err
    shop.call("runs", "cancel", run)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["runs", "show", "999999"], "no run 999999"),
        (["runs", "logs", "999999"], "no run 999999"),
        (["runs", "logs", "999999", "-f"], "no run 999999"),
        (["runs", "cancel", "999999"], "no run 999999"),
        (["incidents", "show", "999999"], "no incident 999999"),
        (["checks", "queue", "--book", "nope"], "no book 'nope'"),
        (["runs", "list", "--book", "nope"], "no book 'nope'"),
    ],
)
def test_what_is_not_there_is_named(words, told, shop):
    answer = shop.call(*words)
    assert answer.status == 1
    assert told in answer.err


@pytest.mark.parametrize(
    "words",
    [
        ["checks", "nope"],
        ["runs", "show", "x"],
        ["runs", "decide", "1", "perhaps"],
        ["runs", "list", "--state", "lost"],
        ["runs", "list", "--limit", "0"],
        ["fly"],
        ["runs", "fly"],
        ["up"],
        ["validate"],
        ["version", "-o", "yaml"],
    ],
    ids=" ".join,
)
def test_what_is_not_understood_ends_with_two(words, shop):
    answer = shop.call(*words)
    assert answer.status == 2
    assert answer.err
    assert "Traceback" not in answer.err


def test_a_check_is_shown_with_its_value_and_its_rules(shop):
    for _ in range(100):
        answer = shop.call("checks", "queue")
        if "5 B" in answer.out:
            break
    assert answer.status == 0
    assert "queue-long" in answer.out
    listed = shop.call("checks")
    assert listed.status == 0
    assert listed.out.startswith("1 check is fine.")


def test_following_the_logs_for_a_script_gives_one_piece_a_line(shop):
    run = str(shop.call("run", "greet", "-o", "json").json["id"])
    answer = shop.call("runs", "logs", run, "-f", "-o", "json")
    assert [json.loads(line)["text"] for line in answer.out.splitlines()] == ["hello world\n"]


def test_a_valid_book_and_one_with_mistakes_are_told_apart(shop, tmp_path):
    (tmp_path / "book.yaml").write_text("id: bad\ntitle: Bad\ntimezone: Nowhere/Else\n")
    answer = call("validate", shop.book, tmp_path, tmp_path / "none")
    assert answer.status == 2
    assert "Shop" in answer.out
    assert re.search(rf"^{tmp_path}/book.yaml:3:\d+: ", answer.err, re.MULTILINE)
    assert f"{tmp_path}/none:1:1: the book does not exist" in answer.err
    told = call("validate", shop.book, tmp_path, "-o", "json")
    assert told.status == 2
    assert [one["valid"] for one in told.json["books"]] == [True, False]
    problem = told.json["books"][1]["problems"][0]
    assert set(problem) == {"file", "line", "column", "message", "remedy"}
    assert problem["file"] == f"{tmp_path}/book.yaml"


def test_colors_are_for_terminals_and_no_color_is_kept(shop):
    assert "\x1b[" not in shop.call("checks").out
    assert "\x1b[" in on_a_terminal(shop, {})
    assert "\x1b[" not in on_a_terminal(shop, {"NO_COLOR": "1"})


def test_at_a_narrow_terminal_the_last_column_is_cut_and_no_line_wraps(shop):
    drawn = on_a_terminal(shop, {"COLUMNS": "60", "NO_COLOR": "1"})
    assert max(len(line) for line in drawn.splitlines()) <= 60
    assert "…" in drawn


def test_a_pipe_that_closes_early_is_no_error(shop):
    line = f"{' '.join(PROGRAM)} audit list --limit 1000 -o json | head -1"
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, check=False, timeout=60,
        env=environment(OPSBOOK_DATA=str(shop.data)),
    )  # fmt: skip
    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_a_bug_is_one_line_and_where_its_trace_lies(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setitem(cli.lines, "broken", "A command whose file is missing.")
    assert main(["broken"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: This is a bug in Opsbook: ModuleNotFoundError")
    log = tmp_path / "opsbook" / "errors.log"
    assert str(log) in told
    assert "Traceback" not in told
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ModuleNotFoundError):
        main(["broken", "--debug"])


def on_a_terminal(shop, more):
    """What `opsbook checks` draws at a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "checks"], stdin=theirs, stdout=theirs, stderr=theirs,
        env=environment(OPSBOOK_DATA=str(shop.data), TERM="xterm", **more),
    )  # fmt: skip
    os.close(theirs)
    drawn = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        drawn += piece
    os.close(ours)
    process.wait(60)
    return drawn.decode()
