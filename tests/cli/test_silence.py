"""Silences from the command line: everything wrong at once, and whether one matches anything."""

from tests.support.front_door import Up

GOOD = ("--for", "1h", "--comment", "the disks are being replaced")


def test_everything_that_is_wrong_with_a_silence_is_told_at_once(shop: Up) -> None:
    answer = shop.call(
        "silence", "add", "alertname=x", "=y", "--for", "2hh", "--comment", "",
        "--schedule", "every Snday", "--each", "3hh",
    )  # fmt: skip
    assert answer.status == 2
    lines = [one.strip() for one in answer.err.splitlines()]
    assert lines[0] == "error: The silence cannot be set:"
    assert [one.partition(":")[0] for one in lines[1:]] == [
        "matchers", "length", "each", "comment", "schedule",
        'Write matchers such as service="api", a length such as 2h, and why.',
    ]  # fmt: skip
    assert "'=y' is no matcher" in lines[1]
    assert "'2hh' is not a duration" in lines[2]
    assert "'3hh' is not a duration" in lines[3]
    assert "it has no comment that says why" in lines[4]
    assert "Snday" in lines[5]


def test_an_empty_comment_is_told_as_that(shop: Up) -> None:
    answer = shop.call("silence", "add", "alertname=x", "--for", "1h", "--comment", "")
    assert answer.status == 2
    assert "comment: it has no comment that says why" in answer.err
    assert "required" not in answer.err


def test_each_without_a_schedule_is_no_silence(shop: Up) -> None:
    answer = shop.call("silence", "add", "alertname=x", *GOOD, "--each", "1h")
    assert answer.status == 2
    assert "each: it means nothing without a schedule" in answer.err
    later = shop.call("silence", "add", "alertname=x", *GOOD, "--schedule", "every Sunday 02:00")
    assert "each: it comes again without saying for how long each time" in later.err


def test_matchers_that_take_everything_are_told_beside_one_that_cannot_be_read(shop: Up) -> None:
    answer = shop.call("silence", "add", "=y", 'a=~".*"', *GOOD)
    assert answer.err.count("matchers: ") == 2
    assert "it would keep all quiet" in answer.err


def test_a_silence_that_matches_nothing_now_is_set_and_remarked_on(shop: Up) -> None:
    answer = shop.call("silence", "add", "alertname=NoSuchAlert", *GOOD)
    assert answer.status == 0
    assert "No alert that fires now has these labels" in answer.out
    told = shop.call("silence", "add", "alertname=NoSuchAlert", *GOOD, "-o", "json").json
    assert told["quiet"] == 0
    assert told["state"] == "active"
    for one in shop.call("silence", "list", "-o", "json").json["silences"]:
        assert shop.call("silence", "expire", one["id"]).status == 0
