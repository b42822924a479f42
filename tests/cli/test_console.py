"""A storm of one kind of event hides nothing else on the console."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opsbook.cli.console import ALIKE_FOR, MOST_ALIKE, Plain

AT = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


def entry(action: str, at: datetime, subject: str = "alert:1") -> dict[str, Any]:
    return {
        "at": at.isoformat(), "action": action, "subject": subject, "sentence": f"{action}!",
        "data": {}, "actor": "server", "text": None,
    }  # fmt: skip


def test_a_storm_is_told_once_and_all_else_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    console = Plain()
    console.url = "http://127.0.0.1:8420"
    for n in range(1_000):
        console.event(entry("alert.fired", AT + timedelta(milliseconds=n)))
    console.event(entry("incident.opened", AT + timedelta(seconds=2), "incident:1"))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == MOST_ALIKE + 2
    assert "http://127.0.0.1:8420/audit" in lines[MOST_ALIKE]
    assert "incident.opened" in lines[-1]


def test_after_a_while_the_same_kind_is_shown_again(capsys: pytest.CaptureFixture[str]) -> None:
    console = Plain()
    for _ in range(MOST_ALIKE + 5):
        console.event(entry("alert.fired", AT))
    capsys.readouterr()
    console.event(entry("alert.fired", AT + ALIKE_FOR + timedelta(seconds=1)))
    assert len(capsys.readouterr().out.splitlines()) == 1
