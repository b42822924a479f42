"""The promises of the step supervisor, kept by real processes.

Long because every promise of the supervisor is tried on the same few helpers, in one list.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

import opsbook
from opsbook.runs import supervisor
from opsbook.runs.supervisor import proctree, protocol, spool

PATH = "/usr/bin:/bin"
NOBODY = 65534
MEBIBYTE = 1024 * 1024
AT_ONCE = 3.0  # "at once", on a machine that has other things to do
needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can run a step as another user"
)


@pytest.fixture
async def spawner() -> AsyncIterator[supervisor.Spawner]:
    one = supervisor.Spawner()
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "attempt"
    yield folder
    supervisor.kill_tree(folder.name, folder)


@pytest.fixture
def open_scratch() -> Iterator[Path]:
    """A scratch folder that other users can pass through to, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as outer:
        Path(outer).chmod(0o711)
        yield Path(outer, "attempt")


def request(scratch: Path, *argv: str, **more: Any) -> supervisor.StepRequest:
    words: dict[str, Any] = {"attempt_id": scratch.name, "env": {"PATH": PATH}, **more}
    return supervisor.StepRequest(scratch=scratch, argv=argv, **words)


def bash(scratch: Path, script: str, **more: Any) -> supervisor.StepRequest:
    return request(scratch, "bash", "-c", script, **more)


async def read(step: supervisor.Step) -> bytes:
    return b"".join([piece async for piece in step.chunks()])


async def run(
    spawner: supervisor.Spawner, asked: supervisor.StepRequest
) -> tuple[supervisor.Outcome, bytes]:
    step = await spawner.spawn(asked)
    output = await read(step)
    outcome = await step.outcome()
    await step.acknowledge()
    return outcome, output


async def first_line(step: supervisor.Step) -> str:
    output = b""
    async for piece in step.chunks():
        output += piece
        if b"\n" in output:
            break
    return output.decode().splitlines()[0]


def on_record(scratch: Path) -> dict[str, Any]:
    return dict(json.loads((scratch / "pid.json").read_text()))


def is_gone(pid: int) -> bool:
    return proctree.look(pid) is None


async def until(condition: Callable[[], bool], within: float = 10.0) -> None:
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        await asyncio.sleep(0.01)


# What a step is given


async def test_a_step_gets_exactly_the_declared_environment(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")
    spawner = supervisor.Spawner()
    step = await spawner.spawn(request(scratch, "env", env={"PATH": PATH, "GREETING": "안녕"}))
    output = await read(step)
    keeper = on_record(scratch)["keeper"]
    told = Path(f"/proc/{keeper}/environ").read_bytes()
    await step.acknowledge()
    await spawner.stop()
    assert sorted(output.decode().splitlines()) == [
        "GREETING=안녕",
        "OPSBOOK_ATTEMPT=attempt",
        f"OPSBOOK_SCRATCH={scratch}",
        f"PATH={PATH}",
    ]
    assert b"hunter2" not in told


C_LIBRARY = 1 << 31 | 1 << 32
"""Signals 32 and 33, which glibc keeps for its threads: no program can set or clear them."""


async def test_a_step_inherits_no_ignored_signal(scratch: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    spawner = supervisor.Spawner()
    try:
        _, output = await run(
            spawner, request(scratch, "grep", "-E", "Sig(Blk|Ign)", "/proc/self/status")
        )
    finally:
        signal.signal(signal.SIGHUP, before)
        await spawner.stop()
    masks = {int(word, 16) for word in output.decode().split() if not word.endswith(":")}
    assert {mask & ~C_LIBRARY for mask in masks} == {0}


async def test_a_script_comes_as_a_file_and_appears_in_no_process_list(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    text = "echo \"$1 $(cat)\"; tr '\\0' ' ' < /proc/$$/cmdline; umask; exit 3\n"
    asked = request(scratch, "bash", script=text, arguments=["hello"], stdin="world\n" * 50_000)
    outcome, output = await run(spawner, asked)
    assert (outcome.outcome, outcome.exit_code) == ("failed", 3)
    assert output.startswith(b"hello world\nworld\n")
    assert output.endswith(f"bash {scratch}/script hello 0077\n".encode())


async def test_the_step_starts_in_its_own_home_and_elsewhere_when_asked(
    spawner: supervisor.Spawner, scratch: Path, tmp_path: Path
) -> None:
    assert (await run(spawner, bash(scratch, "pwd")))[1] == f"{scratch}/home\n".encode()
    asked = bash(tmp_path / "second", "pwd", cwd=tmp_path)
    assert (await run(spawner, asked))[1] == f"{tmp_path}\n".encode()


@needs_root
async def test_as_another_user_a_step_can_neither_read_the_server_s_files_nor_speak_to_its_keeper(
    spawner: supervisor.Spawner, open_scratch: Path
) -> None:
    secret = open_scratch.parent / "secret"
    secret.write_text("s3cret")
    secret.chmod(0o600)
    script = (
        "echo up; id -u; id -G; echo $HOME; touch mine && echo own; cat ../../secret; ls ..; "
        'echo x >> "$0"; kill -9 $PPID; cat /proc/$PPID/environ; sleep 60'
    )
    asked = request(open_scratch, "bash", script=script, user=NOBODY, group=NOBODY, timeout_s=30)
    step = await spawner.spawn(asked)
    assert await first_line(step) == "up"
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        try:
            socket.socket(socket.AF_UNIX).connect(str(open_scratch / "keeper.sock"))
        except PermissionError:
            os._exit(13)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 13
    await until(lambda: b"environ" in step.output_file.read_bytes())
    await step.terminate()
    assert (await step.outcome()).outcome == "killed"
    output = step.output_file.read_text()
    assert f"{NOBODY}\n{NOBODY}\n{open_scratch}/home\nown\n" in output
    assert "s3cret" not in output
    assert output.count("ermission denied") == 4, output
    assert "not permitted" in output
    assert (open_scratch / "script").read_text() == script


async def test_a_keeper_talks_to_its_own_user_only(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    step = await spawner.spawn(bash(scratch, "echo up; sleep 60"))
    await first_line(step)
    assert (scratch / "keeper.sock").stat().st_mode & 0o777 == 0o600
    assert scratch.stat().st_mode & 0o777 == 0o711
    keeper = on_record(scratch)["keeper"]
    held = sorted(str(entry.readlink()) for entry in Path(f"/proc/{keeper}/fd").iterdir())
    files = {name for name in held if name.startswith("/")}
    assert files == {"/dev/null", str(scratch), str(scratch / "output.bin")}
    assert len([name for name in held if name.startswith("socket:")]) == 2  # the server, the door
    await step.terminate()
    assert (await step.outcome()).outcome == "killed"


# How a step ends


async def test_the_exit_is_seen_at_once_though_a_background_child_holds_the_pipe(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    outcome, output = await run(spawner, bash(scratch, "sleep 60 & echo $!"))
    assert outcome.outcome == "succeeded"
    assert outcome.duration_s < AT_ONCE
    assert outcome.leftovers_killed == 1
    assert is_gone(int(output))


async def test_a_step_that_ignores_term_is_killed_after_its_grace_time(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    script = "trap '' TERM; while :; do sleep 0.05; done"
    outcome, _ = await run(spawner, bash(scratch, script, timeout_s=0.3, grace_s=0.2))
    assert (outcome.outcome, outcome.signal, outcome.exit_code) == ("timeout", signal.SIGKILL, None)
    assert 0.5 <= outcome.duration_s < 0.5 + AT_ONCE
    assert "longer than 0.3 s" in outcome.note


async def test_who_is_told_to_end_may_clean_up_even_when_its_shell_has_gone_first(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    helper = "trap 'sleep 0.2; echo cleaned; exit' TERM; echo ready; while :; do sleep 0.01; done"
    step = await spawner.spawn(bash(scratch, f'bash -c "{helper}" & wait', grace_s=30))
    assert await first_line(step) == "ready"
    await step.terminate()
    output = await read(step)
    outcome = await step.outcome()
    assert (outcome.outcome, outcome.signal) == ("killed", signal.SIGTERM)
    assert b"cleaned" in output
    assert outcome.leftovers_killed == 0
    assert outcome.duration_s < 20


async def test_a_daemon_that_left_the_session_is_ended_with_its_step(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    script = "setsid bash -c 'setsid sleep 60 >/dev/null 2>&1 & echo $!'; echo over"
    outcome, output = await run(spawner, bash(scratch, script))
    daemon, over = output.split()
    assert over == b"over"
    assert outcome.leftovers_killed == 1
    assert is_gone(int(daemon))


async def test_two_hundred_children_are_all_ended(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    script = "for i in {1..200}; do sleep 60 & done; jobs -p"
    outcome, output = await run(spawner, bash(scratch, script))
    assert outcome.leftovers_killed == 200
    assert len(output.split()) == 200
    assert all(is_gone(int(pid)) for pid in output.split())


async def test_orphans_that_end_by_themselves_are_buried_and_not_counted(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    script = "(setsid true & sleep 60 & kill -9 $!); sleep 0.1; echo"
    outcome, _ = await run(spawner, bash(scratch, script))
    assert (outcome.outcome, outcome.leftovers_killed) == ("succeeded", 0)


async def test_a_step_that_closes_its_output_is_still_waited_for(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    outcome, output = await run(spawner, bash(scratch, "echo a; exec >&- 2>&-; sleep 0.2; exit 4"))
    assert (outcome.exit_code, output) == (4, b"a\n")
    assert outcome.duration_s >= 0.2


async def test_a_signal_is_told_as_a_signal(spawner: supervisor.Spawner, scratch: Path) -> None:
    outcome, _ = await run(spawner, bash(scratch, "kill -SEGV $$"))
    assert (outcome.outcome, outcome.exit_code, outcome.signal) == ("failed", None, signal.SIGSEGV)


async def test_a_program_that_cannot_be_run_fails_the_step_and_says_why(
    spawner: supervisor.Spawner, tmp_path: Path
) -> None:
    outcome, output = await run(spawner, request(tmp_path / "a", "kubectll", "get"))
    assert (outcome.outcome, outcome.exit_code) == ("failed", 127)
    assert output.startswith(b"opsbook: there is no program 'kubectll' in PATH=/usr/bin:/bin")
    text = tmp_path / "text"
    text.write_text("not a program")
    outcome, output = await run(spawner, request(tmp_path / "b", str(text)))
    assert outcome.exit_code == 126
    assert b"ermission denied" in output


async def test_a_step_whose_folder_is_deleted_under_it_still_tells_how_it_ended(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    step = await spawner.spawn(bash(scratch, 'rm -r "$OPSBOOK_SCRATCH"; exit 8'))
    outcome = await step.outcome()
    assert outcome.exit_code == 8
    assert "outcome.json could not be written" in outcome.note
    await step.acknowledge()
    assert await supervisor.find(scratch) == supervisor.Gone()


# Output


async def test_output_is_told_while_the_step_runs(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    step = await spawner.spawn(bash(scratch, "echo one; sleep 60"))
    asked = time.monotonic()
    assert await first_line(step) == "one"
    assert time.monotonic() - asked < AT_ONCE
    await step.terminate()
    await step.outcome()


async def test_a_flood_is_taken_at_full_speed_and_kept_within_bounds(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    script = "echo first; yes | head -c 200000000; echo last"
    step = await spawner.spawn(bash(scratch, script, output_limit=2 * MEBIBYTE))
    outcome = await step.outcome()
    status = Path(f"/proc/{on_record(scratch)['keeper']}/status").read_text()
    told = await read(step)
    await step.acknowledge()
    assert outcome.bytes_seen == 200_000_011
    assert outcome.bytes_dropped == outcome.bytes_seen - 2 * MEBIBYTE
    kept = step.output_file.read_bytes()
    line = f"\n[opsbook: {outcome.bytes_dropped} bytes left out here]\n".encode()
    assert len(kept) == 2 * MEBIBYTE + len(line)
    assert kept[MEBIBYTE:].startswith(line)
    assert kept.startswith(b"first\ny\n")
    assert kept.endswith(b"y\nlast\n")
    assert told.endswith(kept[-MEBIBYTE:])
    assert step.offset == outcome.bytes_seen
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    assert int(peak.split()[1]) < 32 * 1024


async def test_a_reader_that_sleeps_holds_nobody_back(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    step = await spawner.spawn(bash(scratch, "echo up; read; yes | head -c 50000000", stdin="\n"))
    with socket.socket(socket.AF_UNIX) as sleeper:
        sleeper.connect(str(scratch / "keeper.sock"))
        sleeper.sendall(protocol.message(do="hello", offset=0))
        assert (await asyncio.wait_for(step.outcome(), 20)).bytes_seen == 50_000_003
        await step.acknowledge()


async def test_readers_that_leave_in_mid_sentence_do_no_harm(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    step = await spawner.spawn(bash(scratch, "echo up; while :; do echo more; done"))
    await first_line(step)
    step.close()
    for _ in range(30):
        with socket.socket(socket.AF_UNIX) as reader:
            reader.connect(str(scratch / "keeper.sock"))
            reader.sendall(protocol.message(do="hello", offset=0))
            reader.recv(1)
        await asyncio.sleep(0.003)
    found = await supervisor.find(scratch)
    assert isinstance(found, supervisor.Running)
    await found.step.terminate()
    assert (await found.step.outcome()).outcome == "killed"


async def test_the_spool_keeps_the_first_and_the_last_whatever_the_pieces(tmp_path: Path) -> None:
    chance = random.Random(7)
    folder = os.open(tmp_path, os.O_RDONLY)
    for limit in (4096, 5001):
        for total in (0, 1, 2048, 4095, 4097, 9000, 30_000):
            data = chance.randbytes(total)
            kept = spool.Spool(folder, limit)
            position = 0
            while position < total:
                size = chance.choice((1, 100, 2048, 7000))
                kept.append(data[position : position + size])
                position += size
            head, tail = limit // 2, limit - limit // 2
            assert kept.dropped == max(0, total - limit)
            offset = chance.randrange(total + 1)
            while (told := kept.read(offset, 1000)) != (0, b""):
                skipped, piece = told
                offset += skipped
                assert piece == data[offset : offset + len(piece)]
                offset += len(piece)
            assert offset == total
            kept.finish()
            kept.close()
            whole = (tmp_path / "output.bin").read_bytes() if total else b""
            if total <= limit:
                assert whole == data
            else:
                assert whole.startswith(data[:head])
                assert whole.endswith(data[-tail:])
            (tmp_path / "output.bin").unlink(missing_ok=True)
    os.close(folder)


async def test_a_full_disk_costs_the_head_and_not_the_step(tmp_path: Path) -> None:
    folder = os.open(tmp_path / ".", os.O_RDONLY)
    tmp_path.rmdir()
    kept = spool.Spool(folder, 8192)
    kept.append(b"a" * 5000 + b"the end")
    kept.finish()
    assert kept.fault
    assert kept.read(0, 10_000) == (5007 - 4096, b"a" * 4089 + b"the end")
    tmp_path.mkdir()
    os.close(folder)


# Refusals


async def test_what_cannot_be_started_is_refused_with_a_sentence(
    spawner: supervisor.Spawner, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    wrong = {
        f"working folder {tmp_path}/no": bash(tmp_path / "a", "true", cwd=tmp_path / "no"),
        f"make the scratch folder {file}/b": bash(file / "b", "true"),
        "argv is []: name a program": request(tmp_path / "c"),
        "give an absolute path": bash(Path("relative"), "true"),
        "give both or neither": bash(tmp_path / "d", "true", user=NOBODY),
        "'A=B'": bash(tmp_path / "e", "true", env={"A=B": "c"}),
    }
    for sentence, asked in wrong.items():
        with pytest.raises(supervisor.SpawnError) as refusal:
            await spawner.spawn(asked)
        assert sentence in str(refusal.value)


async def test_a_scratch_folder_serves_one_attempt_once(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    await run(spawner, bash(scratch, "true"))
    with pytest.raises(supervisor.SpawnError, match="has served an attempt before"):
        await spawner.spawn(bash(scratch, "true"))


# Being found again

SERVER = """
import asyncio, sys
from pathlib import Path
from opsbook.runs import supervisor

async def main():
    scratch = Path(sys.argv[1])
    spawner = supervisor.Spawner()
    step = await spawner.spawn(supervisor.StepRequest(
        attempt_id=scratch.name, scratch=scratch, argv=["bash", "-c", sys.argv[2]],
        env={"PATH": "/usr/bin:/bin"}, die_with_server=len(sys.argv) > 3, server_gone_s=0.3,
    ))
    print("started", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
WAITS = "echo before; until [ -e ../go ]; do sleep 0.02; done; echo after; exit 5"


def a_server_that_is_killed(scratch: Path, script: str, *more: str) -> None:
    """Starts a step, then is killed with its whole process group, as a terminal would."""
    server = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SERVER), str(scratch), script, *more],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(opsbook.__file__).parent.parent)},
        start_new_session=True,
    )
    assert server.stdout is not None
    with server:
        assert server.stdout.readline() == b"started\n"
        os.killpg(server.pid, signal.SIGKILL)


async def test_a_step_outlives_its_server_and_is_followed_by_the_next_one(scratch: Path) -> None:
    a_server_that_is_killed(scratch, WAITS)
    found = await supervisor.find(scratch)
    assert isinstance(found, supervisor.Running)
    assert found.step.attempt_id == "attempt"
    assert await first_line(found.step) == "before"
    (scratch / "go").touch()
    assert await read(found.step) == b"after\n"
    outcome = await found.step.outcome()
    await found.step.acknowledge()
    assert (outcome.outcome, outcome.exit_code) == ("failed", 5)
    assert await supervisor.find(scratch) == supervisor.Finished(outcome)
    keeper = on_record(scratch)["keeper"]
    await until(lambda: is_gone(keeper))


async def test_to_stop_following_a_step_does_not_end_it(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    step = await spawner.spawn(bash(scratch, WAITS))
    waiting = asyncio.create_task(step.outcome())
    await asyncio.sleep(0)
    step.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    found = await supervisor.find(scratch)
    assert isinstance(found, supervisor.Running)
    (scratch / "go").touch()
    assert (await found.step.outcome()).exit_code == 5
    await found.step.acknowledge()


async def test_what_ended_while_no_server_was_there_is_found_finished(scratch: Path) -> None:
    a_server_that_is_killed(scratch, WAITS)
    (scratch / "go").touch()
    await until((scratch / "outcome.json").exists)
    found = await supervisor.find(scratch)
    assert isinstance(found, supervisor.Finished)
    assert found.outcome.exit_code == 5
    assert (scratch / "output.bin").read_bytes() == b"before\nafter\n"
    await until(lambda: not supervisor.tree("attempt", scratch))


async def test_a_step_that_is_to_die_with_its_server_does(scratch: Path) -> None:
    a_server_that_is_killed(scratch, "sleep 60", "die")
    await until((scratch / "outcome.json").exists)
    found = await supervisor.find(scratch)
    assert isinstance(found, supervisor.Finished)
    assert found.outcome.outcome == "killed"
    assert "no server was connected for 0.3 s" in found.outcome.note


async def test_a_step_without_its_keeper_is_lost_at_once_and_its_tree_can_be_ended(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    step = await spawner.spawn(bash(scratch, "echo up; setsid sleep 60 & sleep 60; true"))
    await first_line(step)
    await until(lambda: len(supervisor.tree("attempt", scratch)) == 4)
    known = on_record(scratch)
    os.kill(known["keeper"], signal.SIGKILL)
    outcome = await asyncio.wait_for(step.outcome(), AT_ONCE)
    assert outcome.outcome == "lost"
    await until(lambda: is_gone(known["keeper"]))
    found = await supervisor.find(scratch)
    assert isinstance(found, supervisor.Orphaned)
    assert known["child"] in found.pids
    assert len(found.pids) == 3
    assert supervisor.kill_tree("attempt", scratch) == 3
    assert all(is_gone(pid) for pid in found.pids)
    assert await supervisor.find(scratch) == supervisor.Gone()


async def test_the_numbers_of_another_boot_or_of_other_processes_mean_nothing(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    step = await spawner.spawn(bash(scratch, "echo up; sleep 60; true"))
    await first_line(step)
    await until(lambda: len(supervisor.tree("attempt", scratch)) == 3)
    known = on_record(scratch)
    os.kill(known["keeper"], signal.SIGKILL)
    await step.outcome()
    assert isinstance(await supervisor.find(scratch), supervisor.Orphaned)
    path = scratch / "pid.json"
    path.write_text(json.dumps(known | {"boot": "another"}))
    assert await supervisor.find(scratch) == supervisor.Gone()
    path.write_text(json.dumps(known))
    assert supervisor.kill_tree("attempt", scratch) == 2
    mine = {"keeper": os.getpid(), "child": os.getpid(), "keeper_started": 1, "child_started": 1}
    path.write_text(json.dumps(known | mine))
    assert await supervisor.find(scratch) == supervisor.Gone()
    assert supervisor.kill_tree("attempt", scratch) == 0


async def test_a_step_whose_keeper_died_before_its_record_is_found_by_its_marks(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    step = await spawner.spawn(bash(scratch, "echo up; sleep 60; true"))
    await first_line(step)
    await until(lambda: len(supervisor.tree("attempt", scratch)) == 3)
    os.kill(on_record(scratch)["keeper"], signal.SIGKILL)
    await step.outcome()
    (scratch / "pid.json").unlink()
    found = await supervisor.find(scratch)
    assert isinstance(found, supervisor.Orphaned)
    assert supervisor.tree("another", scratch) == []
    assert supervisor.kill_tree("attempt", scratch) == len(found.pids) == 2
    assert await supervisor.find(scratch) == supervisor.Gone()


async def test_what_never_started_is_gone(tmp_path: Path) -> None:
    assert await supervisor.find(tmp_path) == supervisor.Gone()
    assert await supervisor.find(tmp_path / "no") == supervisor.Gone()
    # What a crash of the machine may leave.
    (tmp_path / "outcome.json").write_text("")
    assert await supervisor.find(tmp_path) == supervisor.Gone()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "keeper.sock"))
    (tmp_path / "pid.json").write_text('{"attempt_id": "attempt", "boot": "another"')
    assert await asyncio.wait_for(supervisor.find(tmp_path), AT_ONCE) == supervisor.Gone()


async def test_two_readers_are_told_the_same_and_one_can_go_on_where_it_stopped(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    script = "echo one; until [ -e ../go ]; do sleep 0.02; done; echo two"
    first = await spawner.spawn(bash(scratch, script))
    assert await first_line(first) == "one"
    second, third = await supervisor.find(scratch), await supervisor.find(scratch, first.offset)
    assert isinstance(second, supervisor.Running)
    assert isinstance(third, supervisor.Running)
    (scratch / "go").touch()
    told = await asyncio.gather(read(first), read(second.step), read(third.step))
    assert list(told) == [b"two\n", b"one\ntwo\n", b"two\n"]
    assert await first.outcome() == await second.step.outcome() == await third.step.outcome()
    await third.step.acknowledge()


async def test_a_deep_data_folder_is_no_obstacle(
    spawner: supervisor.Spawner, tmp_path: Path
) -> None:
    deep = tmp_path / ("d" * 120) / ("e" * 120) / "attempt"
    step = await spawner.spawn(bash(deep, "echo up; sleep 60"))
    await first_line(step)
    found = await supervisor.find(deep)
    assert isinstance(found, supervisor.Running)
    await found.step.terminate()
    assert (await step.outcome()).outcome == "killed"


# The helper and the keepers


async def test_a_step_that_was_refused_for_its_waiting_never_runs(tmp_path: Path) -> None:
    spawner = supervisor.Spawner(start_within=0.2)
    await spawner.start()
    assert spawner.pid is not None
    os.kill(spawner.pid, signal.SIGSTOP)
    with pytest.raises(supervisor.SpawnError, match="it will not run"):
        await spawner.spawn(bash(tmp_path / "a", "true"))
    os.kill(spawner.pid, signal.SIGCONT)
    for number in range(50):  # until one is taken in time, and so the refused one was, before it
        with contextlib.suppress(supervisor.SpawnError):
            await run(spawner, bash(tmp_path / f"b{number}", "true"))
            break
    assert await supervisor.find(tmp_path / "a") == supervisor.Gone()
    assert [entry.name for entry in (tmp_path / "a").iterdir()] == ["keeper.sock"]
    await spawner.stop()


async def test_a_dead_helper_loses_nothing_and_is_replaced(
    spawner: supervisor.Spawner, tmp_path: Path
) -> None:
    step = await spawner.spawn(bash(tmp_path / "a", "echo up; read; sleep 0.1; exit 6", stdin="\n"))
    assert spawner.pid is not None
    os.kill(spawner.pid, signal.SIGKILL)
    dead = spawner.pid
    assert (await run(spawner, bash(tmp_path / "b", "echo hi")))[1] == b"hi\n"
    assert spawner.pid != dead
    assert (await step.outcome()).exit_code == 6
    await step.acknowledge()


async def test_a_keeper_with_nothing_on_its_hands_takes_the_next_step(
    spawner: supervisor.Spawner, tmp_path: Path
) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    outcome, _ = await run(spawner, bash(first, "sleep 60 & exit 1"))
    step = await spawner.spawn(bash(second, "echo up; sleep 60; true"))
    await first_line(step)
    assert on_record(first)["keeper"] == on_record(second)["keeper"]
    # What is known of the first step must not lead to the second.
    assert supervisor.tree("a", first) == []
    assert supervisor.kill_tree("a", first) == 0
    assert await supervisor.find(first) == supervisor.Finished(outcome)
    await until(lambda: len(supervisor.tree("b", second)) == 3)
    assert supervisor.kill_tree("b", second) == 3
    assert (await step.outcome()).outcome == "lost"
    assert (await run(spawner, bash(tmp_path / "c", "echo hi")))[1] == b"hi\n"


async def test_an_idle_keeper_that_died_is_not_missed(
    spawner: supervisor.Spawner, tmp_path: Path
) -> None:
    await run(spawner, bash(tmp_path / "a", "true"))
    os.kill(on_record(tmp_path / "a")["keeper"], signal.SIGKILL)
    assert (await run(spawner, bash(tmp_path / "b", "echo hi")))[1] == b"hi\n"


async def test_steps_side_by_side_do_not_mix(spawner: supervisor.Spawner, tmp_path: Path) -> None:
    async def one(number: int) -> bytes:
        asked = bash(tmp_path / f"{number}", f"sleep 0.0{number % 10}; echo {number}; sleep 9 &")
        outcome, output = await run(spawner, asked)
        assert (outcome.outcome, outcome.leftovers_killed) == ("succeeded", 1)
        return output

    told = await asyncio.gather(*(one(number) for number in range(30)))
    assert told == [f"{number}\n".encode() for number in range(30)]


async def test_a_keeper_that_is_told_to_end_ends_its_step_first(
    spawner: supervisor.Spawner, scratch: Path
) -> None:
    step = await spawner.spawn(bash(scratch, "echo up; trap 'exit 7' TERM; sleep 60 & wait"))
    await first_line(step)
    await asyncio.sleep(0.05)
    os.kill(on_record(scratch)["keeper"], signal.SIGTERM)
    outcome = await step.outcome()
    assert outcome.outcome == "killed"
    assert "its keeper was told to end" in outcome.note


async def test_nothing_is_left_when_the_server_lets_go(tmp_path: Path) -> None:
    spawner = supervisor.Spawner()
    await run(spawner, bash(tmp_path / "a", "true"))
    helper, keeper = spawner.pid, on_record(tmp_path / "a")["keeper"]
    await spawner.stop()
    assert helper is not None
    assert is_gone(helper)
    await until(lambda: is_gone(keeper))


def test_it_is_the_same_on_uvloop(tmp_path: Path) -> None:
    async def day() -> None:
        spawner = supervisor.Spawner()
        for number in range(3):
            asked = bash(tmp_path / f"{number}", "cat; yes | head -c 3000000", stdin="x" * 300_000)
            outcome, output = await run(spawner, asked)
            assert (outcome.outcome, outcome.bytes_seen) == ("succeeded", 3_300_000)
            assert output.startswith(b"x" * 300_000)
        await spawner.stop()

    with contextlib.closing(uvloop.new_event_loop()) as loop:
        loop.run_until_complete(day())
