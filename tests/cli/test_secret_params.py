"""A secret parameter is not taken from the command line, which others see."""

import os
import pty
import subprocess

import pytest

from tests.support.front_door import LIMIT, PROGRAM, environment, start

VALUE = 'k-77"ab&90'
BOOK = """\
id: shop
title: Shop
timezone: Asia/Seoul
people: {lead: {name: Lead, roles: [lead]}}
roles: {lead: ["*:admin"]}
"""
ROTATE = """\
---
id: rotate
title: Rotate
params:
  api_key: {secret: true}
  old_key: {secret: true, required: false}
  note: {required: false}
---
```bash {#look effect=read}
echo "note=$note; $api_key; ${#api_key} and ${#old_key} characters"
```
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secret")
    (folder / "runbooks").mkdir()
    (folder / "book.yaml").write_text(BOOK)
    (folder / "runbooks" / "rotate.md").write_text(ROTATE)
    up = start(folder, data=folder / "data")
    try:
        yield up
    finally:
        up.stop()


def run(server, *words, said=None):
    return subprocess.run(
        [*PROGRAM, "run", "rotate", *words], capture_output=True, text=True, check=False,
        timeout=LIMIT, env=environment(OPSBOOK_DATA=str(server.data)), input=said or "",
    )  # fmt: skip


def test_on_the_command_line_it_is_refused_and_the_other_ways_are_named(server):
    done = run(server, "-p", f"api_key={VALUE}")
    assert done.returncode == 2
    assert "api_key=@FILE" in done.stderr
    assert "api_key=-" in done.stderr
    assert VALUE not in done.stdout + done.stderr


def test_it_is_read_from_a_file_or_from_stdin_without_the_last_line_break(server, tmp_path):
    file = tmp_path / "key"
    file.write_text(f"{VALUE}\n")
    for words, said in ((f"api_key=@{file}", None), ("api_key=-", f"{VALUE}\n")):
        done = run(server, "-p", words, "-p", "note=@plain", said=said)
        assert done.returncode == 0, done.stderr
        assert f"note=@plain; ••••; {len(VALUE)} and 0 characters" in done.stdout
        assert VALUE not in done.stdout + done.stderr


def test_two_from_stdin_and_a_file_that_is_not_there_are_refused(server, tmp_path):
    both = run(server, "-p", "api_key=-", "-p", "old_key=-", said=VALUE)
    assert both.returncode == 2
    assert "Only one parameter can be read from stdin" in both.stderr
    gone = run(server, "-p", f"api_key=@{tmp_path / 'gone'}")
    assert gone.returncode == 2
    assert "No such file" in gone.stderr


def test_where_nobody_can_be_asked_it_says_how_to_give_it(server):
    done = run(server)
    assert done.returncode == 2
    assert "api_key" in done.stderr
    assert "api_key=@FILE" in done.stderr


def test_at_a_terminal_it_is_asked_for_without_echo(server):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "run", "rotate", "-p", "old_key"], stdin=theirs, stdout=theirs, stderr=theirs,
        env=environment(OPSBOOK_DATA=str(server.data)), start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    told = b""
    for name in (b"old_key", b"api_key"):
        while name + b": " not in told:
            told += os.read(ours, 4096)
        os.write(ours, f"{VALUE}\n".encode())
    try:
        while more := os.read(ours, 4096):
            told += more
    except OSError:  # how a terminal ends when nobody is at the other side
        pass
    os.close(ours)
    assert process.wait(LIMIT) == 0, told
    assert f"{len(VALUE)} and {len(VALUE)} characters".encode() in told
    assert VALUE.encode() not in told
