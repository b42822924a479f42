"""Rules and histories for the tests of what is measured."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from opsbook.alerts.measuring import Explained, Past, Seen, explain
from opsbook.alerts.series import Series, micros, together
from opsbook.book.sections.alerts import Rule

START = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
EVERY = timedelta(seconds=30)


def a_rule(when: Any, **more: Any) -> Rule:
    """A rule on the check "it"."""
    about = {"id": "r", "check": "it", "severity": "P1", "summary": "!"}
    return Rule.model_validate({**about, "when": when, **more})


@dataclass(frozen=True)
class Look:
    """One look, so many seconds after the start."""

    second: float
    value: float | None
    unit: str = ""

    @property
    def at(self) -> datetime:
        return START + timedelta(seconds=self.second)


def series(looks: Iterable[Look]) -> Series:
    """What there is of these looks once all of them are stored."""
    ordered = sorted(looks, key=lambda one: one.at)
    times, values, unit, _ = together((micros(one.at), one.value, one.unit) for one in ordered)
    return Series(times, values, unit)


def judged(when: Any, *looks: Look, **past: Any) -> Explained:
    """What a rule says of the last of these looks."""
    last = looks[-1]
    state = "nodata" if last.value is None else "ok"
    told = Past(**{"every": EVERY, "series": series(looks), **past})
    return explain(a_rule(when), Seen(last.at, state, last.value, last.unit, told))  # type: ignore[arg-type]


VALUES = st.one_of(
    st.integers(-5, 40).map(float),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3)),
)


@st.composite
def histories(draw: st.DrawFn, values: st.SearchStrategy[float] = VALUES) -> list[Look]:
    """Looks in the order they were stored: with gaps, doubles, looks without a value and late ones.

    Counters begin again now and then: any value may be followed by a smaller one.
    """
    second, looks = 0.0, []
    for step in draw(st.lists(st.sampled_from([0, 1, 29, 30, 30, 30, 31, 90, 400]), max_size=40)):
        second += step
        late = draw(st.sampled_from([0, 0, 0, 0, 0, 15, 45, 200]))
        value = draw(st.one_of(st.none(), values, values, values, values))
        looks.append(Look(second - late, value))
    return looks
