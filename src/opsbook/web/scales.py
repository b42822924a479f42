"""How far up a chart goes, and where its lines are: round numbers in the unit they are read in.

A limit belongs into the picture as long as the values can still be seen beside it; one that is many
times as far away would press them flat, and is told at the edge instead. Minutes and hours are
divided as a clock divides them, bytes by 1,024: 16.7 min is nobody's round number.

The script draws by the same rules (`static/chart.js`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

MOST: Final = 4
FAR: Final = 2.0
"""How many times the height of the values a limit may be away from them."""
WIDE: Final = 1.5
"""The same, of the values' own size: a disk that hardly changes is flat, and its limit is seen."""
CLOCK: Final = (
    1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
)  # fmt: skip
"""Steps in seconds that come out even in seconds, minutes or hours."""
OF_1024: Final = (1, 2, 5, 10, 20, 50, 100, 200, 512, 1024)


def within(seen: Sequence[float], limits: Sequence[float]) -> list[float]:
    """Return the limits that the values can be seen beside; all of them where there is no value."""
    if not seen:
        return list(limits)
    low, high = min(seen), max(seen)
    if 0 <= low <= high * 0.6:
        low = 0.0
    reach = max(FAR * (high - low), WIDE * abs(high))
    near = [one for one in limits if low - reach <= one <= high + reach]
    if not near and limits and not reach:  # all of it is zero: there is nothing to press flat
        near = [min(limits, key=lambda one: abs(one - high))]
    return near


def ticks(low: float, high: float, unit: str) -> list[float]:
    """Return the round values between two ends."""
    step = _step((high - low) / MOST, unit)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


def _step(rough: float, unit: str) -> float:
    if not rough > 0 or not math.isfinite(rough):
        return 1.0
    if unit == "ms" and rough >= 500:
        return 1000 * _step(rough / 1000, "s")
    if unit == "s" and rough > 0.5:
        if rough > CLOCK[-1]:
            return CLOCK[-1] * _decimal(rough / CLOCK[-1])
        return next(float(one) for one in CLOCK if one >= rough)
    if unit == "bytes" and rough > 1:
        power = 1024.0 ** int(math.log(rough, 1024))
        return next(one * power for one in OF_1024 if one * power >= rough * (1 - 1e-9))
    return _decimal(rough)


def _decimal(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(one * power for one in (1, 2, 5, 10) if one * power >= rough * (1 - 1e-9))
