"""`opsbook up`: what it says, how it stops, and everything that can keep it from starting."""

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading

import pytest

from tests.support.front_door import PROGRAM, call, environment, start
from tests.support.shopbook import write_shop


@pytest.fixture
def book(tmp_path):
    tmp_path.chmod(0o755)
    return write_shop(tmp_path)


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def up(*words, data, **more):
    """Start a server that is not expected to get far."""
    return call("up", *words, "--data", data, **more)


def test_the_start_tells_what_runs_and_ends_with_the_address(book, data):
    server = start(book, data=data, form="table")
    assert server.stop() == 0
    said = server.lines
    address = next(at for at, line in enumerate(said) if line.startswith("● http://127.0.0.1:"))
    before = "".join(said[:address])
    assert "shop: Shop · revision" in before
    assert "1 check, 1 rule, 1 routine, 5 runbooks" in before
    assert re.search(r"watches +queue", before)
    assert str(data) in before
    assert re.search(r"steps +run as", before)
    assert re.search(r"sign in +http://\S+/sign-in/link/\S+ \(once", before)
    assert "‖ Stopping … (Ctrl-C again to leave at once)\n" in said
    assert said[-1] == "‖ Stopped.\n"


def test_each_event_is_one_line_with_its_time_in_the_books_zone(book, data):
    server = start(book, data=data, form="table")
    assert server.call("run", "greet", "-p", "name=crew").status == 0
    line = server.until("greet")
    assert re.match(r"\d\d:\d\d:\d\d \S .*run 1", line)
    assert server.stop() == 0


def test_an_edit_that_cannot_run_is_told_with_its_first_places(book, data):
    server = start(book, data=data, form="table")
    good = (book / "book.yaml").read_text()
    wrong = "".join(f"  wrong-{n}: {{check: nowhere-{n}, severity: P1}}\n" for n in range(4))
    (book / "book.yaml").write_text(good.replace("rules:\n", f"rules:\n{wrong}"))
    first = server.until("cannot run:")
    last = server.until("opsbook validate")
    assert last.endswith(f"· opsbook validate {book} names all of them\n")
    told = server.lines[server.lines.index(first) + 1 : -1]
    assert len(told) == 3
    for line in told:
        assert re.match(rf"\d\d:\d\d:\d\d · {book}/book\.yaml:\d+:\d+: ", line), line
    assert server.stop() == 0


def test_a_revision_that_waits_is_told_with_where_to_approve_it(book, data):
    server = start(book, data=data, form="table")
    address = next(one.split()[1] for one in server.lines if one.startswith("● http://"))
    deploy = book / "runbooks" / "deploy.md"
    deploy.write_text(deploy.read_text().replace("by=lead within=1h", "within=1h"))
    line = server.until("waits for an approval")
    assert re.search(
        rf"Revision [0-9a-f]{{12}} of shop waits for an approval by somebody with book:admin: "
        rf"{address}/book/shop/held$",
        line,
    )
    answer = server.call("plan", book)
    assert answer.status == 0, answer.err
    assert re.fullmatch(
        rf"⏳ This revision was saved and waits for an approval since \d\d:\d\d; "
        rf"see {address}/book/shop/held",
        answer.out.splitlines()[1],
    )
    assert server.call("plan", book, "-o", "json").json["held_since"]
    other = book.parent / "other"  # which nobody follows, and so nobody holds
    shutil.copytree(book, other)
    (other / "runbooks" / "deploy.md").write_text(deploy.read_text() + "\nOne more line.\n")
    assert "was saved" not in server.call("plan", other).out
    assert server.stop() == 0


def test_for_a_script_the_start_and_every_event_are_json_lines(book, data):
    server = start(book, data=data)
    assert set(server.started) == {
        "event", "url", "pid", "data", "steps_user", "sign_in_link", "books",
        "missing_secrets",
    }  # fmt: skip
    assert server.started["pid"] == server.process.pid
    assert server.started["books"][0]["id"] == "shop"
    entry = json.loads(server.until('"book.published"'))
    assert entry["event"] == "entry"
    assert entry["subject"] == "book:shop"
    assert server.stop() == 0
    told = [json.loads(line)["event"] for line in server.lines]
    assert [one for one in told if one != "entry"] == ["started", "stopping", "stopped"]
    assert told[-1] == "stopped"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_told_to_stop_it_leaves_cleanly_and_takes_its_token_with_it(book, data, how):
    server = start(book, data=data)
    token, address = data / "local.token", data / "server.json"
    assert token.stat().st_mode & 0o777 == 0o600
    assert address.stat().st_mode & 0o777 == 0o600
    assert server.stop(how) == 0
    assert not token.exists()
    assert not address.exists()


def test_ctrl_c_during_the_start_ends_it_without_a_trace(book, data):
    process = subprocess.Popen(
        [*PROGRAM, "up", str(book), "--data", str(data), "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(),
    )  # fmt: skip
    wait_for(lambda: (data / "lock").exists() or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert "Stopped" in said


def test_of_two_books_with_the_same_names_one_has_to_be_named(book, data, tmp_path):
    (tmp_path / "second").mkdir()
    other = write_shop(tmp_path / "second")
    text = (other / "book.yaml").read_text()
    (other / "book.yaml").write_text(text.replace("id: shop\n", "id: branch\n"))
    server = start(book, other, data=data)
    answer = server.call("run", "look")
    assert answer.status == 2
    assert "branch, shop" in answer.err
    assert server.call("run", "look", "--book", "branch").status == 0
    assert "branch, shop" in server.call("checks", "queue").err
    assert server.call("checks", "queue", "--book", "branch").status in {0, 1}
    assert "BOOK" in server.call("checks").out
    assert server.stop() == 0


def test_a_console_that_nobody_reads_does_not_hold_up_the_server(book, data):
    server = start(book, data=data)
    fcntl.fcntl(server.process.stdout, fcntl.F_SETPIPE_SZ, 4096)
    for _ in range(8):  # some forty entries of 400 bytes and more
        assert server.call("run", "greet", "-p", "times=3").status == 0
    assert server.call("runs", "list").status == 0
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(60) == 0
    server.process.stdout.close()


def test_a_console_whose_reader_leaves_does_not_stop_the_server(book, data):
    server = start(book, data=data)
    server.process.stdout.close()
    assert server.call("run", "greet").status == 0
    assert server.call("run", "greet").status == 0
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(60) == 0


def test_who_follows_a_run_follows_it_across_a_restart(book, data):
    server = start(book, data=data)
    run = str(server.call("run", "deploy", "-o", "json").json["id"])
    following = subprocess.Popen(
        [*PROGRAM, "runs", "logs", run, "-f", "-o", "json"], stdout=subprocess.PIPE, text=True,
        env=environment(OPSBOOK_DATA=str(data)),
    )  # fmt: skip
    first = following.stdout.readline()
    assert json.loads(first)["text"] == "before\n"
    assert server.stop() == 0
    again = start(book, data=data)
    assert again.as_person("runs", "approve", run).status == 0
    assert json.loads(following.stdout.readline())["text"] == "applied\n"
    assert again.as_person("runs", "cancel", run).status == 0
    assert following.wait(60) == 0
    following.stdout.close()
    assert again.stop() == 0


def test_a_second_ctrl_c_leaves_at_once(book, data):
    server = start(book, data=data)
    started = server.call("run", "slow", "--no-follow", "-o", "json")
    assert started.status == 0
    os.kill(server.process.pid, signal.SIGINT)
    os.kill(server.process.pid, signal.SIGINT)
    server.process.wait(60)
    assert server.process.returncode in {0, 130}
    assert "Traceback" not in "".join(server.process.stdout.readlines())
    again = start(book, data=data)
    assert again.call("runs", "show", "1", "-o", "json").json["id"] == 1
    assert again.as_person("runs", "cancel", "1").status in {0, 1}
    assert again.stop() == 0


def test_at_a_terminal_it_says_how_to_stop_and_uses_its_means(book, data):
    drawn = on_a_terminal(book, data)
    assert "\x1b[2m" in drawn
    assert "Ctrl-C stops." in drawn
    assert "Stopped." in drawn


def test_a_port_that_is_taken_is_named_with_who_has_it(book, data):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = up(book, "--listen", f"127.0.0.1:{port}", data=data)
    assert answer.status == 2
    assert f"127.0.0.1:{port} is taken by" in answer.err
    assert f"(process {os.getpid()})" in answer.err
    assert f"--listen 127.0.0.1:{port + 1}" in answer.err or port == 65535
    assert not (data / "local.token").exists()


def test_a_second_server_on_the_same_folder_is_refused_and_the_first_lives_on(shop):
    answer = up(shop.book, "--listen", "127.0.0.1:0", data=shop.data)
    assert answer.status == 2
    assert f"process {shop.process.pid}" in answer.err
    assert shop.call("checks").status == 0


def test_a_data_folder_that_cannot_be_written_is_named(book, tmp_path):
    (tmp_path / "file").write_text("in the way")
    answer = up(book, data=tmp_path / "file" / "data")
    assert answer.status == 2
    assert str(tmp_path / "file" / "data") in answer.err
    assert "--data" in answer.err


def test_a_database_of_a_newer_opsbook_is_left_alone(book, data):
    data.mkdir()
    with sqlite3.connect(data / "opsbook.db") as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")
    answer = up(book, "--listen", "127.0.0.1:0", data=data)
    assert answer.status == 2
    assert "9999" in answer.err
    assert "newer" in answer.err
    with sqlite3.connect(data / "opsbook.db") as database:
        names = database.execute("SELECT name FROM sqlite_master").fetchall()
    assert names == [("alembic_version",)]


def test_a_book_that_is_not_there_starts_nothing_and_writes_nothing(data, tmp_path):
    answer = up(tmp_path / "nowhere", data=data)
    assert answer.status == 2
    assert "nowhere:1:1: the book does not exist" in answer.err
    assert not data.exists()


def test_everything_wrong_with_every_book_is_told_at_once_and_nothing_is_started(tmp_path, data):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "book.yaml").write_text(
            f"id: {name}\ntimezone: Nowhere/Else\ncolour: x\n"
        )
    answer = up(tmp_path / "one", tmp_path / "two", data=data)
    assert answer.status == 2
    for name in ("one", "two"):
        places = re.findall(rf"^{tmp_path}/{name}/book\.yaml:\d+:\d+: .+", answer.err, re.MULTILINE)
        assert len(places) >= 2, answer.err
    assert "nothing was started" in answer.err
    assert not data.exists()


def test_two_folders_with_one_book_are_refused(book, tmp_path, data):
    (tmp_path / "again").mkdir()
    copy = write_shop(tmp_path / "again")
    answer = up(book, copy, data=data)
    assert answer.status == 2
    assert "both hold the book 'shop'" in answer.err


@pytest.mark.parametrize(
    ("words", "more", "named"),
    [
        (["--listen", "nowhere"], {}, "--listen: 'nowhere'"),
        ([], {"OPSBOOK_LISTEN": "1:2:3"}, "OPSBOOK_LISTEN: '1:2:3'"),
        (["--database", "mysql://h/d"], {}, "--database: 'mysql'"),
        (["--listen", "192.0.2.1:1"], {}, "192.0.2.1:1"),
        (["--database", "postgresql://127.0.0.1:1/x"], {}, "postgresql"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(book, data, words, more, named):
    listen = [] if "--listen" in words or "OPSBOOK_LISTEN" in more else ["--listen", "127.0.0.1:0"]
    answer = up(book, *words, *listen, data=data, **more)
    assert answer.status == 2, answer.err
    assert named in answer.err
    assert "Traceback" not in answer.err
    assert "bug" not in answer.err


def test_an_unknown_user_for_steps_is_named(book, data):
    if os.geteuid() != 0:
        pytest.skip("only root can run steps as another user")
    answer = up(book, data=data, OPSBOOK_STEP_USER="no-such-user")
    assert answer.status == 2
    assert "no-such-user" in answer.err
    assert "OPSBOOK_STEP_USER" in answer.err


def test_a_server_on_another_port_is_found_through_its_data_folder_alone(shop):
    answer = call(
        "runs", "list", "--data", shop.data, "-o", "json", OPSBOOK_URL="http://127.0.0.1:9"
    )
    assert answer.status == 0
    assert "runs" in answer.json


def wait_for(reached):
    pause = threading.Event()
    for _ in range(6000):
        if reached():
            return
        pause.wait(0.01)
    raise AssertionError("it was never reached")


def on_a_terminal(book, data):
    """Start and stop a server whose output is a terminal, and return what it drew."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "up", str(book), "--data", str(data), "--listen", "127.0.0.1:0"],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment(TERM="xterm"),
    )  # fmt: skip
    os.close(theirs)
    drawn, told = "", False
    while piece := read(ours):
        drawn += piece
        if "Ctrl-C stops." in drawn and not told:  # once: a second one would leave at once
            told = True
            process.send_signal(signal.SIGINT)
    os.close(ours)
    assert process.wait(60) == 0
    return drawn


def read(handle):
    try:
        return os.read(handle, 65536).decode(errors="replace")
    except OSError:
        return ""
