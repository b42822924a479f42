"""Durations, sizes, percentages and plain numbers, as people write them in a book.

One small grammar instead of a units library: pint reads ``15m`` as fifteen metres and
humanfriendly reads ``4Gi`` as four billion. A number without a unit is never taken for a duration
(``timeout: 30`` is refused, ``30s`` is not): whoever reads a book at night should not have to know
a default.

Units after parsing: ``""`` (a plain number or a count), ``"%"``, ``"bytes"``, ``"ms"``, ``"s"``,
``"d"``, and rates ``"/s"``, ``"/m"``, ``"/h"``, ``"/d"``. Minutes and hours become seconds;
milliseconds and days stay as written, so that a band reads back as it was typed. Time units are
comparable with each other, and so are rates; nothing else converts.

Every error is a `QuantityError` that names the value and what would be accepted.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

SECONDS: Final[Mapping[str, float]] = {
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
}
BYTES: Final[Mapping[str, int]] = {
    "B": 1,
    **{f"{p}B": 1000**n for n, p in enumerate("kMGTP", start=1)},
    "KB": 1000,
    **{f"{p}{end}": 1024**n for n, p in enumerate("KMGTP", start=1) for end in ("i", "iB")},
}
TIME_UNITS: Final = frozenset({"ms", "s", "d"})
RATES: Final[Mapping[str, float]] = {"/s": 1.0, "/m": 60.0, "/h": 3600.0, "/d": 86400.0}
"""A rate's unit and the seconds it counts over."""

_NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d{1,3})?"
_QUANTITY = re.compile(rf"\s*({_NUMBER})\s*([A-Za-z%]*|/\s*(?:s|m|min|h|d))\s*")
_DURATION = re.compile(r"\s*(?:\d+(?:\.\d+)?(?:ms|[smhdw])\s*)+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_BAND = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*(.+)")
_RANGE = re.compile(r"(.+?)\s*\.\.\s*(.+)")
_LONGEST: Final = 64

OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


class QuantityError(ValueError):
    """A value that is no quantity, or two that cannot be compared."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit; `unit` is one of the units named in the module's docstring."""

    value: float
    unit: str = ""

    def __str__(self) -> str:
        if self.unit == "bytes":
            return _written_bytes(self.value)
        if self.unit == "s" and self.value >= 60:
            return format_duration(timedelta(seconds=self.value))
        return f"{_digits(self.value)}{self.unit}"

    def in_unit(self, unit: str) -> float:
        """The number this quantity has in `unit`; a plain number fits every unit."""
        if self.unit in {"", unit}:
            return self.value
        if self.unit in TIME_UNITS and unit in TIME_UNITS:
            return self.value * SECONDS[self.unit] / SECONDS[unit]
        if self.unit in RATES and unit in RATES:
            return self.value * RATES[unit] / RATES[self.unit]
        raise QuantityError(f"{self} cannot be compared with a value in {unit or 'plain numbers'}")


@dataclass(frozen=True, slots=True)
class Band:
    """A comparison such as ``> 80%``, or a range such as ``30%..70%`` with both of its ends.

    A range has the operator ``..``, its lower end as `limit` and its upper end as `upto`.
    """

    op: str
    limit: Quantity
    upto: Quantity | None = None

    def __str__(self) -> str:
        if self.upto is not None:
            return f"{self.limit}..{self.upto}"
        return f"{self.op} {self.limit}"

    def holds(self, value: float, unit: str = "") -> bool:
        """Whether `value`, measured in `unit`, lies in the band.

        A value that is no number (NaN) lies in no band: a broken reading is not an alert, it is
        missing data, and that is its own state. Raises `QuantityError` for incomparable units.
        """
        limit = self.limit.in_unit(unit)
        if self.upto is not None:
            return limit <= value <= self.upto.in_unit(unit)  # a NaN compares as neither
        return not math.isnan(value) and OPERATORS[self.op](value, limit)

    def fits(self, unit: str) -> bool:
        """Whether values in `unit` can be compared with this band at all."""
        try:
            self.limit.in_unit(unit)
            if self.upto is not None:
                self.upto.in_unit(unit)
        except QuantityError:
            return False
        return True


def parse_duration(text: object) -> timedelta:
    """Read ``500ms``, ``15m``, ``1h30m`` or ``7d``; only ``0`` may go without a unit."""
    if isinstance(text, timedelta):
        return text
    if text == 0 and not isinstance(text, bool):
        return timedelta(0)
    if not isinstance(text, str) or len(text) > _LONGEST or not _DURATION.fullmatch(text):
        raise QuantityError(
            f"{_shown(text)} is not a duration; write a number and a unit, "
            "such as 500ms, 30s, 15m, 1h30m or 7d"
        )
    seconds = sum(float(n) * SECONDS[unit] for n, unit in _DURATION_PART.findall(text))
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise QuantityError(
            f"{_shown(text)} is too long a duration; write a shorter one, such as 365d"
        ) from None


def format_duration(duration: timedelta) -> str:
    """Write a duration as `parse_duration` reads it again: ``1h30m``, ``500ms``, ``7d``."""
    left = round(duration / timedelta(milliseconds=1))
    if left <= 0:
        return "0s"
    written = ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        written += f"{count}{unit}" if count else ""
    return written


def parse_size(text: object) -> int:
    """Read ``4Gi``, ``20GB`` or ``512KiB`` as bytes: ``i`` counts in 1024s, without it in 1000s."""
    quantity = parse_quantity(text)
    if quantity.unit != "bytes":
        raise QuantityError(f"{_shown(text)} is not a size; write 512Ki, 4Gi or 20GB")
    return round(quantity.value)


def parse_percent(text: object) -> float:
    """Read ``80%`` as 80.0: percentages stay percentages, they do not become fractions."""
    quantity = parse_quantity(text)
    if quantity.unit != "%":
        raise QuantityError(f"{_shown(text)} is not a percentage; write it as 80%")
    return quantity.value


def parse_quantity(text: object) -> Quantity:
    """Read a plain number, a percentage, a size or a duration."""
    if isinstance(text, (int, float)) and not isinstance(text, bool) and abs(text) < 1e300:
        return Quantity(float(text))
    if isinstance(text, str) and len(text) <= _LONGEST:
        if matched := _QUANTITY.fullmatch(text):
            value, unit = float(matched[1]), matched[2]
            if unit in {"", "%", "ms", "s", "d"} and math.isfinite(value):
                return Quantity(value, unit)
            if unit in BYTES and math.isfinite(value):
                return Quantity(value * BYTES[unit], "bytes")
            if unit.startswith("/") and math.isfinite(value):
                return Quantity(value, f"/{unit[1:].strip()[0]}")
        if _DURATION.fullmatch(text):
            return Quantity(parse_duration(text).total_seconds(), "s")
    raise QuantityError(
        f"{_shown(text)} is not a quantity; write a number with a unit, "
        "such as 10, 80%, 250ms, 15m, 14d, 4Gi, 20GB or 50/s"
    )


def parse_band(text: object) -> Band:
    """Read a comparison (``> 80%``, ``>= 10``, ``< 14d``) or a range (``30%..70%``)."""
    if isinstance(text, str) and len(text) <= _LONGEST and (ends := _RANGE.fullmatch(text.strip())):
        return _range(text, parse_quantity(ends[1]), parse_quantity(ends[2]))
    matched = _BAND.fullmatch(text) if isinstance(text, str) and len(text) <= _LONGEST else None
    if matched is None:
        raise QuantityError(
            f"{_shown(text)} is not a band; write a comparison and a quantity, "
            'in quotes, such as "> 80%", ">= 10" or "< 14d", or a range such as "30%..70%"'
        )
    return Band(matched[1], parse_quantity(matched[2]))


def _range(text: str, low: Quantity, high: Quantity) -> Band:
    """Both ends in one kind of unit, the lower first; a plain lower end takes the upper's unit."""
    if not low.unit and high.unit not in {"", "bytes"}:
        low = Quantity(low.value, high.unit)
    try:
        reversed_ = low.in_unit(high.unit) > high.value
    except QuantityError:
        raise QuantityError(
            f"{_shown(text)} is not a band; write both ends of the range in one unit"
        ) from None
    if reversed_:
        raise QuantityError(f"{_shown(text)} is not a band; write the lower end of the range first")
    return Band("..", low, high)


def format_quantity(value: float, unit: str = "") -> str:
    """A value for people to read: ``412 ms``, ``81.3 %``, ``3.2 GiB``, ``12 d``, ``1,204``.

    Three significant digits: more would only flicker. A unit this module does not know is shown as
    it is, since a check may name its own (``errors``).
    """
    if not math.isfinite(value):
        return f"{value} {unit}".rstrip()
    if unit == "bytes":
        return _readable_bytes(value)
    if unit == "ms" and abs(value) >= 1000:
        return format_quantity(value / 1000, "s")
    if unit == "s":
        return _readable_seconds(value)
    if unit in RATES:
        return f"{_rounded(value)}{unit}"
    return f"{_rounded(value)} {unit}".rstrip()


def _readable_seconds(value: float) -> str:
    size = abs(value)
    if 0 < size < 1:
        return f"{_rounded(value * 1000)} ms"
    for unit, seconds, upto in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172800)):
        if size < upto:
            return f"{_rounded(value / seconds)} {unit}"
    return f"{_rounded(value / 86400)} d"


def _readable_bytes(value: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(value) < 1024:
            return f"{_rounded(value)} {unit}"
        value /= 1024
    return f"{_rounded(value)} PiB"


def _written_bytes(value: float) -> str:
    for unit, size in sorted(BYTES.items(), key=lambda entry: (-entry[1], len(entry[0]))):
        if size > 1 and value and value % size == 0:
            return f"{_digits(value / size)}{unit}"
    return f"{_digits(value)}B"


def _rounded(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return _digits(float(f"{value:.3g}"))


def _digits(value: float) -> str:
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:.12g}"


def _shown(value: object) -> str:
    if value is None or isinstance(value, (dict, list, tuple)):
        return "an empty value" if value is None else "a list or map"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
