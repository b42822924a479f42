"""kill -9 at every write of the journal: before its commit, after it, and in the step it starts.

The runbook is twelve steps with rollback, in two ways: it ends well, or its eleventh step fails.
What is written is counted in a run without any death, so that the matrix grows with the engine.
Each case is a real server that is killed (or whose keeper, helper or PostgreSQL is), and then
another that goes on, with people who answer what it asks. See `matrix.server.Witness` for all that
must hold at the end. `make test` plays one case of each kind of transition; `make prove` all.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.runs.matrix import cases, cluster
from tests.runs.matrix.cases import Case, Ground, Told
from tests.runs.matrix.moments import Moment, Victim, Write
from tests.runs.matrix.plan import LINES, Mode
from tests.support.runs import open_folder
from tests.support.servers import needs

SEED = 20260303
AT_ONCE = 4
PAUSE_IN_SAMPLE = 0.3


@pytest.fixture(scope="module")
def prepared_ground() -> Iterator[Ground]:
    with open_folder() as folder, cases.ground(folder, None) as ground:
        yield ground


@pytest.fixture(scope="module")
def prepared_postgresql() -> Iterator[Ground]:
    needs("initdb")
    with ExitStack() as stack:
        made = asyncio.run(cluster.initialised(stack.enter_context(cluster.folder())))
        stack.callback(made.kill)
        ground = stack.enter_context(cases.ground(stack.enter_context(open_folder()), made))
        asyncio.run(made.stop())
        yield ground


async def writes_of(ground: Ground, mode: Mode) -> list[Write]:
    """The writes of a run that nothing happens to."""
    told = await ground.play(Case(mode, None))
    assert not told.faults, told.faults
    assert told.interrupted == 0
    return told.writes


async def all_writes(ground: Ground) -> dict[Mode, list[Write]]:
    """Of the run that is rolled back all, of the other what that one has not; counted once."""
    if not ground.writes:
        back, well = await asyncio.gather(writes_of(ground, "back"), writes_of(ground, "well"))
        known = {(one.name, one.nth) for one in back}
        ground.writes["back"] = back
        ground.writes["well"] = [one for one in well if (one.name, one.nth) not in known]
    return ground.writes


async def play(ground: Ground, played: list[Case], at_once: int = AT_ONCE) -> list[Told]:
    """Play cases side by side; all of them must hold."""
    room = asyncio.Semaphore(at_once)

    async def one(case: Case) -> Told:
        async with room:
            return await ground.play(case)

    found = await asyncio.gather(*map(one, played))
    broken = [told for told in found if told.faults]
    shown = "\n\n".join(f"{told.case}\n" + "\n".join(told.faults) for told in broken[:4])
    assert not broken, f"{len(broken)} of {len(found)} do not hold: {shown}"
    return found


def missed(found: list[Told]) -> list[str]:
    """Moments that did not come in three tries: an item was quicker than another each time."""
    return [str(told.case) for told in found if not told.struck]


def of_victims(
    writes: dict[Mode, list[Write]], killed: frozenset[Victim]
) -> list[tuple[str, Case]]:
    """Every case in which these die, with the kind of its transition."""
    return [
        (kind, Case(mode, moment))
        for mode, found in writes.items()
        for kind, moment in cases.moments(found, (killed,))
    ]


def sample(every: list[tuple[str, Case]], seed: int) -> list[Case]:
    """One case for each kind of transition, and at least one in a step."""
    chosen = random.Random(seed)
    kinds: dict[str, list[Case]] = {}
    for kind, case in every:
        kinds.setdefault(kind, []).append(case)
    found = [chosen.choice(of_kind) for _, of_kind in sorted(kinds.items())]
    inside = [case for _, case in every if case.moment and case.moment.when == "during"]
    return [*found, chosen.choice(inside)]


async def test_a_run_that_nothing_happens_to_makes_the_writes_that_are_counted_on(
    prepared_ground: Ground,
) -> None:
    writes = await all_writes(prepared_ground)
    assert len(writes["back"]) > len(LINES["back"])
    started = Counter(cases.written(key) for one in writes["back"] for key in one.started)
    assert started == Counter(LINES["back"])


@pytest.mark.parametrize("part", [0, 1])
async def test_one_death_of_each_kind_loses_nothing_and_repeats_nothing(
    prepared_ground: Ground, part: int
) -> None:
    writes = await all_writes(prepared_ground)
    every = [one for killed in cases.SQLITE for one in of_victims(writes, killed)]
    played = sample(every, SEED)[part::2]
    found = await play(prepared_ground, played)
    assert len(missed(found)) <= 1, missed(found)


async def test_a_postgresql_that_is_killed_loses_nothing_and_repeats_nothing(
    prepared_postgresql: Ground,
) -> None:
    writes = await all_writes(prepared_postgresql)
    chosen = random.Random(SEED)
    played = [
        Case(case.mode, case.moment, PAUSE_IN_SAMPLE)
        for killed in cases.POSTGRESQL
        for when in ("before", "after", "unheard", "during")
        for case in [one for _, one in of_victims(writes, killed)]
        if case.moment and case.moment.when == when
    ]
    found = await play(prepared_postgresql, chosen.sample(played, 4))
    assert len(missed(found)) <= 1, missed(found)


async def test_what_was_committed_without_an_answer_is_found_when_the_database_is_back(
    prepared_postgresql: Ground,
) -> None:
    """Nobody was woken by it, and nobody will write anything else about the run."""
    played = [
        Case("well", Moment(name, 1, "unheard", frozenset({"postgresql"})), PAUSE_IN_SAMPLE)
        for name in ("run.started", "approval.approved", "step.confirmed hand")
    ]
    assert missed(await play(prepared_postgresql, played)) == []


def called(killed: frozenset[Victim]) -> str:
    return "+".join(sorted(killed))


@pytest.mark.prove
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("killed", cases.SQLITE, ids=called)
async def test_every_death_at_every_write_loses_nothing_and_repeats_nothing(
    prepared_ground: Ground, killed: frozenset[Victim]
) -> None:
    await play_all(prepared_ground, killed, AT_ONCE)


@pytest.mark.prove
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("killed", cases.POSTGRESQL, ids=called)
async def test_every_death_with_postgresql_loses_nothing_and_repeats_nothing(
    prepared_postgresql: Ground, killed: frozenset[Victim]
) -> None:
    at_once = AT_ONCE if len(killed) > 1 else 2 * AT_ONCE
    await play_all(prepared_postgresql, killed, at_once)


async def play_all(ground: Ground, killed: frozenset[Victim], at_once: int) -> None:
    every = [case for _, case in of_victims(await all_writes(ground), killed)]
    found = await play(ground, every, at_once)
    assert len(missed(found)) <= len(found) // 50, missed(found)
