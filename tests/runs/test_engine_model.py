"""What a run does next, case by case; no process, no database."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from opsbook.runs.model import (
    AskLeave,
    Clear,
    Conclude,
    Execute,
    Finish,
    Follow,
    Move,
    Nothing,
    Situation,
    Skip,
    Standing,
    Wait,
    next_move,
)


def step(key: str, state: str = "pending", **more: Any) -> Standing:
    words: dict[str, Any] = {
        "title": key.title(), "phase": "main", "rollback_of": None, "effect": "change",
        "waits_for": None, "begun": state != "pending", **more,
    }  # fmt: skip
    return Standing(key=key, state=state, **words)


def undo(of: str, state: str = "pending", **more: Any) -> Standing:
    return step(f"undo-{of}", state, phase="rollback", rollback_of=of, **more)


def move(*steps: Standing, **more: Any) -> Move:
    return next_move(Situation(steps=steps, **{"attended": True, **more}))


def test_main_steps_come_in_order_and_one_at_a_time() -> None:
    assert move(step("a"), step("b")) == Execute("a")
    assert move(step("a", "running"), step("b")) == Follow("a")
    assert move(step("a", "succeeded"), step("b")) == Execute("b")
    assert move(step("a", "skipped"), step("b", waits_for="check")) == Wait("b", "check")
    assert move(step("a", "waiting"), step("b")) == Nothing()
    assert move(step("a", "succeeded")) == Conclude("succeeded", "")


def test_what_changes_something_needs_leave_where_nobody_started_it() -> None:
    assert move(step("a"), attended=False) == AskLeave("a")
    assert move(step("a"), attended=False, leave="granted") == Execute("a")
    assert move(step("a", effect="read"), attended=False) == Execute("a")
    assert move(step("a", waits_for="person", effect="read"), attended=False) == Wait("a", "person")


def test_an_interrupted_step_is_asked_about_and_cleared_once_it_is_decided() -> None:
    assert move(step("a", "interrupted")) == Nothing()
    assert move(step("a", "interrupted", answer="skip")) == Clear("a", "skip")
    assert move(step("a", "interrupted"), cancelling=True) == Clear("a", "cancel")
    assert move(step("a", "interrupted"), late=True) == Clear("a", "cancel")


def test_main_ends_with_a_failure_a_cancel_or_a_deadline() -> None:
    failed = step("a", "failed", message="exit code 3")
    assert move(failed, step("b")) == Conclude("failed", "A: exit code 3")
    assert move(step("a"), cancelling=True, reason="by x") == Conclude("cancelled", "by x")
    late = Conclude("failed", "took longer than the 1h its runbook allows")
    assert move(step("a", "cancelled"), late=True, limit="1h") == late
    assert move(step("a", "waiting"), late=True, limit="1h") == late
    assert move(failed, cancelling=True) == Conclude("failed", "A: exit code 3")


def test_what_had_begun_is_undone_newest_first() -> None:
    main = [step("a", "succeeded"), step("b", "failed"), step("c", "skipped", begun=False)]
    after = {"ending": "failed", "reason": "B"}
    assert move(*main, undo("a"), undo("b"), undo("c"), **after) == Execute("undo-b")
    assert move(*main, undo("a"), undo("b", "succeeded"), **after) == Execute("undo-a")
    assert move(*main, undo("a"), undo("b", "failed"), **after) == Finish(
        "failed", "B; rollback – Undo-B"
    )
    done = (undo("a", "succeeded"), undo("b", "succeeded"), undo("c"))
    assert move(*main, *done, **after) == Finish("failed", "B")
    assert move(step("a", "succeeded"), undo("a"), ending="succeeded") == Finish("succeeded", "")


def test_what_is_always_done_is_done_after_anything_that_began() -> None:
    tidy, more = step("tidy", phase="finally"), step("more", phase="finally")
    for ending in ("succeeded", "failed", "cancelled"):
        assert move(step("a", "succeeded"), tidy, ending=ending) == Execute("tidy")
    assert move(step("a", "skipped", begun=False), tidy, ending="cancelled") == Finish(
        "cancelled", ""
    )
    broken = replace(tidy, state="failed", begun=True)
    assert move(step("a", "succeeded"), broken, more, ending="succeeded") == Execute("more")
    assert move(step("a", "succeeded"), broken, ending="succeeded") == Finish(
        "failed", "finally – Tidy"
    )


def test_nobody_is_waited_for_once_it_is_cancelled_or_refused() -> None:
    tidy = step("tidy", phase="finally", waits_for="person")
    began = step("a", "succeeded")
    assert move(began, tidy, ending="failed") == Wait("tidy", "person")
    skipped = move(began, tidy, ending="cancelled", cancelling=True)
    assert isinstance(skipped, Skip)
    change = step("tidy", phase="finally")
    assert isinstance(move(began, change, ending="failed", attended=False), AskLeave)
    refused = move(began, change, ending="failed", attended=False, leave="refused")
    assert refused == Skip("tidy", "nobody allowed this run to change anything")


standings = st.builds(
    Standing,
    key=st.just(""),
    title=st.just("t"),
    phase=st.sampled_from(["main", "rollback", "finally"]),
    rollback_of=st.sampled_from(["0", "1", "2", None]),
    effect=st.sampled_from(["read", "change"]),
    waits_for=st.sampled_from([None, "approval", "person", "check"]),
)


@given(st.lists(standings, max_size=7), st.booleans(), st.data())
def test_every_run_comes_to_an_end_whatever_happens(
    drawn: list[Standing], attended: bool, data: st.DataObject
) -> None:
    """Play any runbook against any fate; it ends, and nothing starts twice or out of its order."""
    steps = [replace(one, key=str(n)) for n, one in enumerate(drawn)]
    now = Situation(steps=steps, attended=attended)
    started: list[str] = []
    for _ in range(40 + 10 * len(steps)):
        made = next_move(now)
        match made:
            case Finish(state, _):
                assert now.ending == state or (now.ending, state) == ("succeeded", "failed")
                return
            case Conclude(ending, reason):
                assert now.ending is None
                closed = [
                    replace(one, state="skipped")
                    if one.phase == "main" and one.state == "pending"
                    else replace(one, state="cancelled")
                    if one.phase == "main" and one.state in {"waiting", "interrupted"}
                    else one
                    for one in now.steps
                ]
                now = replace(now, ending=ending, reason=reason, steps=closed)
            case Execute(key):
                assert attended or _of(now, key).effect == "read" or now.leave == "granted"
                assert key not in started
                started.append(key)
                now = _with(now, key, state="running", begun=True)
            case Follow(key):
                state = data.draw(st.sampled_from(["succeeded", "failed", "interrupted"]))
                now = _with(now, key, state=state)
            case Wait(key):
                now = _with(now, key, state="waiting", begun=True)
            case AskLeave(key):
                assert not attended
                now = _with(now, key, state="waiting")
            case Clear(key, choice):
                state = {"skip": "skipped", "fail": "failed"}.get(choice, "cancelled")
                now = _with(now, key, state=state)
            case Skip(key):
                now = _with(now, key, state="skipped")
            case Nothing():
                if data.draw(st.booleans()):
                    now = replace(now, cancelling=True)
                    continue
                key = next(one.key for one in now.steps if one.state in {"waiting", "interrupted"})
                if _of(now, key).state == "interrupted":
                    now = _with(now, key, answer=data.draw(st.sampled_from(["skip", "fail"])))
                elif _of(now, key).waits_for is None:
                    now = _with(replace(now, leave="granted"), key, state="pending")
                else:
                    now = _with(now, key, state=data.draw(st.sampled_from(["succeeded", "failed"])))
    raise AssertionError(f"it does not end: {now}")


def _of(now: Situation, key: str) -> Standing:
    return next(one for one in now.steps if one.key == key)


def _with(now: Situation, key: str, **changes: Any) -> Situation:
    steps = [replace(one, **changes) if one.key == key else one for one in now.steps]
    return replace(now, steps=steps)
