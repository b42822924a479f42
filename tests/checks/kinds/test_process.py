import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsbook.book import BookError
from opsbook.checks.kinds import process
from tests.checks.making import Looking

MARK = "opsbook-test-process"


@contextlib.contextmanager
def running(
    code: str = "import time; time.sleep(60)", count: int = 1, mark: str = MARK
) -> Iterator[list[int]]:
    """So many processes that do nothing, and can be told by a word of their command line."""
    started = [
        subprocess.Popen(
            [sys.executable, "-S", "-c", f"print(flush=True); {code}", mark],
            stdout=subprocess.PIPE,
        )
        for _ in range(count)
    ]
    for one in started:
        assert one.stdout is not None
        one.stdout.readline()
    try:
        yield [one.pid for one in started]
    finally:
        for one in started:
            one.kill()
            one.communicate()


async def test_what_runs_is_counted_and_what_does_not_is_critical(looking: Looking) -> None:
    fields = {"kind": "process", "command": f"{MARK}$"}
    with running(count=2) as pids:
        seen = await looking.look(**fields)
        assert (seen.state, seen.value, seen.unit) == ("ok", 2.0, "")
        assert all(str(pid) in seen.message for pid in pids)
    seen = await looking.look()
    assert (seen.state, seen.value) == ("critical", 0.0)
    assert seen.message == "no such process runs, and there should be at least 1"


async def test_so_many_have_to_run(looking: Looking) -> None:
    with running(count=2):
        seen = await looking.look(kind="process", command=MARK, instances=3)
    assert (seen.state, seen.value) == ("critical", 2.0)


async def test_what_must_not_run_has_a_band_over_its_count(looking: Looking) -> None:
    fields = {"kind": "process", "command": MARK, "instances": 0, "bands": {"critical": "> 0"}}
    assert (await looking.look(**fields)).state == "ok"
    with running():
        assert (await looking.look()).state == "critical"


async def test_a_process_is_found_by_the_name_of_its_program(
    looking: Looking, tmp_path: Path
) -> None:
    name = "a-program-with-a-long-name"  # the kernel keeps 15 characters of it
    program = tmp_path / name
    shutil.copy("/bin/sleep", program)
    started = subprocess.Popen([program, "60"])
    try:
        seen = await looking.look(kind="process", name=name)
        assert (seen.state, seen.value) == ("ok", 1.0)
        assert (await looking.look("other", kind="process", name=name[:15])).value == 1.0
        assert (await looking.look("no", kind="process", name="a-program")).state == "critical"
    finally:
        started.kill()
        started.wait()


async def test_a_pid_file_names_the_process(looking: Looking, tmp_path: Path) -> None:
    file = tmp_path / "server.pid"
    fields = {"kind": "process", "pid_file": str(file)}
    assert (await looking.look(**fields)).message.startswith("no such process runs")
    with running() as (pid,):
        file.write_text(f"{pid}\n")
        seen = await looking.look()
        assert (seen.state, seen.value) == ("ok", 1.0)
        seen = await looking.look("other", command="something else", **fields)
        assert seen.state == "critical"  # the number was given to another program since
    assert (await looking.look()).state == "critical"
    file.write_text("none")
    seen = await looking.look()
    assert seen.state == "nodata"
    assert "does not begin with the number of a process" in seen.message
    seen = await looking.look("gone", kind="process", pid_file=f"{tmp_path}/no/such/file")
    assert seen.state == "nodata"


async def test_the_user_narrows_it_down(looking: Looking) -> None:
    with running():
        fields = {"kind": "process", "command": MARK}
        mine = await looking.look("mine", user=str(os.geteuid()), **fields)
        assert mine.value == 1.0
        other = "nobody" if os.geteuid() == 0 else "root"
        assert (await looking.look("other", user=other, **fields)).value == 0.0
        seen = await looking.look("none", user="no-such-user", **fields)
        assert (seen.state, seen.message) == ("nodata", "this machine has no user 'no-such-user'")


async def test_memory_age_and_files_are_measured(looking: Looking) -> None:
    code = "x = bytearray(64 * 2**20); f = [open('/dev/null') for _ in range(50)]; "
    code += "print(flush=True); import time; time.sleep(60)"
    with running(code, mark=f"{MARK}-big") as (pid,):
        fields = {"kind": "process", "command": f"{MARK}-big"}
        while len(list(Path(f"/proc/{pid}/fd").iterdir())) < 50:
            pass
        memory = await looking.look("memory", measure="memory", **fields)
        assert memory.unit == "bytes"
        assert 64 * 2**20 <= (memory.value or 0) < 512 * 2**20
        files = await looking.look("files", measure="files", **fields)
        assert (files.value or 0) >= 53
        age = await looking.look("age", measure="age", bands={"warning": "< 1h"}, **fields)
        assert (age.state, age.unit) == ("warning", "s")
        assert 0 <= (age.value or -1) < 60


async def test_a_busy_process_uses_what_it_gets_of_a_core(looking: Looking) -> None:
    with running("exec('while True: pass')", mark=f"{MARK}-busy"):
        fields = {"kind": "process", "command": f"{MARK}-busy", "measure": "cpu"}
        seen = await looking.look(bands={"warning": "> 4%"}, **fields)
    assert (seen.state, seen.unit) == ("warning", "%")
    assert (seen.value or 0) <= 110
    seen = await looking.look()
    assert (seen.state, seen.value) == ("critical", None)


async def test_an_idle_process_uses_none_of_it(looking: Looking) -> None:
    with running():
        seen = await looking.look(kind="process", command=MARK, measure="cpu")
    assert seen.state == "ok"
    assert (seen.value or 0) < 4


async def test_a_dead_process_that_nobody_has_waited_for_does_not_run(
    looking: Looking, tmp_path: Path
) -> None:
    started = subprocess.Popen([sys.executable, "-S", "-c", "pass"])
    try:
        os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)
        assert Path(f"/proc/{started.pid}").exists()
        (tmp_path / "pid").write_text(f"{started.pid}\n")
        seen = await looking.look(kind="process", pid_file=f"{tmp_path}/pid")
        assert (seen.state, seen.value) == ("critical", 0.0)
    finally:
        started.wait()


async def test_hidden_processes_are_missing_data(
    looking: Looking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "PROC", tmp_path)
    seen = await looking.look(kind="process", name="nginx")
    assert seen.state == "nodata"
    assert "does not show the processes of others" in seen.message


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "does not say which processes are meant"),
        ({"command": "a(?=b)"}, "no regular expression of RE2"),
        ({"name": "x", "instances": -1}, "write 0 or more"),
    ],
)
async def test_a_book_must_say_what_is_meant(
    looking: Looking, fields: dict[str, object], told: str
) -> None:
    with pytest.raises(BookError, match=told):
        await looking.look(kind="process", **fields)
