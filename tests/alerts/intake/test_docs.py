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
from opsbook.web import bodies, limits
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
        ("of at most 1,000 members", bodies.MOST_MEMBERS == 1000),
        ("at most 1 MiB", bodies.LARGEST_UNPROVEN == 1024 * 1024),
        ("may take up 128 MiB", bodies.MOST_HELD == 128 * 1024 * 1024),
        ("together 32 MiB", bodies.MOST_HELD_UNPROVEN == 32 * 1024 * 1024),
        ("larger than 64 KiB", limits.LARGEST_HEAD == 64 * 1024),
        ("headers have 10 s", limits.HEAD_S == 10),
        ("for 60 s is cut off", limits.READ_S == 60),
        ("(65,536 at most)", limits.FILES == 65_536),
        ("256 to 4096", (limits.FEWEST_KEPT, limits.MOST_KEPT) == (256, 4096)),
        ("683 with 1024 files, 16,384 at most", limits.room_for(1024) == 683),
        ("16,384 at most", limits.MOST == 16_384),
        ("One address may have a quarter", (limits.SHARE, limits.SHARE_HERE) == (0.25, 0.75)),
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
