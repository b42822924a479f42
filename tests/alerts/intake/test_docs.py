"""docs/reference/intakes.md: the book in it is one, its example is taken, its numbers are true."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from opsbook.alerts import heartbeats, outward
from opsbook.alerts.intake import cleaning
from opsbook.alerts.intake.kinds import KINDS, cloudwatch
from opsbook.app import vocabulary
from opsbook.base.database import Database
from opsbook.book import load
from opsbook.web import bodies
from tests.alerts.intake.gate import Gate

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "intakes.md").read_text()
HEAD = """
id: shop
title: Shop
timezone: Asia/Seoul
languages: [en]
severities: {P1: {title: Down}, P2: {title: Hurts}}
"""


def fence(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[number]


async def test_the_book_of_the_page_takes_the_alert_of_the_page(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MQ_TOKEN", "a-token-of-its-own")
    gate = Gate(sqlite_database)
    book = await gate.publish(HEAD + fence("yaml"))
    assert {one.kind for one in book.intakes.values()} == set(KINDS)
    answer = await gate.post("mq", json.loads(fence("json")), token="a-token-of-its-own")
    assert (answer.status, answer.json) == (200, {"accepted": 1})
    made = await gate.one()
    assert made.labels == {"alertname": "QueueGrows", "host": "mq-1", "severity": "fatal"}
    await gate.doors.close()


def test_what_the_page_has_an_alertmanager_do_is_a_configuration_of_one() -> None:
    (receiver,) = yaml.safe_load(fence("yaml", 1))["receivers"]
    (hook,) = receiver["webhook_configs"]
    door = hook["url"].rsplit("/", 1)[1]
    assert load({"book.yaml": HEAD + fence("yaml")}, vocabulary()).intakes[door].kind == "webhook"


@pytest.mark.parametrize(
    ("told", "true"),
    [
        ("at most 4 MiB", bodies.LARGEST == 4 * 1024 * 1024),
        ("within 30 s", bodies.LONGEST_BODY_S == 30),
        ("at most 64; one", cleaning.MOST == 64),
        ("at most 1024 bytes", cleaning.LONGEST_LABEL == 1024),
        ("of 10 KiB each", cleaning.LONGEST_ANNOTATION == 10 * 1024),
        ("up to an hour", timedelta(hours=1) == cleaning.AHEAD),
        ("`opsbook_note`", cleaning.NOTE == "opsbook_note"),
        ("more than 8 hours ago", timedelta(hours=8) == cloudwatch.OLDEST),
        ("for 10 minutes", timedelta(minutes=10) == heartbeats.STUCK),
        ("within 5 s counts", heartbeats.TIMEOUT_S == outward.TIMEOUT_S == 5),
        ("after 15 s", timedelta(seconds=15) == heartbeats.AGAIN),
    ],
)
def test_the_numbers_of_the_page_are_those_of_the_program(told: str, true: bool) -> None:
    assert told in PAGE
    assert true


def test_each_kind_has_its_part_of_the_page() -> None:
    assert {one for one in KINDS if f"\n### {one}" not in PAGE} == set()
