"""What ``opsbook runs show`` says to somebody at night: how a run stands, and what is next."""

from typing import Any

import pytest

from opsbook.cli import waits
from opsbook.cli.commands.runs import show

AT = "2026-03-03T09:00:00+00:00"


def step(key: str, state: str, phase: str = "main", **more: Any) -> dict[str, Any]:
    over = state in {"succeeded", "failed"}
    return {
        "key": key, "title": key.title(), "state": state, "phase": phase, "position": 0,
        "message": "", "started_at": AT if over else None, "finished_at": AT if over else None,
        "attempts": [{}] if over else [], **more,
    }  # fmt: skip


def run(state: str, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": 7, "title": "Fix", "state": state, "cancelling": False, "reason": "", "waits": [],
        "trigger": "", "started_by_name": "Operator", "created_at": AT, "started_at": AT,
        "finished_at": AT, "params": {}, "url": "http://127.0.0.1/runs/7", "steps": list(steps),
        "cannot_resume": "", **more,
    }  # fmt: skip


def test_a_failure_ends_with_what_to_do_next(capsys: pytest.CaptureFixture[str]) -> None:
    broken = step("switch", "failed", message="exit code 3")
    show.show(run("failed", step("fetch", "succeeded"), broken, reason="Switch: exit code 3"))
    said = capsys.readouterr().out
    assert said.splitlines()[1] == "  Failed after 0.0 s: Switch: exit code 3."
    assert "opsbook runs logs 7 --step switch" in said
    assert 'opsbook runs resume 7 --reason "…"' in said
    assert 'opsbook runs rerun 7 --from switch --reason "…"' in said


def test_what_was_rolled_back_is_started_again_and_not_resumed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    undone = step("unfetch", "succeeded", "rollback")
    steps = (step("fetch", "succeeded"), step("switch", "failed"), undone)
    show.show(run("failed", *steps, cannot_resume="Run 7 was rolled back."))
    said = capsys.readouterr().out
    assert "resume" not in said
    assert "rerun 7 --from fetch" in said
    assert "TO UNDO" in said


def test_items_are_named_where_there_is_something_to_look_at(
    capsys: pytest.CaptureFixture[str],
) -> None:
    items = [step(f"move[{n}]", "succeeded", position=n) for n in range(1, 31)]
    items += [step(f"move[{n}]", "failed", position=n) for n in range(31, 51)]
    show.show(run("failed", step("move", "failed"), *items))
    said = capsys.readouterr().out
    assert "30 of 50 done" in said
    assert "move[1]" not in said.split("What it wrote")[0]
    assert "move[31]" in said
    assert "… 8 more like these" in said
    assert "runs logs 7 --step 'move[31]'" in said


@pytest.mark.parametrize(
    ("of", "choices"),
    [
        (step("a", "waiting", message="exit code 1"), "retry|skip|fail|stop"),
        (step("a", "interrupted"), "retry|skip|fail --step"),
        (step("a", "waiting", "rollback"), "retry|skip|fail --step"),
    ],
)
def test_only_what_can_be_chosen_is_offered(of: dict[str, Any], choices: str) -> None:
    wait = {
        "kind": "decision", "step": "a", "title": "A", "role": None, "roles": [], "need": 1,
        "given": 0, "due_at": None, "approval": None,
    }  # fmt: skip
    assert choices in waits.told(run("waiting"), wait, step=of)


def test_a_pause_before_another_try_says_why_and_which() -> None:
    wait = {
        "kind": "time", "step": "a", "title": "A", "role": None, "roles": [], "need": 1,
        "given": 0, "due_at": None, "approval": None,
    }  # fmt: skip
    of = step("a", "waiting", message="exit code 7", attempts=[{}, {}])
    told = waits.told(run("waiting"), wait, step=of)
    assert told == "A failed (exit code 7) and is tried again: try 3"
