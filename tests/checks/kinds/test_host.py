import os
import shutil
from pathlib import Path

import pytest

from opsbook.checks.kinds import host
from opsbook.checks.model import CannotLook
from tests.checks.making import Looking

GIB = 1024**3


@pytest.mark.parametrize("metric", ["disk", "memory", "load"])
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
