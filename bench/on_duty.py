"""Who is on duty at a moment, and a month of duty for a hundred people.

A rotation of five layers with hours, holidays and a hundred overrides, ten years after its first
turn: how long one question takes, asked at random moments. Then twenty rotations of five people
each, a month of shifts of every one, with gaps and clashes: what an on-call page draws. Medians of
several runs, on one core.

The aims (issue "People and pages"): one moment under 1 ms, the month under 50 ms.

    python bench/on_duty.py
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import yaml

from opsbook.book import Book, Vocabulary, load
from opsbook.people import Duty, ahead

RUNS = 7
MOMENTS = 2_000
START = datetime(2016, 1, 4, tzinfo=UTC)
NOW = START + timedelta(days=3653)
HOURS = (
    None, "weekdays 09:00-18:00 except holidays", "every day 22:00-06:00", "weekends 00:00-24:00",
    "business days 12:00-13:00",
)  # fmt: skip


def book(rotations: int, people: int, overrides: int) -> Book:
    """A book of so many rotations, with so many people each."""
    named = {f"r{n}": [f"p{n}-{m}" for m in range(people)] for n in range(rotations)}
    made = {
        "id": "bench", "title": "Bench", "timezone": "Asia/Seoul", "holidays": {"country": "KR"},
        "people": {one: {"name": one} for some in named.values() for one in some},
        "teams": {f"t-{id}": {"members": some, "rotation": id} for id, some in named.items()},
        "rotations": {
            id: {
                "layers": [
                    {"people": some[n:] + some[:n], "shift": ("7d", "1d", "12h")[n % 3],
                     "starts": "2016-01-04 09:00", **({"only": hours} if hours else {})}
                    for n, hours in enumerate(HOURS)
                ],
                "overrides": [
                    {"from": f"{NOW + timedelta(days=n):%Y-%m-%d 18:00}",
                     "to": f"{NOW + timedelta(days=n + 1):%Y-%m-%d 09:00}",
                     "person": some[n % people]}
                    for n in range(overrides)
                ],
            }
            for id, some in named.items()
        },
    }  # fmt: skip
    return load({"book.yaml": yaml.safe_dump(made, sort_keys=False)}, Vocabulary({}))


def milliseconds(work: Callable[[], object]) -> float:
    """The median time of several runs."""
    took = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        work()
        took.append((time.perf_counter() - begun) * 1000)
    return statistics.median(took)


def main() -> None:
    one = book(1, 10, 100)
    moments = [NOW + timedelta(seconds=random.randrange(86_400 * 365)) for _ in range(MOMENTS)]

    def anew() -> None:
        for at in moments[: MOMENTS // 10]:
            Duty(one).of("t-r0", at)

    def kept() -> None:
        duty = Duty(one)
        for at in moments:
            duty.of("t-r0", at)

    print(f"on duty at t, five layers, ten years   {milliseconds(kept) / MOMENTS:.3f} ms")
    print(f"the same, everything read anew         {milliseconds(anew) * 10 / MOMENTS:.3f} ms")
    many = book(20, 5, 5)
    month = NOW + timedelta(days=31)

    def drawn() -> None:
        duty = Duty(many)
        for id in many.rotations:
            duty.shifts(id, NOW, month)

    def judged() -> None:
        duty = Duty(many)
        ahead.gaps(duty, NOW, month)
        ahead.clashes(duty, NOW, month)

    print(f"a month of 100 people in 20 rotations  {milliseconds(drawn):.1f} ms")
    print(f"its gaps and clashes                   {milliseconds(judged):.1f} ms")


if __name__ == "__main__":
    main()
