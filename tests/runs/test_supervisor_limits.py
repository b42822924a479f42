"""Control groups, the watch on folders, and what is left where the server is not root."""

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from opsbook.runs import supervisor
from opsbook.runs.supervisor import cgroup, client, proctree, record, space
from opsbook.runs.supervisor.deadlines import Deadlines

PATH = "/usr/local/bin:/usr/bin:/bin"
SYSTEM_PYTHON = "/usr/bin/python3"
SOMEBODY = 54322
MEBIBYTE = 1024 * 1024
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users can pass through to, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as outer:
        Path(outer).chmod(0o711)
        yield Path(outer)
        for scratch in Path(outer).glob("attempt*"):
            supervisor.kill_tree(scratch.name, scratch)


@pytest.fixture
async def spawner() -> AsyncIterator[supervisor.Spawner]:
    one = supervisor.Spawner()
    yield one
    await one.stop()


def asked(scratch: Path, script: str, **more: Any) -> supervisor.StepRequest:
    return supervisor.StepRequest(
        attempt_id=scratch.name, scratch=scratch, argv=["bash"], script=script,
        env={"PATH": PATH, **more.pop("env", {})}, **more,
    )  # fmt: skip


async def run(
    spawner: supervisor.Spawner, request: supervisor.StepRequest
) -> tuple[supervisor.Outcome, str]:
    step = await spawner.spawn(request)
    output = b"".join([piece async for piece in step.chunks()])
    outcome = await step.outcome()
    await step.acknowledge()
    return outcome, output.decode()


# Control groups


def tree(folder: Path, own: str, mounted: str = "/") -> Path:
    """A /proc and a tree of control groups as files, with this process in the group `own`."""
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/self/cgroup").write_text(f"1:name=systemd:/x\n0::{own}\n")
    (folder / "proc/self/mountinfo").write_text(
        "24 1 8:1 / / rw shared:1 - ext4 /dev/root rw\n"
        f"31 24 0:28 {mounted} /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
    )
    top = folder / "sys/fs/cgroup"
    below = top / own.removeprefix(mounted).strip("/")
    below.mkdir(parents=True)
    for group in {top, below, below.parent} if below != top else {top}:
        (group / "cgroup.procs").touch()
        (group / "cgroup.controllers").write_text("cpu memory pids\n")
        (group / "cgroup.subtree_control").touch()
    return below


def test_in_the_outermost_group_groups_may_be_made_and_have_no_limits(folder: Path) -> None:
    top = tree(folder, "/")
    groups = cgroup.permitted(str(folder))
    assert groups is not None
    assert (groups.home, groups.above, groups.limited) == (str(top), str(top), False)


def test_in_a_group_that_somebody_else_keeps_none_are_made(folder: Path) -> None:
    tree(folder, "/user.slice/session-1.scope")
    assert cgroup.permitted(str(folder)) is None


def test_without_version_2_none_are_made(folder: Path) -> None:
    tree(folder, "/")
    (folder / "proc/self/mountinfo").write_text("24 1 8:1 / / rw - ext4 /dev/root rw\n")
    assert cgroup.permitted(str(folder)) is None
    assert cgroup.permitted(str(folder / "nothing")) is None


def test_in_a_group_that_was_handed_over_they_are_made_beside_the_server_with_limits(
    folder: Path,
) -> None:
    home = tree(folder, "/system.slice/opsbook.service/server")
    os.setxattr(home.parent, "user.delegate", b"1")
    groups = cgroup.permitted(str(folder))
    assert groups is not None
    assert (groups.home, groups.above, groups.limited) == (str(home), str(home.parent), True)
    assert (home.parent / "cgroup.subtree_control").read_text() == "+pids +memory"


def test_a_container_sees_its_own_part_of_the_tree(folder: Path) -> None:
    tree(folder, "/docker/abc", mounted="/docker/abc")
    groups = cgroup.permitted(str(folder))
    assert groups is not None
    assert groups.above == str(folder / "sys/fs/cgroup")


def test_a_group_that_was_handed_controllers_gets_its_limits_and_goes_when_it_is_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tree(folder, "/opsbook.service/server")
    os.setxattr(home.parent, "user.delegate", b"1")
    groups = cgroup.permitted(str(folder))
    assert groups is not None
    made = home.parent / "opsbook-7"
    files = ("pids.max", "memory.max", "cgroup.procs")
    mkdir = os.mkdir

    def with_files(path: str, mode: int) -> None:  # as the kernel does
        mkdir(path, mode)
        for name in files:
            (Path(path) / name).touch()

    monkeypatch.setattr(cgroup.os, "mkdir", with_files)
    group = groups.enter("7")
    assert group is not None
    assert (made / "pids.max").read_text() == "4096"
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert int((made / "memory.max").read_text()) == int(total * 0.75)
    assert (made / "cgroup.procs").read_text() == "0"
    for name in files:
        (made / name).unlink()
    group.leave()
    assert (home / "cgroup.procs").read_text() == "0"
    assert not made.exists()


def test_where_it_cannot_be_entered_no_group_is_left(folder: Path) -> None:
    tree(folder, "/")
    groups = cgroup.permitted(str(folder))
    assert groups is not None
    assert groups.enter("8") is None
    assert not (folder / "sys/fs/cgroup/opsbook-8").exists()


def test_a_group_speaks_only_for_the_step_it_is_at(folder: Path) -> None:
    group = cgroup.Group(str(folder), "")
    (folder / "cgroup.procs").write_text("12\n13\n")
    (folder / "cgroup.kill").touch()
    assert cgroup.members(str(folder), "/scratch/a") == []
    assert group.at("/scratch/a")
    assert cgroup.members(str(folder), "/scratch/a") == [12, 13]
    assert cgroup.members(str(folder), "/scratch/b") == []
    cgroup.kill(str(folder), "/scratch/b")
    assert (folder / "cgroup.kill").read_text() == ""
    cgroup.kill(str(folder), "/scratch/a")
    assert (folder / "cgroup.kill").read_text() == "1"
    assert cgroup.members("", "/scratch/a") == []


async def test_where_groups_are_permitted_one_that_sheds_every_mark_is_found_without_its_keeper(
    spawner: supervisor.Spawner, folder: Path
) -> None:
    """And where they are not it is not: that is what the documentation says."""
    scratch = folder / "attempt"
    step = await spawner.spawn(
        asked(scratch, "env -i setsid setsid sleep 987701 & echo up; sleep 987702")
    )
    async for _ in step.chunks():
        break
    known = record.read(f"{scratch}/pid.json") or {}
    assert ("group" in known) == (cgroup.permitted() is not None)
    await until_running("987701")
    os.kill(known["keeper"], signal.SIGKILL)
    await step.outcome()
    supervisor.kill_tree("attempt", scratch)
    assert supervisor.tree("attempt", scratch) == []
    left = running("987701")
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert bool(left) == ("group" not in known)
    assert "group" not in known or not Path(known["group"]).exists()
    step.close()


def running(mark: str) -> list[int]:
    found = []
    for pid in proctree.snapshot():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", mark.encode()]:
            found.append(pid)
    return found


async def until_running(mark: str) -> None:
    for _ in range(500):
        if running(mark):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it was never started")


# Folders


def test_of_a_shared_folder_what_was_there_before_does_not_count(folder: Path) -> None:
    home, shared = folder / "home", folder / "work"
    home.mkdir()
    shared.mkdir()
    allocate(shared / "old", 3)
    watch = space.Space(str(home), str(shared), MEBIBYTE, 0.0, lambda: ())
    assert watch.look(100.0) == ""  # nobody has looked for a minute: the first measure
    allocate(shared / "new", 2)
    assert "2 MiB into $OPSBOOK_WORK, and 1 MiB is the most" in watch.look(200.0)


def test_many_empty_files_are_too_much_as_well(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "MOST_FILES", 20)
    watch = space.Space(str(folder), "", MEBIBYTE, 0.0, lambda: ())
    for n in range(21):
        (folder / str(n)).touch()
    assert "21 files into its own folder, and 20 is the most" in watch.look(100.0)


def test_nothing_is_walked_through_while_the_disk_stays_as_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = space.Space(str(folder), "", 1024 * MEBIBYTE, 0.0, lambda: ())

    def refuse(_: str) -> tuple[int, int]:
        raise AssertionError("it was walked through")

    monkeypatch.setattr(space, "measured", refuse)
    assert watch.look(0.1) == ""
    assert watch.look(1.0) == ""
    with pytest.raises(AssertionError):
        watch.look(61.0)


def test_folders_too_deep_to_be_measured_are_told_as_that(folder: Path) -> None:
    here = os.open(folder, os.O_RDONLY)
    try:
        for _ in range(30):
            os.mkdir("d" * 200, dir_fd=here)
            below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
    finally:
        os.close(here)
    watch = space.Space(str(folder), "", MEBIBYTE, 0.0, lambda: ())
    assert "so deep that nobody can tell their size" in watch.look(100.0)


def test_links_are_not_followed(folder: Path) -> None:
    inside = folder / "inside"
    inside.mkdir()
    (inside / "up").symlink_to("/usr")
    size, files = space.measured(str(inside))
    assert files == 1
    assert size < MEBIBYTE


def test_who_fills_a_disk_has_no_long_grace() -> None:
    order = {"timeout_s": None, "grace_s": 5.0, "die_with_server": False, "server_gone_s": 15.0}
    deadlines = Deadlines(order, 0.0)
    deadlines.end("failed", 10.0, space.GRACE)
    assert deadlines.kill(10.0 + space.GRACE)


def allocate(file: Path, mebibytes: int) -> None:
    with file.open("wb") as out:
        os.posix_fallocate(out.fileno(), 0, mebibytes * MEBIBYTE)


# Where the server is not root


@pytest.fixture
async def ordinary(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[supervisor.Spawner]:
    """Keepers of an ordinary user, as those of a server that was not started as root."""
    ordinary = {"user": SOMEBODY, "group": SOMEBODY, "extra_groups": ()}
    monkeypatch.setattr(client.subprocess, "Popen", partial(subprocess.Popen, **ordinary))
    monkeypatch.setattr(client.sys, "executable", SYSTEM_PYTHON)
    one = supervisor.Spawner()
    yield one
    await one.stop()


SAME_USER = """
exec 2>/dev/null
try() {
    name=$1; shift
    if "$@" > /dev/null; then echo "$name: open"; else echo "$name: closed"; fi
}
for what in environ mem maps; do try $what cat /proc/$PPID/$what; done
try fds ls /proc/$PPID/fd
try ptrace python3 -c 'import ctypes, sys
sys.exit(ctypes.CDLL(None).ptrace(16, int(sys.argv[1]), 0, 0) != 0)' $PPID
try record cat "$OPSBOOK_SCRATCH/pid.json"
try kill kill -0 $PPID
id -u
cat /proc/self/oom_score_adj
"""


@needs_root
async def test_as_the_server_s_own_user_a_step_cannot_look_into_its_keeper_and_may_do_the_rest(
    ordinary: supervisor.Spawner, folder: Path
) -> None:
    """There is no border then, and `opsbook up` says so; this much is held all the same."""
    os.chown(folder, SOMEBODY, SOMEBODY)
    outcome, output = await run(ordinary, asked(folder / "attempt", SAME_USER))
    assert outcome.outcome == "succeeded"
    assert output.split("\n") == [
        "environ: closed", "mem: closed", "maps: closed", "fds: closed", "ptrace: closed",
        "record: open", "kill: open", str(SOMEBODY), "1000", "",
    ]  # fmt: skip


@needs_root
async def test_a_keeper_that_its_own_step_has_killed_makes_the_step_a_lost_one(
    ordinary: supervisor.Spawner, folder: Path
) -> None:
    os.chown(folder, SOMEBODY, SOMEBODY)
    scratch = folder / "attempt"
    step = await ordinary.spawn(asked(scratch, "kill -9 $PPID; exec sleep 987711"))
    assert (await step.outcome()).outcome == "lost"
    assert supervisor.kill_tree("attempt", scratch) >= 1
    assert running("987711") == []
    step.close()


@needs_root
async def test_an_ordinary_user_s_server_cannot_let_a_step_be_somebody_else(
    ordinary: supervisor.Spawner, folder: Path
) -> None:
    os.chown(folder, SOMEBODY, SOMEBODY)
    with pytest.raises(supervisor.SpawnError, match="only root can change the user"):
        await ordinary.spawn(asked(folder / "attempt", "true", user=65534, group=65534))
