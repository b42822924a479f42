import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsbook.checks import cores
from opsbook.checks.kinds import host
from opsbook.checks.model import CannotLook
from tests.checks.making import Looking

GIB = 1024**3


@pytest.mark.parametrize("metric", ["cpu", "disk", "memory", "swap", "load"])
async def test_this_machine_can_be_measured(looking: Looking, metric: str) -> None:
    seen = await looking.look(kind="host", metric=metric)
    assert seen.state == "ok"
    assert seen.value is not None
    assert seen.value >= 0
    assert seen.unit == ("" if metric == "load" else "%")
    assert seen.message


async def test_the_disk_is_counted_as_df_counts_it(looking: Looking, tmp_path: Path) -> None:
    seen = await looking.look(kind="host", metric="disk", path=str(tmp_path))
    usage = shutil.disk_usage(tmp_path)
    assert seen.value == pytest.approx(100 * usage.used / (usage.used + usage.free), abs=1)


async def test_a_folder_that_is_not_there_is_missing_data(looking: Looking) -> None:
    seen = await looking.look(kind="host", metric="disk", path="/no/such/folder")
    assert (seen.state, seen.message) == ("nodata", "/no/such/folder: No such file or directory")


def test_inodes_are_counted_where_the_file_system_has_them() -> None:
    found = os.statvfs("/proc")
    if found.f_files == 0:
        with pytest.raises(CannotLook, match="does not count its entries"):
            host.inodes("/proc")
    counted = next((p for p in ("/", "/dev/shm", "/tmp") if os.statvfs(p).f_files), None)
    if counted is not None:
        assert 0 <= (host.inodes(counted).value or 0) <= 100


def proc(folder: Path, total: int, available: int) -> Path:
    lines = f"MemTotal: {total // 1024} kB\nMemFree: 1 kB\nMemAvailable: {available // 1024} kB\n"
    (folder / "meminfo").write_text(lines)
    (folder / "loadavg").write_text("3.00 2.00 1.00 1/234 5678\n")
    return folder


def test_memory_is_what_is_not_available(tmp_path: Path) -> None:
    reading = host.memory(proc(tmp_path, 8 * GIB, 2 * GIB), tmp_path / "none")
    assert reading.value == 75.0
    assert reading.message == "2 GiB of 8 GiB available"


def test_a_containers_limit_counts_when_it_is_the_smaller_one(tmp_path: Path) -> None:
    machine, group = proc(tmp_path, 8 * GIB, 2 * GIB), tmp_path / "cgroup"
    group.mkdir()
    (group / "memory.current").write_text(f"{GIB}\n")
    (group / "memory.stat").write_text(f"anon 1\ninactive_file {GIB // 2}\n")
    (group / "memory.max").write_text(f"{GIB}\n")
    reading = host.memory(machine, group)
    assert reading.value == 50.0
    assert reading.message == "512 MiB of the container's 1 GiB available"
    for no_limit in ("max\n", f"{64 * GIB}\n"):
        (group / "memory.max").write_text(no_limit)
        assert host.memory(machine, group).value == 75.0


def test_the_older_control_groups_are_understood_too(tmp_path: Path) -> None:
    machine, group = proc(tmp_path, 8 * GIB, 2 * GIB), tmp_path / "cgroup" / "memory"
    group.mkdir(parents=True)
    (group / "memory.usage_in_bytes").write_text(f"{GIB}\n")
    (group / "memory.stat").write_text("total_inactive_file 0\n")
    (group / "memory.limit_in_bytes").write_text(f"{2 * GIB}\n")
    assert host.memory(machine, tmp_path / "cgroup").value == 50.0


def test_load_is_counted_for_each_core(tmp_path: Path) -> None:
    reading = host.load(proc(tmp_path, GIB, GIB), 4)
    assert (reading.value, reading.message) == (0.75, "load 3.00, 2.00, 1.00 on 4 cores")


def test_another_system_than_linux_is_missing_data(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        host.memory(tmp_path, tmp_path)


# ---- the processor -------------------------------------------------------------------------------


def sample(
    at: float, *columns: int, cores_allowed: float | None = None, used: float = 0
) -> cores.Sample:
    allowance = cores.Allowance(cores_allowed, used) if cores_allowed is not None else None
    return cores.Sample(at, columns, allowance)


def test_what_was_not_idle_was_busy_and_waiting_for_a_disk_is_idle() -> None:
    before = sample(0, 100, 0, 50, 1000, 10, 0, 0, 0)
    after = sample(10, 140, 10, 70, 1800, 110, 5, 5, 20)
    reading = cores.between(before, after)
    assert reading is not None
    assert (reading.value, reading.unit) == (10.0, "%")
    assert reading.message == "user 5 %, system 3 %, iowait 10 %, steal 2 %, over 10 s"


def test_too_little_time_tells_nothing() -> None:
    assert cores.between(sample(0, 1, 0, 0, 1), sample(0.1, 2, 0, 0, 2)) is None
    assert cores.between(sample(0, 1, 0, 0, 1), sample(9, 1, 0, 0, 1)) is None


def test_in_a_container_the_allowance_is_what_runs_out() -> None:
    before = sample(0, 1, 0, 0, 1, cores_allowed=0.5, used=100)
    after = sample(10, 2, 0, 0, 999, cores_allowed=0.5, used=104)
    reading = cores.between(before, after)
    assert reading is not None
    assert reading.value == 80.0
    assert reading.message == "of the 0.5 cores that the container may use, over 10 s"


@pytest.mark.parametrize(
    ("files", "cores_allowed", "used"),
    [
        ({"cpu.max": "150000 100000", "cpu.stat": "usage_usec 2500000\nuser_usec 1"}, 1.5, 2.5),
        ({"cpu.max": "max 100000", "cpu.stat": "usage_usec 2500000"}, None, 0),
        ({"cpu.max": "900000 100000", "cpu.stat": "usage_usec 2500000"}, None, 0),
        (
            {
                "cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000",
                "cpuacct/cpuacct.usage": "3000000000",
            },
            0.5,
            3.0,
        ),
        (
            {
                "cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000",
                "cpuacct/cpuacct.usage": "1",
            },
            None,
            0,
        ),
    ],
)  # fmt: skip
def test_both_versions_of_control_groups_say_what_a_container_may_use(
    tmp_path: Path, files: dict[str, str], cores_allowed: float | None, used: float
) -> None:
    (tmp_path / "stat").write_text("cpu  1 2 3 4 5 6 7 8 9 0\ncpu0 1 2 3 4\n")
    for name, text in files.items():
        (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cgroup" / name).write_text(text)
    found = cores.sample(tmp_path, tmp_path / "cgroup", 4)
    assert found.ticks == (1, 2, 3, 4, 5, 6, 7, 8)
    expected = None if cores_allowed is None else cores.Allowance(cores_allowed, used)
    assert found.allowance == expected


@contextlib.contextmanager
def burning(count: int) -> Iterator[None]:
    """So many processes that keep a core busy each."""
    lit = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for one in lit:
            one.kill()
            one.wait()


async def test_a_burning_processor_is_seen(looking: Looking) -> None:
    with burning(os.cpu_count() or 1):
        first = await looking.look(kind="host", metric="cpu", bands={"critical": "> 80%"})
        time.sleep(0.5)  # the machine's time, not the clock's
        second = await looking.look()
    assert (first.state, second.state) == ("critical", "critical")
    assert first.value is not None
    assert first.value > 80
    assert first.latency_ms > 500  # nothing to compare with: it watches for a moment
    assert second.latency_ms < 400


async def test_without_time_to_watch_there_is_no_data(looking: Looking) -> None:
    seen = await looking.look(kind="host", metric="cpu", timeout="150ms")
    assert (seen.state, seen.value) == ("nodata", None)


# ---- swap, averages, a full disk -----------------------------------------------------------------


def test_swap_is_counted_of_the_machine_or_of_the_smaller_limit(tmp_path: Path) -> None:
    lines = f"MemTotal: 1 kB\nSwapTotal: {4 * GIB // 1024} kB\nSwapFree: {GIB // 1024} kB\n"
    (tmp_path / "meminfo").write_text(lines)
    reading = host.swap(tmp_path, tmp_path / "none")
    assert (reading.value, reading.message) == (75.0, "1 GiB of 4 GiB free")
    (tmp_path / "memory.swap.max").write_text(f"{GIB}\n")
    (tmp_path / "memory.swap.current").write_text(f"{GIB // 2}\n")
    reading = host.swap(tmp_path, tmp_path)
    assert (reading.value, reading.message) == (50.0, "512 MiB of the container's 1 GiB free")
    (tmp_path / "memory.swap.max").write_text("0\n")
    reading = host.swap(tmp_path, tmp_path)
    assert (reading.value, reading.message) == (0.0, "there is no swap for the container")
    (tmp_path / "memory.swap.max").write_text("max\n")
    assert host.swap(tmp_path, tmp_path).value == 75.0


def test_a_machine_without_swap_uses_none(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("SwapTotal: 0 kB\nSwapFree: 0 kB\n")
    reading = host.swap(tmp_path, tmp_path)
    assert (reading.value, reading.message) == (0.0, "there is no swap")


def test_the_average_can_be_over_a_longer_time(tmp_path: Path) -> None:
    machine = proc(tmp_path, GIB, GIB)
    assert host.load(machine, 1, "5m").value == 2.0
    assert host.load(machine, 1, "15m").value == 1.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB with 20 file entries, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = "size=1m,nr_inodes=20"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "opsbook-test", str(folder)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_disk_that_fills_up_is_seen(looking: Looking, small_disk: Path) -> None:
    fields = {"kind": "host", "path": str(small_disk)}
    bands = {"warning": "> 70%", "critical": "> 95%"}
    seen = await looking.look("space", metric="disk", bands=bands, **fields)
    assert (seen.state, seen.value) == ("ok", 0.0)
    (small_disk / "half").write_bytes(b"x" * 800_000)
    seen = await looking.look("space")
    assert seen.state == "warning"
    assert seen.value == pytest.approx(76.6, abs=1)
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "rest").write_bytes(b"x" * 800_000)
    seen = await looking.look("space")
    assert (seen.state, seen.value) == ("critical", 100.0)


async def test_a_disk_without_file_entries_left_is_seen(looking: Looking, small_disk: Path) -> None:
    bands = {"critical": "> 95%"}
    fields = {"kind": "host", "metric": "inodes", "path": str(small_disk)}
    assert (await looking.look(bands=bands, **fields)).state == "ok"
    for n in range(19):  # the folder itself is the twentieth
        (small_disk / f"{n}").touch()
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "one too many").touch()
    seen = await looking.look()
    assert (seen.state, seen.value) == ("critical", 100.0)
