"""What a look brought back, and how it is judged: values in, values out.

A kind gives a `Reading`; the book's bands and `judge` make it an `Observation`. The two are apart
so that a kind never has to know what the book thinks of its value.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from opsbook.base.errors import OpsbookError
from opsbook.base.quantities import QuantityError
from opsbook.book.fields import State
from opsbook.book.sections.checks import Check

SPREAD = timedelta(seconds=10)
MOMENT = timedelta(milliseconds=50)
LONGEST = 300


class CannotLook(OpsbookError):
    """The look could not be made."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a kind saw. `value` is measured in `unit` (see `base.quantities`).

    `state` is set only where the answer itself decides, whatever the value is: a refused
    connection, a certificate for another name. Without it the bands decide; without a value and
    without a state there is no data.
    """

    value: float | None = None
    unit: str = ""
    message: str = ""
    state: State | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at one check. `at` is when the look began, so it never claims to know later.

    `latency_ms` is how long the whole look took; a kind that measures an answer's time (http, tcp)
    also gives that as `value`.
    """

    book: str
    check_id: str
    at: datetime
    state: State
    value: float | None
    unit: str
    latency_ms: float
    message: str


def judge(check: Check, reading: Reading) -> Reading:
    """Return the reading with its state decided, its unit settled and its message fit to show.

    A value that is no number is missing data. So is one that cannot be compared with the bands:
    guessing would make a green light out of a mistake in the book.
    """
    unit = check.unit if check.unit is not None else reading.unit
    value, message = reading.value, tidy(reading.message)
    if value is not None and not math.isfinite(value):
        return Reading(None, unit, message or f"the value is {value}", "nodata")
    if reading.state is not None:
        return Reading(value, unit, message, reading.state)
    if value is None:
        return Reading(None, unit, message or "no value came back", "nodata")
    try:
        return Reading(value, unit, message, check.bands.state(value, unit))
    except QuantityError as error:
        return Reading(value, unit, tidy(str(error)), "nodata")


def tidy(message: str) -> str:
    """Return a message on one line, without control characters and at most `LONGEST` long.

    Part of it may be what a stranger's server sent; it is shown on pages and in a terminal.
    """
    shown = message[: 2 * LONGEST]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else " " for c in shown)
    line = " ".join(shown.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def offset(book: str, check_id: str, every: timedelta) -> timedelta:
    """Return how long after a start a check is first looked at: below `every` and `SPREAD`.

    From a hash of its name and not from chance, so that a restart looks at each in the same order
    and tests need no seed; spread, so that a thousand checks do not all start at once. Over moments
    of 50 ms and not over every microsecond: of five thousand checks 25 share a moment, and with it
    a wake of the loop and a commit, each of which costs more than a look.
    """
    moments = min(every, SPREAD) // MOMENT
    digest = hashlib.blake2b(f"{book}/{check_id}".encode(), digest_size=8).digest()
    return MOMENT * (int.from_bytes(digest, "big") * moments >> 64)
