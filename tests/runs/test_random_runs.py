"""Random runbooks, random crashes, and a model of the engine that knows nothing of its code.

A runbook is made up, with conditions, retries, lists, approvals, rollback and finally steps; the
model says which steps have to run, in which order, and how the run ends. Then it is really run,
by an engine whose writes stop at random moments, before a commit or after it, and whose next one
goes on with what is on disk. Processes go on meanwhile, as they do in life. Whatever happened:
every line that the steps themselves wrote is the model's, none twice and none too few.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsbook import runs
from opsbook.base.errors import OpsbookError
from opsbook.runs import store
from tests.support.runs import Stage, book, open_folder, runbook

NEVER = 99
ITEMS = ("p", "q", "r")
PATIENCE = 60
HEAD = "params:\n  what: {default: x}\n  list: {type: list, default: [p, q, r]}"


@dataclass(frozen=True)
class Made:
    """One step. It fails as often as `fails` says; a person who is asked gives `answers`."""

    kind: str = "bash"
    fails: int = 0
    retry: int = 0
    on_fail: str = "rollback"
    when: bool | None = None
    each: bool = False
    approve: bool = True
    answer: str = "fail"
    undo: int | None = None


@dataclass(frozen=True)
class Plan:
    """A runbook, and when the servers that run it die: after so many writes, before the commit?"""

    main: tuple[Made, ...]
    tidy: tuple[Made, ...]
    deaths: tuple[tuple[int, bool], ...]


FAILS = st.sampled_from([0, 0, 0, 1, 2, NEVER])
steps = st.builds(
    Made,
    kind=st.sampled_from(["bash", "bash", "bash", "approval"]),
    fails=FAILS,
    retry=st.integers(0, 2),
    on_fail=st.sampled_from(["rollback", "stop", "continue", "ask"]),
    when=st.sampled_from([None, None, True, False]),
    each=st.booleans(),
    approve=st.sampled_from([True, True, False]),
    answer=st.sampled_from(["fail", "skip", "stop"]),
    undo=st.sampled_from([None, 0, 0, NEVER]),
)
tidying = st.builds(Made, fails=FAILS, on_fail=st.sampled_from(["continue", "stop"]))
plans = st.builds(
    Plan,
    main=st.lists(steps, min_size=1, max_size=5).map(tuple),
    tidy=st.lists(tidying, max_size=2).map(tuple),
    deaths=st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=5).map(
        tuple
    ),
)


# ---- the runbook ----


def script(name: str, fails: int) -> str:
    """Note that it ran, and fail as long as it has to."""
    counted = f'line="{name}"; echo "$line" >> "$OPSBOOK_WORK/ran"'
    return f'{counted}; test "$(grep -cxF -- "$line" "$OPSBOOK_WORK/ran")" -gt {fails}'


def written(plan: Plan) -> str:
    """The Markdown of a plan."""
    return "\n".join(_lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    for number, one in enumerate(plan.main):
        when = "" if one.when is None else f' when="what == {"x" if one.when else "y"}"'
        yield f"## S{number}"
        if one.kind == "approval":
            yield f"```approval {{#s{number} by=security{when}}}\nMay it?\n```"
            continue
        each = " each=list" if one.each else ""
        told = f"#s{number} on-fail={one.on_fail} retry={one.retry or 1}{when}{each}"
        told = told if one.retry else told.replace(" retry=1", "")
        yield f"```bash {{{told}}}\n{script(name(number, one), one.fails)}\n```"
    for number, one in enumerate(plan.main):
        if one.undo is not None and one.kind == "bash":
            yield f"## U{number} {{.rollback of=s{number}}}"
            yield f"```bash {{#u{number}}}\n{script(f'u{number}', one.undo)}\n```"
    if plan.tidy:
        yield "## T {.finally}"
    for number, one in enumerate(plan.tidy):
        told = f"#t{number} on-fail={one.on_fail}"
        yield f"```bash {{{told}}}\n{script(f't{number}', one.fails)}\n```"


def name(number: int, one: Made) -> str:
    return f"s{number}:$item" if one.each else f"s{number}"


# ---- the model ----


@dataclass
class Expected:
    """What has to happen: the lines that steps write, and how the run ends."""

    plan: Plan
    lines: list[str] = field(default_factory=list)
    state: str = "succeeded"
    undone: bool = True

    def __post_init__(self) -> None:
        begun = self._main()
        if self.state == "failed" and self.undone:
            self._undo(begun)
        self._tidy()

    def _runs(self, line: str, fails: int) -> bool:
        self.lines.append(line)
        return Counter(self.lines)[line] > fails

    def _tries(self, line: str, one: Made) -> bool:
        return any(self._runs(line, one.fails) for _ in range(one.retry + 1))

    def _main(self) -> list[int]:
        begun = []
        for number, one in enumerate(self.plan.main):
            if one.when is False:
                continue
            begun.append(number)
            if one.kind == "approval":
                if not one.approve:
                    self.state = "failed"
                    return begun
            elif not self._does(number, one):
                self.state = "failed"
                return begun
        return begun

    def _does(self, number: int, one: Made) -> bool:
        """Whether the run goes on after this step."""
        if not one.each:
            return self._tries(f"s{number}", one) or self._goes_on(one)
        broken = False
        for item in ITEMS:
            if self._tries(f"s{number}:{item}", one):
                continue
            if one.on_fail == "continue":
                continue
            if one.on_fail == "ask" and one.answer == "skip":
                continue
            broken = True
            break
        return not broken or self._goes_on(one)

    def _goes_on(self, one: Made) -> bool:
        if one.on_fail == "continue" or (one.on_fail == "ask" and one.answer == "skip"):
            return True
        self.undone = one.on_fail != "stop" and not (one.on_fail == "ask" and one.answer == "stop")
        return False

    def _undo(self, begun: list[int]) -> None:
        for number in reversed(begun):
            one = self.plan.main[number]
            if one.undo is None or one.kind != "bash":
                continue
            if not self._runs(f"u{number}", one.undo):
                return

    def _tidy(self) -> None:
        broken = []
        for number, one in enumerate(self.plan.tidy):
            if self._runs(f"t{number}", one.fails):
                continue
            broken.append(one)
            if one.on_fail == "stop":
                break
        if any(one.on_fail == "stop" for one in broken):
            self.state = "failed"


# ---- the real one ----


class Life:
    """One server's life: it dies at its n-th write, before the commit or after it, or lives on."""

    def __init__(self, stage: Stage, death: tuple[int, bool] | None) -> None:
        self.left, self.before = death or (10**9, False)
        self.dead = asyncio.Event()
        self.real = stage.database.write
        stage.database.write = self.write  # type: ignore[method-assign, assignment]

    async def write(self, work: Any) -> Any:
        self.left -= 1
        if self.left > 0:
            return await self.real(work)
        if self.left == 0 and not self.before:
            await self.real(work)
        self.dead.set()
        if getattr(work, "__name__", "") == "store_it":  # kept by whoever writes output down
            raise OSError("the server is dead")
        return await asyncio.Event().wait()


async def live(folder: Any, plan: Plan, death: tuple[int, bool] | None) -> str:
    """Let one server run until it dies or the run is over; return the run's state then."""
    async with Stage(folder) as stage:
        shop = book(runbook(written(plan), HEAD), file=stage.work / "size")
        await stage.publish(shop)
        if await stage.database.read(lambda tx: store.get(tx, 1)) is None:
            await stage.begin(by="operator")
        life = Life(stage, death)
        acting = asyncio.create_task(act(stage, plan))
        dying = asyncio.create_task(life.dead.wait())
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait([acting, dying], return_when=asyncio.FIRST_COMPLETED)
        for task in (acting, dying):
            if not task.done():
                task.cancel()
        await asyncio.wait([acting, dying])
        if acting.done() and not acting.cancelled():
            acting.result()
        state: str = (await stage.row(1))["state"]
        return state


async def act(stage: Stage, plan: Plan) -> None:
    """Answer whatever is asked until the run is over."""
    shop = stage.library.current("shop")
    while True:
        await stage.settle()
        if (await stage.row(1))["state"] in store.FINISHED:
            return
        for asked in await stage.waits(1):
            one = plan.main[int(asked["step"][1:].partition("[")[0])]
            with contextlib.suppress(OpsbookError):  # answered just before the server died
                if asked["kind"] == "approval":
                    who = await stage.person("officer")
                    decision = "approve" if one.approve else "reject"
                    number = asked["approval_id"]
                    await stage.act(runs.vote, number, who, shop, decision)
                elif asked["kind"] == "decision" and asked["answer"] is None:
                    who = await stage.person("operator")
                    failed = asked["data"].get("failed")
                    choice: Any = one.answer if failed else "retry"
                    await stage.act(runs.decide, 1, asked["step"], who, shop, choice)


async def really(plan: Plan) -> tuple[str, list[str]]:
    """Run it through all its deaths; return how it ended and what its steps have written."""
    with open_folder() as folder:
        state = ""
        for death in (*plan.deaths, None):
            state = await live(folder, plan, death)
            if state in store.FINISHED:
                break
        file = folder / "work" / "shop" / "ran"
        return state, file.read_text().split() if file.exists() else []


def check(plan: Plan) -> None:
    expected = Expected(plan)
    state, lines = asyncio.run(really(plan))
    assert (state, lines) == (expected.state, expected.lines), written(plan)


CALM = (HealthCheck.too_slow, HealthCheck.data_too_large)


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=CALM)
@given(plans)
def test_whatever_happens_the_steps_run_as_the_model_says(plan: Plan) -> None:
    check(plan)


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("writes", range(1, 5))
def test_what_was_only_cut_off_has_used_up_no_try_and_gives_none(writes: int, each: bool) -> None:
    """The server dies between a try's intent and its start, at each of its writes in turn."""
    step = Made(fails=NEVER, retry=1, on_fail="stop", answer="stop", each=each)
    tidy = Made(on_fail="continue")
    check(Plan(main=(step,), tidy=(tidy,), deaths=((writes, False),)))


@pytest.mark.prove
@pytest.mark.timeout(1800)
@settings(max_examples=250, deadline=None, suppress_health_check=CALM)
@given(plans)
def test_whatever_happens_a_great_many_times(plan: Plan) -> None:
    check(plan)
