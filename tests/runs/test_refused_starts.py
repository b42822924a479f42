"""A runbook that asks for what runs cannot do is not begun, instead of being done otherwise."""

import pytest

from opsbook import runs
from opsbook.book import markdown
from opsbook.book.language import ATTRIBUTES
from opsbook.runs.supported import UNSUPPORTED, unsupported
from tests.support.runs import Stage

REFUSED = [
    ("when=what", "when="),
    ("retry=2 backoff=3s", "retry="),
    ("on-fail=continue", "on-fail="),
    ("on-cancel=stop", "on-cancel="),
    ("save=x json=$.a", "json="),
    ("expect=ok", "expect="),
    ("reject=bad", "reject="),
    ('assert="value < 3"', "assert="),
    ("phase=D-7", "phase="),
    ("on=cluster", "on="),
    ("within=1m", "within="),
    ("each=list at-once=3", "each="),
]
PARAMS = "params:\n  what: {default: x}\n  list: {type: list, default: [a, b]}"


@pytest.mark.parametrize(("attributes", "named"), REFUSED)
async def test_an_attribute_that_would_be_left_out_stops_the_start(
    stage: Stage, attributes: str, named: str
) -> None:
    await stage.load(f"```bash {{#a {attributes}}}\necho x\n```\n", PARAMS)
    with pytest.raises(runs.CannotRun) as refused:
        await stage.run()
    assert refused.value.details["problems"] == [f"step a (line 8): {named}"]
    assert refused.value.status == 422
    assert refused.value.remedy


async def test_two_people_or_two_roles_are_not_replaced_by_one(stage: Stage) -> None:
    await stage.load('```approval {#a by="security,responder" need=2}\nMay we?\n```\n')
    with pytest.raises(runs.CannotRun, match=r"step a \(line 6\): by=, need="):
        await stage.run()


async def test_a_secret_parameter_stops_the_start_and_is_in_no_message(stage: Stage) -> None:
    await stage.load(
        "```bash {#a}\necho x\n```\n", "params:\n  key: {secret: true, pattern: '[a-z]+'}"
    )
    with pytest.raises(runs.CannotRun) as refused:
        await stage.run(key="HUNTER2")
    assert "parameter key is secret" in str(refused.value)
    assert "HUNTER2" not in str(refused.value)


async def test_what_asks_for_no_more_than_happens_anyway_runs(stage: Stage) -> None:
    await stage.load(
        "```bash {#a on-fail=rollback on-cancel=rollback cwd=/srv interactive=false}\necho x\n```\n"
    )
    run = await stage.run()
    assert await stage.states(run) == {"a": "succeeded"}


def test_every_attribute_is_acted_on_or_refused() -> None:
    acted_on = {
        "effect", "timeout", "interrupted", "save", "optional", "for", "within", "by",
    }  # fmt: skip
    beside = {"backoff": "retry", "at-once": "each", "to": "kind notify"}
    assert {*UNSUPPORTED, *beside, *acted_on} == set(ATTRIBUTES)
    page = "# T\n```notify {#a to=x}\nDone.\n```\n"
    reading = markdown.read(page, "runbooks/t.md", {"notify"})
    assert reading.runbook is not None
    assert unsupported(reading.runbook.steps[0]) == ("kind notify",)
