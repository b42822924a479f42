"""Steps that misbehave: each is ended or refused, says why, and leaves the server as it was."""

import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opsbook import runs
from opsbook.runs import rubbish
from opsbook.runs.supervisor import StepRequest, proctree
from tests.support.runs import Stage

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can run a step as another user"
)
MEBIBYTE = 1024 * 1024
CAP_SYS_RESOURCE = 24
SOMEBODY = 54321  # a user that nothing else on the machine runs as
Tighten = Callable[..., None]


@pytest.fixture
def tighten(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Tighten:
    """Give every step narrower limits, so that a test needs no gigabyte and no minute."""
    spawn = stage.spawner.spawn

    def change(**limits: Any) -> None:
        async def narrower(request: StepRequest) -> Any:
            return await spawn(replace(request, **limits))

        monkeypatch.setattr(stage.spawner, "spawn", narrower)

    return change


async def outcome(
    stage: Stage, script: str, attributes: str = "", **params: str
) -> tuple[str, str]:
    """How a run with this one step ended, and what the step wrote."""
    head = "params:\n" + "".join(f"  {name}: {{}}\n" for name in params) if params else ""
    await stage.load(f"```bash {{#bad {attributes}}}\n{script}\n```\n", head.rstrip())
    run = await stage.run(**params)
    step = (await stage.steps(run))["bad"]
    state = (await stage.row(run))["state"]
    assert state == step["state"]
    return f"{state}: {step['message']}", await stage.text(run, "bad")


def alive(mark: str) -> list[int]:
    """The processes whose command line has this in it."""
    found = []
    for pid in proctree.snapshot():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if mark.encode() in words and pid != os.getpid():
            found.append(pid)
    return found


# Time and processes


async def test_one_that_never_ends_and_clings_to_life_in_every_way_is_ended_with_all_of_it(
    stage: Stage, tighten: Tighten
) -> None:
    tighten(grace_s=0.3)
    began = time.monotonic()
    told, _ = await outcome(
        stage,
        "trap '' TERM INT HUP\n"
        "(setsid setsid sleep 987601 &)\n"  # out of the session, by a double fork
        "env -i setsid bash -c '(trap \"\" TERM; sleep 987602) & disown' &\n"  # and without a mark
        "sleep 987603 &\n"  # holds the pipe
        "while :; do sleep 987604; done",
        "timeout=1s",
    )
    assert told == "failed: it ran longer than 1 s"
    assert time.monotonic() - began < 20
    assert alive("98760") == []


async def test_what_is_left_in_the_background_holds_nobody_up(stage: Stage) -> None:
    began = time.monotonic()
    told, text = await outcome(stage, "sleep 987611 & setsid sleep 987611 & echo done")
    assert (told, text) == ("succeeded: ", "done\n")
    assert time.monotonic() - began < 20
    assert alive("987611") == []


async def test_one_that_closes_its_output_early_is_still_waited_for(stage: Stage) -> None:
    told, text = await outcome(stage, "echo first; exec >&- 2>&- <&-; sleep 0.3; exit 7")
    assert (told, text) == ("failed: exit code 7", "first\n")


@needs_root
async def test_a_fork_bomb_meets_its_limit_and_is_ended(stage: Stage, tighten: Tighten) -> None:
    tighten(user=SOMEBODY, group=SOMEBODY, processes=60, grace_s=0.2)
    told, text = await outcome(
        stage, "bomb() { bomb | bomb & }\nbomb\nsleep 987621\n", "timeout=2s"
    )
    assert told == "failed: it ran longer than 2 s"
    assert "Resource temporarily unavailable" in text
    theirs = [
        pid for pid in proctree.snapshot()
        if Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}").stat().st_uid == SOMEBODY
    ]  # fmt: skip
    assert theirs == []


# Disk and memory


async def test_one_that_fills_its_folder_is_ended_and_told_how_much_it_wrote(
    stage: Stage, tighten: Tighten
) -> None:
    tighten(disk_limit=16 * MEBIBYTE, grace_s=0.2)
    told, _ = await outcome(
        stage, "for n in 1 2 3 4; do fallocate -l 16M f$n; sleep 0.05; done; sleep 987631"
    )
    said = re.fullmatch(
        r"failed: it put (\d+) MiB into its own folder, and 16 MiB is the most "
        "a step may put there",
        told,
    )
    assert said
    assert 16 < int(said[1]) <= 64
    assert alive("987631") == []


async def test_a_file_without_a_name_counts_as_well(stage: Stage, tighten: Tighten) -> None:
    tighten(disk_limit=16 * MEBIBYTE, grace_s=0.2)
    told, _ = await outcome(
        stage, "exec 3> hidden; rm hidden; head -c 32M /dev/zero >&3; sleep 987641"
    )
    assert "MiB into its own folder, and 16 MiB is the most" in told


async def test_in_the_shared_folder_counts_what_has_come_since_the_step_began(
    stage: Stage, tighten: Tighten
) -> None:
    tighten(disk_limit=16 * MEBIBYTE, grace_s=0.2)
    stage.work.parent.mkdir(exist_ok=True)
    told, _ = await outcome(stage, 'fallocate -l 14M "$OPSBOOK_WORK/one"; sleep 0.8')
    assert told == "succeeded: "
    told, _ = await outcome(stage, 'fallocate -l 14M "$OPSBOOK_WORK/two"; sleep 0.8')
    assert told == "succeeded: "
    told, _ = await outcome(
        stage, 'for n in {1..60}; do fallocate -l 2M "$OPSBOOK_WORK/n$n"; sleep 0.05; done'
    )
    assert "MiB into $OPSBOOK_WORK, and 16 MiB is the most" in told


async def test_folders_too_deep_for_any_path_are_removed_all_the_same(stage: Stage) -> None:
    told, _ = await outcome(
        stage,
        "python3 -c '\nimport os\nfor n in range(3000):\n"
        '    os.mkdir("d" * 20); os.chdir("d" * 20)\nprint("deep")\'',
    )
    assert told == "succeeded: "
    scratch = list((stage.places.steps).iterdir())
    rubbish.remove(scratch)
    assert list(stage.places.steps.iterdir()) == []


async def test_when_memory_is_short_the_kernel_ends_the_step_first(stage: Stage) -> None:
    told, text = await outcome(
        stage,
        "cat /proc/self/oom_score_adj\nbash -c 'cat /proc/self/oom_score_adj'\n"
        "ulimit -c\numask\nulimit -v\n",
    )
    assert told == "succeeded: "
    assert text.split() == ["1000", "1000", "0", "0077", "unlimited"]
    assert int(Path("/proc/self/oom_score_adj").read_text()) < 1000


@needs_root
async def test_a_step_cannot_put_itself_back_in_line_where_root_may_say_so(stage: Stage) -> None:
    """It takes CAP_SYS_RESOURCE to make it final, which a container may have taken from root."""
    _, text = await outcome(
        stage, "echo 0 > /proc/self/oom_score_adj || true; cat /proc/self/oom_score_adj"
    )
    rights = re.search(r"CapEff:\s+(\w+)", Path("/proc/self/status").read_text())
    assert rights
    final = int(rights[1], 16) >> CAP_SYS_RESOURCE & 1
    assert text.splitlines()[-1] == ("1000" if final else "0")


# No terminal


async def test_who_asks_for_a_terminal_is_told_that_there_is_none(stage: Stage) -> None:
    began = time.monotonic()
    told, text = await outcome(
        stage,
        "tty || true\n"
        "read -r answer || echo 'no input'\n"
        "(: < /dev/tty) || echo 'no terminal'\n"
        "python3 -c 'import getpass; getpass.getpass()' || echo 'no password'\n"
        "ssh -o ConnectTimeout=1 -p 1 nobody@127.0.0.1 true || echo 'no ssh'\n",
        "timeout=20s",
    )
    assert told == "succeeded: "
    for line in ("not a tty", "no input", "no terminal", "EOFError", "no password", "no ssh"):
        assert line in text
    assert time.monotonic() - began < 19


# What it can reach


async def test_a_step_inherits_three_descriptors_and_nothing_else(stage: Stage) -> None:
    told, text = await outcome(
        stage,
        "python3 -c 'import os\nfor n in range(4096):\n"
        '    fd = f"/proc/self/fd/{n}"\n'
        "    if os.path.exists(fd): print(n, os.readlink(fd))'",
    )
    assert told == "succeeded: "
    lines = text.splitlines()
    assert [line.split()[0] for line in lines] == ["0", "1", "2"]
    assert lines[0] == "0 /dev/null"
    assert all("pipe:" in line for line in lines[1:])


REACH = """
exec 2>/dev/null
try() {
    name=$1; shift
    if "$@" > /dev/null; then echo "$name: open"; else echo "$name: closed"; fi
}
helper=$(awk '{print $4}' /proc/$PPID/stat)
for whose in $PPID $helper $server; do
    for what in environ mem maps fd/0 cwd/.; do try $what cat /proc/$whose/$what; done
    try fds ls /proc/$whose/fd
    try kill kill -0 $whose
    try limits prlimit --pid $whose --nofile=10
    try nice renice -n 19 -p $whose
done
for file in opsbook.db opsbook.db-wal local.token audit/key.pem opsbook.log; do
    try $file cat "$data/$file"
    try "writing $file" tee -a "$data/$file" < /dev/null
done
try listing ls "$data"
try steps ls "$data/steps"
try work ls "$data/work"
try making touch "$data/new"
try pid.json cat "$OPSBOOK_SCRATCH/pid.json"
try script chmod u+w "$0"
try record touch "$OPSBOOK_SCRATCH/outcome.json"
try socket python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).connect(sys.argv[1])' "$OPSBOOK_SCRATCH/keeper.sock"
try ptrace python3 -c 'import ctypes, os, sys
sys.exit(ctypes.CDLL(None).ptrace(16, int(sys.argv[1]), 0, 0) != 0)' "$PPID"
"""


@needs_root
async def test_as_another_user_a_step_reaches_nothing_of_the_server(stage: Stage) -> None:
    (stage.folder / "audit").mkdir(mode=0o700)
    for name in ("local.token", "audit/key.pem", "opsbook.log"):
        (stage.folder / name).write_text("secret")
        (stage.folder / name).chmod(0o600)
    told, text = await outcome(stage, REACH, server=str(os.getpid()), data=str(stage.folder))
    assert told == "succeeded: "
    lines = text.splitlines()
    assert len(lines) == 3 * 9 + 2 * 5 + 9
    assert [line for line in lines if not line.endswith(": closed")] == []


@needs_root
async def test_nobody_gains_privileges_and_a_chosen_user_may(
    stage: Stage, tighten: Tighten
) -> None:
    script = "grep NoNewPrivs /proc/self/status; id -u"
    _, text = await outcome(stage, script)
    assert text.split() == [
        "NoNewPrivs:",
        "1",
        str(stage.places.user[0] if stage.places.user else 0),
    ]
    tighten(user=SOMEBODY, group=SOMEBODY)
    _, text = await outcome(stage, script)
    assert text.split() == ["NoNewPrivs:", "0", str(SOMEBODY)]


# What it is given

NASTY = [
    "; rm -rf /",
    "$(touch /tmp/opsbook-was-here) `id` ${HOME} $1 !! ~",
    'it\'s "quoted" \\ and \\n \\x00',
    "*?[a] {1..3} -n --help",
    "\u202eright to left\u202c",
    "한국어 ✓ 🙂",
    "x" * 4096,
]


@pytest.mark.parametrize("value", NASTY)
async def test_a_parameter_arrives_to_the_byte_and_is_never_run(stage: Stage, value: str) -> None:
    told, text = await outcome(
        stage, 'printf "%s" "$what" | od -An -v -tx1 | tr -d " \\n"', what=value
    )
    assert told == "succeeded: "
    assert bytes.fromhex(text) == value.encode()
    assert not Path("/tmp/opsbook-was-here").exists()


@pytest.mark.parametrize(
    "value",
    ["x" * MEBIBYTE, "a\0b", "\udcff\udcfe", "one\ntwo\r\n", "\x1b[31m"],
    ids=["1 MB", "NUL", "no UTF-8", "lines", "control characters"],
)
async def test_a_parameter_that_cannot_be_given_is_refused_before_anything_runs(
    stage: Stage, value: str
) -> None:
    params = "params:\n  what: {}\n  count: {type: integer}"
    await stage.load("```bash {#bad}\necho ran\n```\n", params)
    with pytest.raises(runs.WrongParameters) as refused:
        await stage.run(what=value, count="many")
    told = refused.value.details["problems"]
    assert len(told) == 2
    assert any("what" in problem for problem in told)
    assert any("count" in problem for problem in told)
    assert "\0" not in str(told)
    str(told).encode()


async def test_a_saved_value_too_long_for_a_program_fails_with_its_name(
    stage: Stage, tighten: Tighten
) -> None:
    tighten(env={"PATH": "/usr/bin:/bin", "told": "x" * 200_000})
    told, text = await outcome(stage, "echo never")
    assert told == "failed: exit code 126"
    assert "told (200 kB)" in text
    assert "never" not in text
