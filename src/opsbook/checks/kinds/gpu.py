"""``gpu``: how busy, how full, how hot are the graphics processors, and are they all there?

Asked of ``nvidia-smi`` on this machine, or of the metrics of a DCGM exporter at `url`. With `index`
one of them is meant; without, the worst of all, which for each of these measures is the highest.
``count`` is how many can be seen at all: one that has fallen off the bus is not in the list, and
that is what is noticed first.

``memory`` is the percentage in use of what can be used. ``errors`` are the memory errors that could
not be corrected (ECC) since the driver was loaded. A measure that the device does not have (a
consumer card has no ECC) is missing data.

Sources: ``nvidia-smi --help-query-gpu``; the fields of DCGM as dcgm-exporter names them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import aiohttp
from pydantic import Field
from yarl import URL

from opsbook.book.fields import Part, Whole
from opsbook.checks import asking
from opsbook.checks.connect import place
from opsbook.checks.fields import WebAddress
from opsbook.checks.kind import Context, Kind
from opsbook.checks.model import CannotLook, Reading
from opsbook.checks.printing import printed

PROGRAM: Final = "nvidia-smi"
MOST_BYTES: Final = 4 * 1024 * 1024
Measure = Literal["utilization", "memory", "temperature", "power", "errors", "count"]
UNITS: Final[Mapping[str, str]] = {
    "utilization": "%", "memory": "%", "temperature": "°C", "power": "W", "errors": "", "count": "",
}  # fmt: skip
QUERY: Final = (
    "index", "name", "utilization.gpu", "memory.used", "memory.total", "temperature.gpu",
    "power.draw", "ecc.errors.uncorrected.volatile.total",
)  # fmt: skip
DCGM: Final[Mapping[str, str]] = {
    "DCGM_FI_DEV_GPU_UTIL": "utilization",
    "DCGM_FI_DEV_GPU_TEMP": "temperature",
    "DCGM_FI_DEV_POWER_USAGE": "power",
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": "errors",
    "DCGM_FI_DEV_FB_USED": "used",
    "DCGM_FI_DEV_FB_FREE": "free",
    "DCGM_FI_DEV_FB_RESERVED": "reserved",
}
_SAMPLE: Final = re.compile(r"(DCGM_[A-Z0-9_]+)\{([^}]*)\}\s+(\S+)")
_LABEL: Final = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Gpu(Part):
    """What to measure, of which device, and whom to ask."""

    measure: Measure = "utilization"
    index: Whole | None = Field(default=None, ge=0, le=1023)
    url: WebAddress | None = None

    @property
    def value_unit(self) -> str:
        """Of what is measured."""
        return UNITS[self.measure]


@dataclass(slots=True)
class Device:
    """One device, and of it what is known."""

    index: str
    name: str
    known: dict[str, float] = field(default_factory=dict)

    def value(self, measure: str) -> float | None:
        """The value of a measure, if it is known."""
        if measure != "memory":
            return self.known.get(measure)
        used = self.known.get("used")
        whole = self.known.get("total")
        if whole is None and "free" in self.known and used is not None:
            whole = used + self.known["free"]
        return 100 * used / whole if used is not None and whole else None


async def observe(spec: Gpu, context: Context) -> Reading:
    """Ask, and judge the device that is meant, or the worst."""
    if spec.url is not None:
        devices = of_metrics(await _metrics(context, spec.url))
        whom = str(URL(spec.url).host)
    else:
        told = await printed(
            PROGRAM, f"--query-gpu={','.join(QUERY)}", "--format=csv,noheader,nounits",
            most=MOST_BYTES,
        )  # fmt: skip
        devices, whom = of_listing(told.output.decode(errors="replace")), PROGRAM
    return judged(spec, devices, whom)


def judged(spec: Gpu, devices: list[Device], whom: str) -> Reading:
    """Return the reading for what `whom` has told; raises CannotLook where it did not."""
    if spec.measure == "count":
        names = sorted({one.name for one in devices if one.name})
        return Reading(len(devices), "", f"{whom} sees {len(devices)}: {', '.join(names) or '-'}")
    if spec.index is not None:
        devices = [one for one in devices if one.index == str(spec.index)]
        if not devices:
            told = f"{whom} sees no GPU {spec.index}"
            return Reading(message=told, state="critical")
    elif not devices:
        return Reading(message=f"{whom} sees no GPU", state="critical")
    measured = [(value, one) for one in devices if (value := one.value(spec.measure)) is not None]
    if not measured:
        raise CannotLook(f"{whom} does not tell the {spec.measure} of any GPU")
    value, worst = max(measured, key=lambda pair: pair[0])
    told = f"GPU {worst.index} ({worst.name})"
    if len(measured) > 1:
        told += f", the highest of {len(measured)}"
    return Reading(value, UNITS[spec.measure], told)


def of_listing(text: str) -> list[Device]:
    """Read the answer of nvidia-smi: a line for each device, parted by commas.

    What a device does not have is ``[N/A]`` or ``[Not Supported]``.

    Raises:
        CannotLook: it says something else ("No devices were found").
    """
    devices: list[Device] = []
    for line in text.splitlines():
        words = [word.strip() for word in line.split(",")]
        if not any(words):
            continue
        if len(words) != len(QUERY) or not words[0].isdigit():
            if "no devices" in line.lower():
                continue
            raise CannotLook(f"{PROGRAM} says: {line.strip()}")
        device = Device(words[0], words[1])
        for name, word in zip(
            ("utilization", "used", "total", "temperature", "power", "errors"), words[2:],
            strict=True,
        ):  # fmt: skip
            _note(device, name, word)
        devices.append(device)
    return devices


def of_metrics(text: str) -> list[Device]:
    """Read the metrics of a DCGM exporter, in Prometheus' text form; others are passed over.

    Devices of several machines in one answer are told apart by their host.
    """
    devices: dict[tuple[str, str], Device] = {}
    for name, pairs, number in _samples(text):
        if name not in DCGM or "gpu" not in pairs:
            continue
        key = (pairs.get("Hostname", ""), pairs.get("UUID") or pairs["gpu"])
        device = devices.setdefault(key, Device(pairs["gpu"], pairs.get("modelName", "")))
        _note(device, DCGM[name], number)
    return list(devices.values())


def _samples(text: str) -> Iterable[tuple[str, dict[str, str], str]]:
    for line in text.splitlines():
        if found := _SAMPLE.match(line):
            yield found[1], dict(_LABEL.findall(found[2])), found[3]


def _note(device: Device, name: str, word: str) -> None:
    try:
        value = float(word)
    except ValueError:
        return
    if math.isfinite(value):
        device.known[name] = value


async def _metrics(context: Context, url: str) -> str:
    whole = URL(url)
    where = place(whole.host or "", whole.port or "")
    try:
        async with context.http.get(whole, allow_redirects=False) as response:
            text = await asking.body(response, MOST_BYTES)
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(error, TimeoutError):
            raise
        raise asking.unreachable(error, where) from None
    if response.status != 200:
        raise CannotLook(f"{where} answers {response.status}")
    return text.decode(errors="replace")


KIND = Kind("gpu", Gpu, observe)
