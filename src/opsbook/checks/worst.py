"""Which of many values is the worst, by a check's bands. Pure.

The worst state wins; of several values in one state the one furthest in the direction in which the
bands look: the highest for ``> 80%``, the lowest for ``< 3``. Without a comparison to say so, the
highest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from opsbook.base.quantities import QuantityError
from opsbook.book.fields import State
from opsbook.book.sections.checks import Bands

One = TypeVar("One")

RANK: Final = {"ok": 0, "nodata": 1, "warning": 2, "critical": 3}


def ordered(
    found: Iterable[One], value: Callable[[One], float], bands: Bands, unit: str = ""
) -> list[One]:
    """Return what was found, the worst first."""
    sign = -1.0 if _low_is_bad(bands) else 1.0
    return sorted(
        found,
        key=lambda one: (RANK[state_of(value(one), bands, unit)], sign * value(one)),
        reverse=True,
    )


def state_of(value: float, bands: Bands, unit: str = "") -> State:
    """Return the state of a value; one that cannot be compared has none, and no data is told of."""
    try:
        return bands.state(value, unit)
    except QuantityError:
        return "nodata"


def _low_is_bad(bands: Bands) -> bool:
    for band in (bands.critical, bands.warning):
        if band is not None and band.upto is None:
            return band.op in {"<", "<="}
    return bands.normal is not None and bands.normal.op in {">", ">="}
