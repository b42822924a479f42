"""`opsbook validate` tells of a good book what nothing acts on yet, and what is only assumed."""

from pathlib import Path

from tests.support.front_door import call

BOOKS = Path(__file__).parents[2] / "books"
BOOK = """\
id: shop
title: Shop
timezone: Asia/Seoul
checks:
  disk:
    kind: host
    title: Disk
    metric: disk
    every: {value: 5m, assumed: true, reason: the guide names no interval}
severities:
  P1: {title: Down, review: required}
backups:
  database: {title: Database, of: the orders}
"""


def test_what_is_idle_and_what_is_assumed_is_told_and_is_no_mistake(tmp_path):
    (tmp_path / "book.yaml").write_text(BOOK)
    answer = call("validate", tmp_path)
    assert answer.status == 0
    assert "nothing acts on it yet: severities.review, backups" in answer.out
    assert "assumed: checks.disk.every (book.yaml:9): the guide names no interval" in answer.out, (
        answer.out
    )
    about = call("validate", tmp_path, "-o", "json").json["books"][0]["book"]
    assert about["idle"] == ["severities.review", "backups"]
    assert about["assumed"] == [
        {
            "what": "checks.disk.every",
            "reason": "the guide names no interval",
            "where": "book.yaml:9",
        }
    ]


def test_a_book_that_says_only_what_is_acted_on_has_no_remarks():
    answer = call("validate", BOOKS / "starter")
    assert answer.out.count("\n") == 1


def test_a_password_in_a_contact_is_remarked_on_and_not_repeated(tmp_path):
    people = "people:\n  operator:\n    name: Operator\n    contacts:\n      - {url}\n"
    (tmp_path / "book.yaml").write_text(BOOK)
    (tmp_path / "people.yaml").write_text(people.format(url="mailto://me:hidden@example.org"))
    answer = call("validate", tmp_path)
    assert "people.operator.contacts[0] (people.yaml:5)" in answer.out
    assert "hidden" not in answer.out
    (tmp_path / "people.yaml").write_text(people.format(url="ntfy://ntfy.example.org/operations"))
    assert "contacts" not in call("validate", tmp_path).out


def test_a_webhook_that_is_not_signed_is_remarked_on(tmp_path):
    told = "title: Bot, url: 'https://bot.example.org/', events: [run.failed]MORE"
    hook = f"webhooks:\n  bot: {{{told}}}\n"
    (tmp_path / "book.yaml").write_text(BOOK)
    (tmp_path / "webhooks.yaml").write_text(hook.replace("MORE", ""))
    assert "an unsigned webhook: bot (webhooks.yaml:2)" in call("validate", tmp_path).out
    (tmp_path / "webhooks.yaml").write_text(hook.replace("MORE", ", secret: env:BOT"))
    assert "unsigned" not in call("validate", tmp_path).out
