"""Graphics processors, by a stand-in for nvidia-smi and by a DCGM exporter's metrics."""

from pathlib import Path
from typing import Any

import pytest

from opsbook.checks import printing
from opsbook.checks.kinds import gpu
from tests.checks.making import Looking, answering, closed_port, serving

LISTING = """\
0, NVIDIA H100 80GB HBM3, 12, 8156, 81559, 41, 118.53, 0
1, NVIDIA H100 80GB HBM3, 97, 73403, 81559, 78, 689.10, 3
2, NVIDIA GeForce RTX 4090, 55, 1024, 24564, 60, [N/A], [N/A]
"""
METRICS = """\
# HELP DCGM_FI_DEV_GPU_TEMP GPU temperature (in C).
# TYPE DCGM_FI_DEV_GPU_TEMP gauge
DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-a",device="nvidia0",modelName="NVIDIA A100",Hostname="n1"} 36
DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-b",device="nvidia0",modelName="NVIDIA A100",Hostname="n2"} 81
DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-a",modelName="NVIDIA A100",Hostname="n1"} 40
DCGM_FI_DEV_FB_USED{gpu="0",UUID="GPU-a",modelName="NVIDIA A100",Hostname="n1"} 30000
DCGM_FI_DEV_FB_FREE{gpu="0",UUID="GPU-a",modelName="NVIDIA A100",Hostname="n1"} 10000
DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="GPU-a",modelName="NVIDIA A100",Hostname="n1"} NaN
DCGM_FI_DEV_ECC_DBE_VOL_TOTAL{gpu="0",UUID="GPU-a",modelName="NVIDIA A100",Hostname="n1"} 2
DCGM_FI_DEV_XID_ERRORS{gpu="0",UUID="GPU-a"} 31
process_cpu_seconds_total 4
"""


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in that keeps its words and prints a file."""
    monkeypatch.setattr(printing, "PATH", str(tmp_path))
    program = tmp_path / "nvidia-smi"
    program.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/asked\nexec /bin/cat {tmp_path}/listing\n'
    )
    program.chmod(0o755)
    (tmp_path / "listing").write_text(LISTING)
    return tmp_path


@pytest.mark.parametrize(
    ("measure", "index", "value", "unit"),
    [
        ("utilization", None, 97.0, "%"),
        ("utilization", 0, 12.0, "%"),
        ("memory", 0, 10.0, "%"),
        ("memory", None, 90.0, "%"),
        ("temperature", 2, 60.0, "°C"),
        ("power", None, 689.1, "W"),
        ("errors", None, 3.0, ""),
        ("count", None, 3.0, ""),
    ],
)
async def test_the_worst_counts_or_the_one_that_is_meant(
    looking: Looking, smi: Path, measure: str, index: int | None, value: float, unit: str
) -> None:
    fields: dict[str, Any] = {} if index is None else {"index": index}
    seen = await looking.look(kind="gpu", measure=measure, **fields)
    assert (seen.state, seen.unit) == ("ok", unit)
    assert seen.value == pytest.approx(value, rel=0.001)
    assert (smi / "asked").read_text() == (
        f"--query-gpu={','.join(gpu.QUERY)} --format=csv,noheader,nounits\n"
    )


async def test_which_one_it_was_is_said(looking: Looking, smi: Path) -> None:
    bands = {"warning": "> 70", "critical": "> 90"}
    seen = await looking.look(kind="gpu", measure="temperature", bands=bands)
    assert seen.state == "warning"
    assert seen.message == "GPU 1 (NVIDIA H100 80GB HBM3), the highest of 3"


async def test_one_that_has_gone_is_noticed(looking: Looking, smi: Path) -> None:
    seen = await looking.look("count", kind="gpu", measure="count", bands={"critical": "< 4"})
    assert (seen.state, seen.value) == ("critical", 3.0)
    assert seen.message == "nvidia-smi sees 3: NVIDIA GeForce RTX 4090, NVIDIA H100 80GB HBM3"
    seen = await looking.look("other", kind="gpu", index=7)
    assert (seen.state, seen.message) == ("critical", "nvidia-smi sees no GPU 7")
    (smi / "listing").write_text("No devices were found\n")
    seen = await looking.look("count")
    assert (seen.state, seen.value) == ("critical", 0.0)
    seen = await looking.look("all", kind="gpu")
    assert (seen.state, seen.message) == ("critical", "nvidia-smi sees no GPU")


async def test_what_a_device_does_not_have_is_missing_data(looking: Looking, smi: Path) -> None:
    seen = await looking.look(kind="gpu", measure="errors", index=2)
    assert (seen.state, seen.message) == (
        "nodata",
        "nvidia-smi does not tell the errors of any GPU",
    )


async def test_a_driver_that_does_not_answer_is_missing_data(looking: Looking, smi: Path) -> None:
    (smi / "listing").write_text("Unable to determine the device handle for GPU 0000:01:00.0\n")
    seen = await looking.look(kind="gpu")
    assert seen.state == "nodata"
    assert "Unable to determine the device handle" in seen.message
    (smi / "nvidia-smi").write_text("#!/bin/sh\necho 'driver/library version mismatch'>&2;exit 18")
    seen = await looking.look(kind="gpu")
    assert seen.message == "nvidia-smi ended with 18: driver/library version mismatch"
    (smi / "nvidia-smi").unlink()
    seen = await looking.look(kind="gpu")
    assert seen.state == "nodata"
    assert seen.message.startswith("there is no program nvidia-smi here")


async def test_the_metrics_of_an_exporter_are_read(looking: Looking) -> None:
    raw = METRICS.encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(raw)}\r\n\r\n".encode()
    async with serving(answering(head + raw)) as port:
        fields = {"kind": "gpu", "url": f"http://127.0.0.1:{port}/metrics"}
        for measure, value in {
            "temperature": 81.0, "utilization": 40.0, "memory": 75.0, "errors": 2.0, "count": 2.0,
        }.items():  # fmt: skip
            seen = await looking.look(measure, measure=measure, **fields)
            assert (seen.state, seen.value) == ("ok", value), measure
        seen = await looking.look("power", measure="power", **fields)
        assert seen.state == "nodata"


async def test_an_exporter_that_is_away_is_missing_data(looking: Looking) -> None:
    with closed_port() as port:
        seen = await looking.look(kind="gpu", url=f"http://127.0.0.1:{port}/metrics")
    assert seen.state == "nodata"
    assert seen.message == f"127.0.0.1:{port} refuses connections"
    gone = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    async with serving(answering(gone)) as port:
        seen = await looking.look(kind="gpu", url=f"http://127.0.0.1:{port}/metrics")
    assert (seen.state, seen.message) == ("nodata", f"127.0.0.1:{port} answers 503")
