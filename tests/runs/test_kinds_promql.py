"""`promql` steps: an expression asked of Prometheus' API, once or until it held."""

import itertools
import json
import time

import pytest

from tests.support.answering import Answering
from tests.support.runs import Stage
from tests.support.targets import outcome, published


def fence(expression: str, about: str = "") -> str:
    return f"```promql {{#s {about}}}\n{expression}\n```\n"


def target(answering: Answering, more: str = "") -> str:
    return f"  metrics: {{title: Metrics, kind: prometheus, url: '{answering.url}'{more}}}\n"


async def test_the_only_prometheus_is_asked_and_one_sample_is_its_number(
    stage: Stage, answering: Answering
) -> None:
    answering.prometheus(lambda query: [({"job": "web"}, 2.50)])
    body = fence('sum(up{job="web"})', 'save=n assert="value < 5"')
    book = await published(stage, body, targets=target(answering))
    assert book.runbooks["fix"].steps[0].effect == "read"
    run = await stage.run()
    assert (await outcome(stage, run)) == (
        "succeeded", "", "job  value\n---  -----\nweb  2.5\n",
    )  # fmt: skip
    assert (await stage.row(run))["saved"] == {"n": "2.5"}


async def test_several_samples_are_json(stage: Stage, answering: Answering) -> None:
    answering.prometheus(lambda query: [({"job": "a"}, 1), ({"job": "b"}, "NaN")])
    await published(stage, fence("up", "save=all"), targets=target(answering))
    run = await stage.run()
    assert json.loads((await stage.row(run))["saved"]["all"]) == [
        {"job": "a", "value": 1.0}, {"job": "b", "value": "nan"},
    ]  # fmt: skip


@pytest.mark.parametrize("value", ['web"} or vector(1) #', "a\\", "a\nb", "it's `$x` ${y}", "한"])
async def test_a_value_cannot_end_the_label_it_stands_in(
    stage: Stage, answering: Answering, value: str
) -> None:
    asked: list[str] = []

    def note(query: str) -> object:
        asked.append(query)
        return 1

    answering.prometheus(note)
    give = '```bash {#give effect=read save=job}\nprintf %s "$x"\n```\n'
    if "\n" in value:
        give, value = give.replace('"$x"', "'a\nb'"), "a\nb"
    await published(
        stage, give + fence("up{job=\"$job\",instance!='${job}'}"),
        "params:\n  x: {required: false}", target(answering),
    )  # fmt: skip
    run = await stage.run(**({"x": value} if "\n" not in value else {}))
    assert (await outcome(stage, run))[0] == "succeeded"
    quoted = json.dumps(value, ensure_ascii=False)
    assert asked == [f"up{{job={quoted},instance!={quoted}}}"]


async def test_no_sample_fails_and_so_does_a_wrong_expression(
    stage: Stage, answering: Answering
) -> None:
    for found, told in (([], "gives no sample"), ("parse error at char 3", "parse error")):
        answering.prometheus(lambda query, found=found: found)
        await published(stage, fence("up > 5"), targets=target(answering))
        state, _, text = await outcome(stage, await stage.run())
        assert (state, told in text) == ("failed", True)


async def test_what_is_no_prometheus_is_told(stage: Stage, answering: Answering) -> None:
    await published(stage, fence("up"), targets=target(answering))
    state, _, text = await outcome(stage, await stage.run())
    assert (state, "does not answer as Prometheus does" in text) == ("failed", True)


async def test_it_must_hold_unbroken_for_the_whole_time(stage: Stage, answering: Answering) -> None:
    looks = itertools.chain([1, 9, []], itertools.repeat(1))
    began: list[float] = []

    def value(query: str) -> object:
        found = next(looks)
        if found == []:
            began.append(time.monotonic())
        return found

    answering.prometheus(value)
    body = fence("errors", 'for=2s timeout=30s save=n assert="value < 5"')
    await published(stage, body, targets=target(answering))
    run = await stage.run()
    state, message, text = await outcome(stage, run)
    assert (state, message) == ("succeeded", "")
    assert time.monotonic() - began[0] >= 2
    assert [line[9:] for line in text.splitlines()] == [
        "holds: 1", "value is 9, and must be < 5", "it gives no sample", "holds: 1", "",
    ]  # fmt: skip
    assert (await stage.row(run))["saved"] == {"n": "1"}


async def test_what_never_holds_long_enough_fails_in_time(
    stage: Stage, answering: Answering
) -> None:
    answering.prometheus(lambda query: 9)
    body = fence("errors", 'for=2s timeout=4s assert="value < 5"')
    await published(stage, body, targets=target(answering))
    state, message, text = await outcome(stage, await stage.run())
    assert (state, message) == ("failed", "exit code 1")
    assert text.endswith("opsbook: value is 9, and must be < 5\n")


async def test_the_credential_is_a_header(
    stage: Stage, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROM_TOKEN", "Bearer metrics-token")
    answering.prometheus(lambda query: 1)
    at = target(answering, ", read: {headers: {Authorization: 'env:PROM_TOKEN'}}")
    await published(stage, fence("up", "on=metrics"), targets=at)
    assert (await outcome(stage, await stage.run()))[0] == "succeeded"
    assert answering.last.headers["Authorization"] == "Bearer metrics-token"
