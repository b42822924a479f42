"""Runs that nobody could move, end or cancel: refused, failed where it began, or ended in time."""

import asyncio
import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import structlog

from opsbook import runs
from opsbook.access import approvals
from opsbook.base.database import DatabaseAway, Transaction
from opsbook.calendar import Offset, ScheduleError
from opsbook.runs import dry, items, judging, pausing, store
from opsbook.runs.errors import CannotRun
from opsbook.runs.journal import Story
from opsbook.runs.supervisor import proctree
from opsbook.runs.tables import run
from tests.runs.crew import pages
from tests.support.runs import START, Stage, book, runbook

PHASES = (
    "```bash {#before phase=D-7}\ntrue\n```\n"
    "```bash {#then phase=D-Day}\ntrue\n```\n"
    '```bash {#after phase="D+3 business days"}\ntrue\n```\n'
)
MINUTE = timedelta(minutes=1)
FURTHEST = [date.max, date.min, date(9999, 12, 26), date(1, 12, 31)]


@pytest.fixture(autouse=True)
def without_traces() -> Iterator[None]:
    """To print the trace of every failure takes longer than all the rest."""
    with structlog.testing.capture_logs():
        yield


# ---- days that there are not ----


@pytest.mark.parametrize("head", ["", "timeout: 2h"])
@pytest.mark.parametrize("day", FURTHEST)
async def test_a_run_whose_phases_lie_beyond_the_calendar_is_not_started(
    stage: Stage, day: date, head: str
) -> None:
    await stage.load(PHASES, head)
    with pytest.raises(CannotRun) as refused:
        await stage.begin(by="operator", day=day)
    told = str(refused.value)
    assert day.isoformat() in told
    assert "Give a day between 1900-01-01 and 9000-01-01" in told
    assert len(refused.value.details["problems"]) >= 1
    rows = await stage.write(lambda tx: tx.rows(sa.select(run)))
    assert rows == []


@pytest.mark.parametrize("head", ["", "timeout: 2h"])
@pytest.mark.parametrize("day", FURTHEST)
def test_the_dry_run_says_which_steps_have_no_day(day: date, head: str) -> None:
    shop = book(runbook(PHASES, head))
    made = dry.plan(shop, shop.runbooks["fix"], {}, START, day=day)
    told = {one.step: one.note.english for one in made.sure}
    missing = {step.key for step, _ in pausing.unreachable(shop, shop.runbooks["fix"], str(day))}
    assert set(told) == missing
    assert all(str(day) in one and "from 1900-01-01 to 9000-01-01" in one for one in told.values())
    assert made.deadline is None
    assert {one.key: one.due for one in made.steps if one.key in missing} == dict.fromkeys(missing)


@pytest.mark.parametrize("day", [pausing.EARLIEST, pausing.LATEST])
@pytest.mark.parametrize(
    "text", ["D-3660", "D+3660", "D-3660 business days", "D+3660 영업일 23:59"]
)
def test_the_calendar_reaches_every_phase_between_the_days_that_are_named(
    text: str, day: date
) -> None:
    shop = book(runbook(f'```bash {{#a phase="{text}"}}\ntrue\n```\n'))
    assert list(pausing.unreachable(shop, shop.runbooks["fix"], str(day))) == []


@pytest.mark.parametrize("text", ["D-7", "D+1 23:59", "D-Day", "D-3 business days", "D+9 영업일"])
@pytest.mark.parametrize("day", [date.max, date.min])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
def test_an_offset_that_leaves_the_calendar_says_so(text: str, day: date, zone: str) -> None:
    with pytest.raises(ScheduleError, match="beyond the calendar"):
        Offset.parse(text).at(day, zone)


async def test_a_run_in_a_run_that_has_no_such_day_fails_its_step(stage: Stage) -> None:
    sub = runbook(PHASES, id="sub")
    await stage.publish(book(runbook("```run {#go}\nsub\n```\n"), sub))
    run_id = await stage.begin(by="operator", day=date.max)
    await stage.settle()
    row = await stage.row(run_id)
    assert row["state"] == "failed"
    assert "9999-12-31" in row["reason"]


# ---- what a step prints ----

DEEP = "[" * 60_000
NESTED = "[" * 30_000 + "]" * 30_000
EACH = '```bash {#b effect=read each=v}\necho one >> "$OPSBOOK_WORK/ran"\n```\n'


def prints(text: str, attributes: str) -> str:
    """A step that prints this text."""
    written = "".join(f"\\x{byte:02x}" for byte in text.encode()) if len(text) < 200 else ""
    script = f"printf '{written}'" if written else f"python3 -c 'print({short(text)})'"
    return f"```bash {{#a effect=read {attributes}}}\n{script}\n```\n"


def short(text: str) -> str:
    """A long text of repetitions as Python writes it."""
    start = text.index("[")
    return f'"{text[:start]}" + "[" * {text.count("[")} + "]" * {text.count("]")}'.replace(
        '"{"a":"', '"{\\"a\\":"'
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (r'{"a":"\ud800"}', r"half of a character, \ud800"),
        (r'{"a":["\udfff"]}', r"half of a character, \udfff"),
        (r'{"a":"x\u0000"}', "NUL"),
        ('{"a":' + DEEP, "more than 100 lists or objects"),
        ('{"a":' + NESTED, "more than 100 lists or objects"),
    ],
)
async def test_what_json_finds_is_judged_before_it_is_saved(
    any_stage: Stage, text: str, told: str
) -> None:
    stage = any_stage
    await stage.load(prints(text, "save=v json=$.a"))
    run_id = await stage.run()
    row, step = await stage.row(run_id), (await stage.steps(run_id))["a"]
    assert (row["state"], step["state"]) == ("failed", "failed")
    assert told in step["message"]
    assert "print" in step["message"]
    assert stage.engine.trouble == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (r'["fine", "\ud800"]', r"item 2 of v cannot be used: it holds half of a character"),
        (r'["\u0000x"]', "item 1 of v cannot be used: it holds a NUL"),
        (r'[{"x":"\ud800"}]', "item 1 of v cannot be used: it holds half of a character"),
        (r'[{"x":"a\u0000"}]', "item 1 of v cannot be used: in $item_x, it holds a NUL"),
        ('{"x":"\\ud800"}\n{"y":1}', "item 1 of v cannot be used: in $item_x, it holds half"),
        (NESTED, "v can be no list: it is JSON with more than 100"),
        ('{"a":' + DEEP, "item 1 of v cannot be used: it is JSON with more than 100"),
    ],
)
async def test_every_item_is_judged_before_a_step_is_repeated_over_it(
    any_stage: Stage, text: str, told: str
) -> None:
    stage = any_stage
    await stage.load(prints(text, "save=v") + EACH)
    run_id = await stage.run()
    row, step = await stage.row(run_id), (await stage.steps(run_id))["b"]
    assert (row["state"], step["state"]) == ("failed", "failed")
    assert told in step["message"]
    assert "\0" not in row["reason"]
    assert stage.ran() == []
    assert stage.engine.trouble == {}


async def test_items_of_a_parameter_are_judged_as_well(stage: Stage) -> None:
    await stage.load(EACH, "params:\n  v: {type: list}")
    run_id = await stage.run(v='{"a":' + "[" * 4000)
    assert (await stage.steps(run_id))["b"]["state"] == "failed"
    assert stage.engine.trouble == {}


async def test_facts_that_nobody_can_read_fail_the_step(stage: Stage) -> None:
    script = 'python3 -c \'open("facts.json", "w").write("[" * 60000)\'; echo 4h'
    await stage.load(f'```bash {{#a effect=read save=v assert="v < 5h"}}\n{script}\n```\n')
    run_id = await stage.run()
    step = (await stage.steps(run_id))["a"]
    assert step["state"] == "failed"
    assert "home/facts.json cannot be read: it is JSON with more than 100" in step["message"]


def test_json_is_read_to_a_depth_that_does_not_depend_on_who_reads_it() -> None:
    for fine in ("[" * 100 + "]" * 100, '{"a":' * 99 + "[]" + "}" * 99, "1", '""'):
        assert judging.read_json(fine) == json.loads(fine)
    for deep in ("[" * 101 + "[]" + "]" * 101, '{"a":' * 120 + "1" + "}" * 120):
        with pytest.raises(judging.TooDeep):
            judging.read_json(deep)


def test_whole_characters_are_texts_however_rare() -> None:
    assert [judging.no_text(one) for one in ("", "한국어 🙂", "\ufffd", "\U0010ffff")] == [""] * 4
    shop = book(runbook("```bash\ntrue\n```\n"))
    listed = json.dumps(["🙂", {"x": "🙂"}])  # as two halves each, which belong together
    found = items.of(shop.runbooks["fix"], "v", {"v": listed})
    assert found == ("🙂", '{"x": "🙂"}')


# ---- what cannot be moved all the same ----


def beyond(run_id: int) -> Any:
    """Give a run a day that nobody is given: it can compute its situation no more."""

    def write(tx: Transaction) -> None:
        tx.execute(sa.update(run).where(run.c.id == run_id).values(day="9999-12-31"))
        tx.touch("runs")

    return write


async def poisoned(stage: Stage, body: str, head: str = "lock: shop") -> int:
    """A run that waits, and then fails in every turn."""
    await stage.load(body, head)
    run_id = await stage.run(by="")
    await stage.write(beyond(run_id))
    return run_id


async def turns(stage: Stage, run_id: int, most: int = 40) -> int:
    """Wind until a run has ended; how many seconds that took."""
    for second in range(most):
        await stage.settle()
        if (await stage.row(run_id))["state"] in store.FINISHED:
            return second
        await stage.wind(timedelta(seconds=1))
    return most


CHANGES = (
    '```bash {#change}\necho change >> "$OPSBOOK_WORK/ran"\n```\n'
    '```bash {#late phase="D+1 business days"}\ntrue\n```\n'
    "## Undo {.rollback of=change}\n```bash {#undo}\necho undo >> $OPSBOOK_WORK/ran\n```\n"
)


async def test_a_run_that_cannot_be_computed_fails_and_lets_its_lock_go(any_stage: Stage) -> None:
    stage = any_stage
    run_id = await poisoned(stage, CHANGES)
    asked = (await stage.waits(run_id))[0]["approval_id"]
    behind = await stage.begin(by="operator")
    await stage.settle()
    assert (await stage.row(behind))["state"] == "queued"
    await stage.write(
        lambda tx: runs.waking.wake(tx, stage.clock.now(), store.lock_run(tx, run_id))
    )
    took = await turns(stage, run_id)
    assert 10 <= took <= 35  # after five failures with 2, 4, 8 and 16 s between them
    row = await stage.row(run_id)
    assert row["state"] == "failed"
    assert "could not move this run any more, 5 times in a row" in row["reason"]
    assert "9999-12-31" in row["reason"]
    assert "nothing more of it was done or undone" in row["reason"]
    assert await stage.waits(run_id) == []
    assert (await stage.write(lambda tx: approvals.require(tx, asked)))["state"] == "void"
    states = await stage.states(run_id)
    assert states == {"change": "cancelled", "late": "skipped", "undo": "skipped"}
    assert (await stage.actions(run_id))[-2:] == ["step.cancelled", "run.failed"]
    assert stage.engine.trouble == {}
    await stage.settle()
    assert stage.ran() == ["change"]  # by the run behind it, which has the lock now
    assert (await stage.row(behind))["state"] == "waiting"


async def test_somebody_is_told_of_a_run_that_was_ended(stage: Stage) -> None:
    run_id = await poisoned(stage, CHANGES)
    await stage.write(
        lambda tx: runs.waking.wake(tx, stage.clock.now(), store.lock_run(tx, run_id))
    )
    await turns(stage, run_id)
    titles = [one["title"] for one in await pages(stage)]
    assert any("Fix" in one and "failed" in one for one in titles)


async def test_a_run_that_cannot_be_computed_can_be_cancelled(any_stage: Stage) -> None:
    stage = any_stage
    run_id = await poisoned(stage, CHANGES)
    who, shop = await stage.person("operator"), stage.library.current("shop")
    await stage.act(runs.cancel, run_id, who, shop)
    took = await turns(stage, run_id)
    assert took <= 3
    row = await stage.row(run_id)
    assert row["state"] == "cancelled"
    assert row["reason"].startswith("cancelled by operator; ")
    assert stage.ran() == []


async def test_what_still_runs_of_it_is_ended_first(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = 'echo $$ >> "$OPSBOOK_WORK/ran"; exec sleep 300'
    await stage.load(
        f"```bash {{#a}}\n{script}\n```\n## Tidy {{.finally}}\n```bash {{#t}}\ntrue\n```\n"
    )
    run_id = await stage.begin(by="operator")
    async with asyncio.timeout(20):
        while not stage.ran():
            await asyncio.sleep(0.02)
    (pid,) = map(int, stage.ran())
    assert proctree.look(pid) is not None

    def broken(*_: Any, **__: Any) -> Any:
        raise KeyError("what nobody should read")

    monkeypatch.setattr(Story, "situation", broken)
    drive, _ = stage.engine._drives[run_id]
    drive.look()  # a turn, in which it fails; the step runs on and is found again
    async with asyncio.timeout(20):
        while not stage.engine.trouble:
            await asyncio.sleep(0.02)
    await turns(stage, run_id)
    row, step = await stage.row(run_id), (await stage.steps(run_id))["a"]
    assert (row["state"], step["state"]) == ("failed", "cancelled")
    assert [one["state"] for one in step["attempts"]] == ["interrupted"]
    assert "KeyError" in row["reason"]
    assert "nobody should read" not in row["reason"]
    assert (await stage.states(run_id))["t"] == "skipped"
    assert proctree.look(pid) is None


async def test_what_is_away_or_short_ends_no_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[Exception] = [DatabaseAway(), OSError(24, "too many open files"), MemoryError()]
    situation, failed = Story.situation, []

    def broken(*_: Any, **__: Any) -> Any:
        failed.append(1)
        raise raised[1 + len(failed) % 2]

    await stage.load('```bash {#a}\necho a >> "$OPSBOOK_WORK/ran"\n```\n')
    monkeypatch.setattr(Story, "situation", broken)
    run_id = await stage.run()
    for _ in range(8):
        await stage.wind(MINUTE)
        await stage.settle()
    assert len(failed) >= 8
    assert (await stage.row(run_id))["state"] == "queued"
    monkeypatch.setattr(Story, "situation", situation)
    await stage.wind(MINUTE)
    await stage.settle()
    assert (await stage.row(run_id))["state"] == "succeeded"
    assert stage.ran() == ["a"]


async def test_failures_far_apart_end_no_run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.engine._resting.clear()
    for _ in range(12):
        stage.engine._fails(7, ValueError("now and then"))
        assert stage.engine._resting[7].own == 1
        await stage.wind(timedelta(minutes=10))


async def test_a_run_that_cannot_hear_keeps_no_other_from_hearing(any_stage: Stage) -> None:
    stage = any_stage
    body = '```wait {#w}\n10s\n```\n```bash {#a effect=read}\necho a >> "$OPSBOOK_WORK/ran"\n```\n'
    await stage.load(body)
    first, second = await stage.run(), await stage.run()
    assert [(await stage.row(one))["state"] for one in (first, second)] == ["waiting"] * 2

    def spoil(tx: Transaction) -> None:  # a runbook that its revision does not have
        tx.execute(sa.update(run).where(run.c.id == first).values(runbook="gone"))

    await stage.write(spoil)
    await stage.wind(timedelta(seconds=11))
    await stage.settle()
    assert (await stage.row(second))["state"] == "succeeded"
    assert stage.ran() == ["a"]
    await turns(stage, first)
    assert (await stage.row(first))["state"] == "failed"


async def test_a_run_of_a_run_that_was_ended_ends_too(stage: Stage) -> None:
    sub = runbook("- [ ] Look at it. {#look by=responder}\n", id="sub")
    late = '```bash {#late phase="D+1 business days"}\ntrue\n```\n'
    await stage.publish(book(runbook("```run {#go}\nsub\n```\n" + late), sub))
    run_id = await stage.run()
    child = run_id + 1
    assert (await stage.row(child))["state"] == "waiting"
    await stage.write(beyond(run_id))
    await stage.write(
        lambda tx: runs.waking.wake(tx, stage.clock.now(), store.lock_run(tx, run_id))
    )
    await turns(stage, run_id)
    await stage.settle()
    assert (await stage.row(run_id))["state"] == "failed"
    assert (await stage.row(child))["state"] == "cancelled"
