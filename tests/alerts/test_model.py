"""The decision alone, over every history that hypothesis can think of."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from opsbook.alerts.measuring import Seen
from opsbook.alerts.model import INACTIVE, Transition, decide, fingerprint, met
from opsbook.book.fields import State
from opsbook.book.sections.alerts import Rule

START = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
STATES: list[State] = ["ok", "warning", "critical", "nodata"]
SECONDS = st.sampled_from([0, 10, 25, 60, 200]).map(lambda n: timedelta(seconds=n))


def a_rule(when: str = "critical", hold: timedelta = timedelta(0), after: object = 0) -> Rule:
    fields = {"id": "r", "check": "it", "severity": "P1", "summary": "!"}
    return Rule.model_validate({**fields, "when": when, "for": hold, "resolve_after": after})


RULES = st.builds(
    a_rule,
    when=st.sampled_from(["warning", "critical", "nodata", "> 10"]),
    hold=SECONDS,
    after=SECONDS,
)


@st.composite
def histories(draw: st.DrawFn) -> list[Seen]:
    at, history = START, []
    for gap in draw(st.lists(st.sampled_from([1, 10, 20, 60]), max_size=40)):
        at += timedelta(seconds=gap)
        state: State = draw(st.sampled_from(STATES))
        value = None if state == "nodata" else draw(st.sampled_from([None, 5.0, 15.0]))
        history.append(Seen(at, state, value, ""))
    return history


def told(rule: Rule, history: list[Seen]) -> list[Transition]:
    """What each observation of a history did."""
    standing, done = INACTIVE, []
    for seen in history:
        done.append(decide(rule, standing, seen))
        standing = done[-1].standing
    return done


def since(rule: Rule, history: list[Seen], meets: bool) -> datetime | None:
    """Since when every observation that could tell has said `meets`, to the end of a history."""
    begun = None
    for seen in reversed(history):
        if met(rule, seen) is (not meets):
            break
        begun = seen.at if met(rule, seen) is meets else begun
    return begun


@given(RULES, histories())
def test_it_never_fires_before_the_hold_is_over(rule: Rule, history: list[Seen]) -> None:
    for n, done in enumerate(told(rule, history)):
        if done.step == "fire":
            begun = since(rule, history[: n + 1], True)
            assert begun is not None
            assert history[n].at - begun >= rule.for_


@given(RULES, histories())
def test_it_always_fires_with_the_first_observation_after_the_hold(
    rule: Rule, history: list[Seen]
) -> None:
    for n, done in enumerate(told(rule, history)):
        begun = since(rule, history[: n + 1], True)
        if met(rule, history[n]) and begun is not None and history[n].at - begun >= rule.for_:
            assert done.standing.stage == "firing"


@given(st.integers(1, 60), st.integers(0, 300))
def test_it_fires_within_the_hold_and_one_interval(interval: int, hold: int) -> None:
    rule = a_rule(hold=timedelta(seconds=hold))
    count = hold // interval + 2
    history = [Seen(START + timedelta(seconds=n * interval), "critical") for n in range(count)]
    fired = [
        seen for seen, done in zip(history, told(rule, history), strict=True) if done.step == "fire"
    ]
    assert len(fired) == 1
    assert timedelta(seconds=hold) <= fired[0].at - START < timedelta(seconds=hold + interval)


@given(RULES, histories())
def test_it_resolves_once_the_condition_has_been_gone_for_long_enough_and_not_before(
    rule: Rule, history: list[Seen]
) -> None:
    before = "inactive"
    for n, done in enumerate(told(rule, history)):
        if before == "firing":
            gone = since(rule, history[: n + 1], False)
            tells = met(rule, history[n]) is False
            long = gone is not None and history[n].at - gone >= rule.resolve_after
            assert (done.step == "resolve") == (tells and long)
        before = done.standing.stage


@given(RULES, histories())
def test_missing_data_neither_fires_nor_clears_anything(rule: Rule, history: list[Seen]) -> None:
    standing = INACTIVE
    for seen, done in zip(history, told(rule, history), strict=True):
        if seen.state == "nodata" and rule.when.state != "nodata":
            assert (done.step, done.standing) == ("stay", standing)
        standing = done.standing


@given(RULES, histories())
def test_steps_follow_each_other_as_an_alerts_life_does(rule: Rule, history: list[Seen]) -> None:
    steps = [done.step for done in told(rule, history) if done.step != "stay"]
    allowed = {
        ("begin", "fire"), ("begin", "clear"), ("fire", "resolve"),
        ("clear", "begin"), ("clear", "fire"), ("resolve", "begin"), ("resolve", "fire"),
    }  # fmt: skip
    assert set(pairwise(steps)) <= allowed
    assert steps[:1] in ([], ["begin"], ["fire"])


def test_a_condition_that_comes_back_begins_the_wait_for_its_end_anew() -> None:
    rule = a_rule(after=timedelta(seconds=20))
    states: list[State] = ["critical", "ok", "critical", "ok", "ok", "ok"]
    history = [Seen(START + timedelta(seconds=10 * n), state) for n, state in enumerate(states)]
    steps = [done.step for done in told(rule, history)]
    assert steps == ["fire", "stay", "stay", "stay", "stay", "resolve"]


def test_a_rule_on_silence_fires_on_silence() -> None:
    history = [Seen(START, "ok", 1.0), Seen(START, "nodata"), Seen(START, "critical")]
    steps = [done.step for done in told(a_rule("nodata"), history)]
    assert steps == ["stay", "fire", "resolve"]


def test_warning_means_warning_or_worse() -> None:
    assert met(a_rule("warning"), Seen(START, "critical")) is True
    assert met(a_rule("critical"), Seen(START, "warning")) is False


def test_a_band_needs_a_value_it_can_compare() -> None:
    rule = a_rule("> 500ms")
    assert met(rule, Seen(START, "ok", 0.7, "s")) is True
    assert met(rule, Seen(START, "ok", 400, "ms")) is False
    assert met(rule, Seen(START, "critical", None, "ms")) is None
    assert met(rule, Seen(START, "ok", 400, "bytes")) is None


def test_a_fingerprint_cannot_be_that_of_another_rule() -> None:
    assert fingerprint("a", "b", "c") == fingerprint("a", "b", "c")
    assert (
        len({fingerprint("a", "b", "c"), fingerprint("ab", "", "c"), fingerprint("a", "bc", "")})
        == 3
    )
