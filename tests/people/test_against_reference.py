"""Rotations against a reference that walks minute by minute, the nights clocks change included."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from opsbook.book import load
from opsbook.people import Duty
from opsbook.people.duty import Agreed
from tests.book.kinds import VOCABULARY
from tests.people.reference import DAY, Layer, Opening, Walker, first, instant

MINUTE = timedelta(minutes=1)
PEOPLE = ("ann", "bea", "cid", "dov")
# Around these days clocks change, somewhere below; and one on which they do not.
NIGHTS = (date(2026, 3, 28), date(2026, 10, 24), date(2026, 3, 7), date(2026, 4, 4),
          date(2026, 10, 3), date(2026, 6, 10))  # fmt: skip
ZONES = ("Asia/Seoul", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC")
SHIFTS = {"1d": DAY, "7d": 7 * DAY, "2d": 2 * DAY, "8h": timedelta(hours=8),
          "12h": timedelta(hours=12)}  # fmt: skip
EVERY = frozenset(range(7))
HOLIDAYS = frozenset({date(2026, 3, 28), date(2026, 10, 26), date(2026, 6, 11)})
HOURS = {
    "every day 09:00-18:00": Opening(EVERY, 540, 1080),
    "every day 22:00-06:00": Opening(EVERY, 1320, 1800),
    "weekdays 01:30-03:30": Opening(frozenset(range(5)), 90, 210),
    "weekends 00:00-24:00": Opening(frozenset({5, 6}), 0, 1440),
    "every day 02:00-10:00 except holidays": Opening(EVERY, 120, 600, HOLIDAYS),
}


@st.composite
def rotations(draw: st.DrawFn) -> tuple[dict[str, Any], list[Layer], list[Any], datetime]:
    """A rotation in the book's words and the reference's, its overrides, and where to look."""
    night = draw(st.sampled_from(NIGHTS))
    zone = draw(st.sampled_from(ZONES))
    said: list[dict[str, Any]] = []
    layers: list[Layer] = []
    for _ in range(draw(st.integers(1, 4))):
        people = draw(st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=4, unique=True))
        shift = draw(st.sampled_from(list(SHIFTS)))
        own = draw(st.none() | st.sampled_from(ZONES))
        clock = draw(st.sampled_from(["00:00", "09:00", "01:45", "02:30", "02:00", "23:30"]))
        day = night - timedelta(days=draw(st.integers(-2, 20)))
        only = draw(st.none() | st.sampled_from(list(HOURS)))
        until = draw(st.none() | st.just(night + DAY))
        made: dict[str, Any] = {"people": people, "shift": shift, "starts": f"{day} {clock}"}
        made |= {"timezone": own} if own else {}
        made |= {"only": only} if only else {}
        made |= {"until": str(until)} if until else {}
        said.append(made)
        here = ZoneInfo(own or zone)
        ends = None
        if until:
            ends = instant(datetime.combine(until + DAY, datetime.min.time()), here)
        starts = datetime.fromisoformat(f"{day} {clock}")
        opening = HOURS[only] if only else None
        layers.append(Layer(tuple(people), SHIFTS[shift], starts, here, opening, ends))
    overrides = []
    for _ in range(draw(st.integers(0, 2))):
        person = draw(st.sampled_from(PEOPLE))
        begin = datetime.combine(night, datetime.min.time()) + timedelta(
            minutes=draw(st.sampled_from([0, 95, 150, 600]))
        )
        end = begin + timedelta(minutes=draw(st.sampled_from([60, 180, 1440])))
        overrides.append({"from": f"{begin:%Y-%m-%d %H:%M}", "to": f"{end:%Y-%m-%d %H:%M}",
                          "person": person})  # fmt: skip
    rotation = {"timezone": zone, "layers": said}
    rotation |= {"overrides": overrides} if overrides else {}
    return rotation, layers, overrides, datetime.combine(night, datetime.min.time(), UTC)


def book(rotation: dict[str, Any]) -> Any:
    return load(
        {
            "book.yaml": yaml.safe_dump(
                {
                    "id": "shop", "title": "Shop", "timezone": "UTC",
                    "people": {one: {"name": one} for one in PEOPLE},
                    "rotations": {"duty": rotation},
                    "teams": {"ops": {"members": list(PEOPLE), "rotation": "duty"}},
                    "holidays": {"also": {str(day): "off" for day in HOLIDAYS}},
                },
                sort_keys=False,
            )
        },
        VOCABULARY,
    )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(
    made=rotations(),
    agreed=st.lists(
        st.tuples(st.sampled_from(PEOPLE), st.integers(0, 3000), st.integers(1, 900)), max_size=2
    ),
)
def test_who_is_called_is_what_walking_minute_by_minute_finds(
    made: Any, agreed: list[tuple[str, int, int]]
) -> None:
    rotation, layers, overrides, night = made
    start, end = night - timedelta(hours=10), night + timedelta(hours=48)
    exceptions = [
        (who, start + after * MINUTE, start + (after + length) * MINUTE)
        for who, after, length in agreed
    ]
    duty = Duty(book(rotation), tuple(Agreed("duty", *one) for one in exceptions))
    zone = ZoneInfo(rotation["timezone"])
    instead = [
        (
            one["person"],
            *(instant(datetime.fromisoformat(one[key]), zone) for key in ("from", "to")),
        )
        for one in overrides
    ]
    walkers = [Walker(one, end) for one in layers]
    shifts = iter(duty.shifts("duty", start, end))
    shift = next(shifts)
    at, n = start, 0
    while at < end:
        while at >= shift.end:
            shift = next(shifts)
        expected = first(walkers, [*instead, *exceptions], at)
        assert shift.person == expected, (at, shift)
        if n % 7 == 0:  # asking for one moment says the same
            assert duty.of("ops", at)[0] == expected, at
            assert duty.first("duty", at).person == expected, at
        at += MINUTE
        n += 1
    assert next(shifts, None) is None
