"""What a plan says of rules that measure something: once, and so that it reads on."""

import pytest

from tests.revisions.planned import told

DOWN = "web-down: {check: web, when: critical,"


def web(when: str) -> tuple[str, str]:
    return DOWN, f"web-down: {{check: web, when: {when},"


@pytest.mark.parametrize(
    ("when", "after"),
    [
        ('{p95: "> 1s", over: 10m, at_least: 5}',
         "> 1s at p95 over 10m (of at least 5 values)"),
        ('{increase: ">= 3s", over: 1h}', "grown by >= 3s over 1h"),
        ('{change: "> 20%", over: 1h}', "changed by > 20% over 1h"),
        ('{drop: "> 40%", against: same_hour, weeks: 3}',
         "down by > 40% against the same hour of 3 weeks"),
        ('critical, traffic: {check: disk, is: "> 10%"}', "critical, while disk is > 10%"),
    ],
)  # fmt: skip
def test_a_measure_is_told_once_and_in_one_sentence(when: str, after: str) -> None:
    assert told(web(when)) == [f"web-down fires when it is {after} instead of critical."]


def test_a_new_rule_says_what_it_measures() -> None:
    slow = '  slow: {check: web, when: {average: "> 1s", over: 5m}, severity: P2, summary: Slow}\n'
    assert "slow is a new rule: P2 when web is > 1s on average over 5m." in told(
        ("rules:\n", f"rules:\n{slow}")
    )
