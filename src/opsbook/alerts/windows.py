"""What rules look back at: the last looks of their checks, kept in memory and read where they lack.

The database is the truth and this is a copy of its end: whatever is asked for is what the rows up
to and with the one being followed say, so a server that starts anew, or follows a batch again after
a rollback, measures the same. Two things make that so. The copy knows how far the rows were
followed (`at`) and forgets everything when that is not where it was left; and a look that is older
than what was kept, or in another unit than those before it, is answered from the rows themselves.

It is bounded: once `MOST` values are kept, the checks that come after are read each time. To forget
those that were asked for least recently instead would be the worst of all here: checks come round
in turn, and each would be forgotten just before it is asked for.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from opsbook.alerts import baseline, store
from opsbook.alerts.baseline import Baseline, Hour, Week
from opsbook.alerts.measuring import Flow, Past
from opsbook.alerts.series import NONE, Series, micros, together
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.book.sections.alerts import Rule

MOST: Final = 2_000_000
"""Values kept, at 16 bytes each."""
MOST_BASELINES: Final = 10_000
NOTHING: Final = Past()

Key = tuple[str, str]
"""A book and one of its checks."""
Needs = Mapping[Key, timedelta]


@dataclass(slots=True)
class _Kept:
    """The looks of one check from `low` on, all of them."""

    low: int
    times: array[int]
    values: array[float]
    unit: str


def needs(watching: Iterable[tuple[Book, Rule]]) -> Needs:
    """How far back each check is looked at by any of the rules."""
    found: dict[Key, timedelta] = {}

    def add(key: Key, reach: timedelta) -> None:
        if reach:
            found[key] = max(found.get(key, reach), reach)

    for book, rule in watching:
        if rule.check is None or rule.when is None:
            continue
        add((book.id, rule.check), rule.when.reach(book.checks[rule.check].every))
        if rule.traffic is not None:
            other = rule.traffic.check
            add((book.id, other), rule.traffic.reach(book.checks[other].every))
    return found


class Windows:
    """The copy. Without `needs` nothing is kept, and everything is read when it is asked for."""

    def __init__(self, needed: Needs | None = None, most: int = MOST) -> None:
        self.needed = needed or {}
        self.most = most
        self.position: int | None = None
        self.size = 0
        self._kept: dict[Key, _Kept] = {}
        self._usual: OrderedDict[tuple[Key, int], tuple[datetime, tuple[Week, ...]]] = OrderedDict()

    def at(self, position: int) -> None:
        """Begin where the rows were followed up to; forget what was seen if that is elsewhere."""
        if position != self.position:
            self._kept.clear()
            self.size = 0
        self.position = None  # until the batch is done

    def left(self, position: int) -> None:
        """Remember how far the rows were followed."""
        self.position = position

    def see(self, row: Mapping[str, Any]) -> None:
        """Take in the next row, of whatever check."""
        key = (row["book"], row["check_id"])
        kept = self._kept.get(key)
        if kept is None:
            return
        at, value = micros(row["at"]), row["value"]
        if at < kept.low:
            return
        if value is not None and row["unit"] != kept.unit:
            self._forget(key)
            return
        place = bisect_right(kept.times, at)
        kept.times.insert(place, at)
        kept.values.insert(place, NONE if value is None else value)
        self.size += 1
        self._trim(kept, self.needed[key])
        if self.size > self.most:
            self._forget(key)

    def past(self, tx: Transaction, book: Book, rule: Rule, row: Mapping[str, Any]) -> Past:
        """Return what a rule looks back at when it judges a row."""
        when = rule.when
        if when is None or rule.check is None:
            return NOTHING
        every = book.checks[rule.check].every
        reach = when.reach(every)
        if not reach and rule.traffic is None:
            return NOTHING
        series = self.series(tx, (book.id, rule.check), row, reach) if reach else NOTHING.series
        usual = flow = None
        if when.measure == "drop":
            usual = self._baseline(tx, book, (book.id, rule.check), when.weeks_back, row)
        if rule.traffic is not None:
            longest = rule.traffic.reach(book.checks[rule.traffic.check].every)
            flow = self._flow(tx, (book.id, rule.traffic.check), row, longest)
        return Past(every, series, usual, flow)

    def series(self, tx: Transaction, key: Key, row: Mapping[str, Any], reach: timedelta) -> Series:
        """Return the looks of a check in the time before a row, as they were known with it."""
        end, low = micros(row["at"]), micros(row["at"] - reach)
        kept = self._kept.get(key)
        if kept is None and key in self.needed:
            kept = self._read(tx, key, row)
        if kept is None or low < kept.low:
            looks = store.looks(tx, *key, row["at"] - reach, row["at"], row["id"])
            times, values, unit, _ = together(looks)
            return Series(times, values, unit)
        first, last = bisect_left(kept.times, low), bisect_right(kept.times, end)
        return Series(kept.times[first:last], kept.values[first:last], kept.unit)

    def _read(self, tx: Transaction, key: Key, row: Mapping[str, Any]) -> _Kept | None:
        """Read what is to be kept of a check; `None` if it has several units by then.

        Rows that are newer than the one followed are left out by their id, and those of another
        time are not: what is kept has to be all there is from `low` on.
        """
        since = row["at"] - self.needed[key]
        times, values, unit, mixed = together(store.looks(tx, *key, since, None, row["id"]))
        if mixed:
            return None
        kept = _Kept(micros(since), times, values, unit)
        if self.size + len(times) <= self.most:
            self._kept[key] = kept
            self.size += len(times)
        return kept

    def _trim(self, kept: _Kept, reach: timedelta) -> None:
        """Let go of what lies behind the newest look by more than anybody asks for.

        A quarter of what is kept at a time: letting go of the first of an array moves all the rest.
        """
        low = kept.times[-1] - reach // timedelta(microseconds=1)
        stale = bisect_left(kept.times, low)
        if 4 * stale > len(kept.times):
            del kept.times[:stale]
            del kept.values[:stale]
            self.size -= stale
            kept.low = max(kept.low, low)

    def _forget(self, key: Key) -> None:
        self.size -= len(self._kept.pop(key).times)

    def _flow(self, tx: Transaction, key: Key, row: Mapping[str, Any], longest: timedelta) -> Flow:
        series = self.series(tx, key, row, longest)
        if not series.times:
            return Flow(longest)
        value = series.values[-1]
        return Flow(longest, True, None if math.isnan(value) else value, series.unit)

    def _baseline(
        self, tx: Transaction, book: Book, key: Key, count: int, row: Mapping[str, Any]
    ) -> Baseline:
        """What is usual at this hour; what past weeks had is read once in an hour."""
        zone, days, start = ZoneInfo(book.timezone), book.days, baseline.hour_of(row["at"])
        began, weeks = self._usual.get((key, count), (None, ()))
        if began != start:
            starts = baseline.same_hours(start, count, zone)
            weeks = baseline.weeks_of(starts, _hours(tx, key, starts, row["id"]), zone, days)
            if self.needed:
                self._usual[key, count] = (start, weeks)
                while len(self._usual) > MOST_BASELINES:
                    self._usual.popitem(last=False)
        holiday = baseline.is_holiday(start, zone, days)
        return Baseline(start, holiday, baseline.fewest(book.checks[key[1]].every), weeks)


def _hours(tx: Transaction, key: Key, starts: list[datetime], upto: int) -> dict[datetime, Hour]:
    """What hours came to: from their rollups, or from looks that are still kept one by one.

    An hour is rolled up in one transaction with the end of its looks, so it is never in both.
    """
    found = {start: Hour.rolled(row) for start, row in store.hours(tx, *key, starts).items()}
    for start in starts:
        if start not in found:
            end = start + baseline.HOUR - timedelta(microseconds=1)
            if looks := store.looks(tx, *key, start, end, upto):
                found[start] = Hour.seen(looks)
    return found
