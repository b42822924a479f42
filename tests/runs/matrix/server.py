"""A server in a process of its own, the people who answer its runs, and who looks at what is left.

Forked from a process that has everything imported, so that one starts within a tenth of a second.
"""

import asyncio
import contextlib
import json
import os
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
import structlog

from opsbook import audit, runs
from opsbook.access import Principal, approvals
from opsbook.audit.tables import entry
from opsbook.base.clock import SystemClock, WoundClock
from opsbook.base.database import Transaction
from opsbook.base.errors import OpsbookError
from opsbook.runs import rubbish, store
from opsbook.runs.kinds.environment import work_folder
from opsbook.runs.tables import attempt, run, wait
from tests.runs.matrix.cluster import kill_all, kill_server, pids_below
from tests.runs.matrix.moments import Moment, Watch, Write, die
from tests.runs.matrix.plan import LINES, STATES, Mode, made, settled
from tests.support.runs import START, Stage

GENERATION: Final = timedelta(seconds=30)
CLEAN_WITHIN: Final = 10.0
PAUSE: Final = timedelta(seconds=0.5)  # of loops that found no database


class Running(WoundClock):
    """The machine's clock, some time ahead; a server that waits for a lease may wind it on."""

    def __init__(self, ahead: timedelta) -> None:
        super().__init__(START)
        self.ahead = ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, by: timedelta) -> None:
        self.ahead += by

    def earliest(self) -> datetime | None:
        return None

    async def wait(self, until: datetime | None, wake: asyncio.Event) -> None:
        await SystemClock.wait(self, until, wake)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Life:
    """What one server's process is told."""

    folder: Path
    url: str
    generation: int
    mode: Mode
    moment: Moment | None
    postgresql: Path | None = None


def live(life: Life) -> None:
    """The process: serve until killed, or until all is over and looked at."""
    log = os.open(life.folder / f"log-{life.generation}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout = sys.stderr = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()])  # no traceback: time
    rubbish.LOOK_EVERY_S, rubbish.QUIET_S = 0.05, 0.05  # type: ignore[misc]
    asyncio.run(_live(life))


async def _live(life: Life) -> None:
    stage = Stage(life.folder, life.url, Running(GENERATION * life.generation))
    sealer = audit.Sealer(stage.database, stage.places.audit)
    stage.hub.on("audit", stage.loops.add("seal", sealer.tick))  # type: ignore[arg-type]
    stage.loops.add("lease", stage.lease.tick, deciding=False)
    watch = Watch(life.moment, lambda moment: _strike(moment, stage, life))
    async with stage:
        for loop in stage.loops.loops.values():
            loop.slowest = PAUSE
        people = [await stage.person(one) for one in ("operator", "officer")]
        await stage.publish(made())
        watch.arm(stage.database)
        await People(stage, life.mode, *people).until_over()
        told = Witness(stage, life.mode, watch)
        await told.look(sealer)
    report = {
        "faults": told.faults + told.left_running(),
        "struck": watch.struck,
        "interrupted": told.interrupted,
        "writes": [asdict(one) for one in watch.seen],
    }
    (life.folder / "report.json").write_text(json.dumps(report))


def template(folder: Path, url: str = "") -> None:
    """Prepare a folder (and a database) that lives are copied from."""

    async def prepare() -> None:
        async with Stage(folder, url, Running(timedelta(0))) as stage:
            audit.Sealer(stage.database, stage.places.audit)
            for one in ("operator", "officer"):
                await stage.person(one)
            await stage.publish(made())

    asyncio.run(prepare())


# ---- death ----


def _strike(moment: Moment, stage: Stage, life: Life) -> None:
    """Kill whom the moment names, ourselves last. `during`: once the step runs, which is held."""
    if moment.when != "during":
        _kill(moment, stage, life, "")
        return
    (work_folder("shop", stage.places) / f"hold-{moment.step}").touch()
    known = _attempts(moment.step, stage)
    threading.Thread(target=_in_the_step, args=(moment, stage, life, known), daemon=True).start()


def _in_the_step(moment: Moment, stage: Stage, life: Life, known: list[str]) -> None:
    """Wait until its script has noted itself, and its keeper has said who it is."""
    while True:
        for name in _attempts(moment.step, stage):
            if name not in known and (stage.places.steps / name / "pid.json").exists():
                return _kill(moment, stage, life, name)
        time.sleep(0.005)


def _attempts(step: str, stage: Stage) -> list[str]:
    """The attempts of a step whose scripts have begun."""
    file = stage.work / "ran"
    lines = file.read_text().splitlines() if file.exists() else []
    return [name for key, _, name in (one.partition(" ") for one in lines) if key == step]


def _kill(moment: Moment, stage: Stage, life: Life, name: str) -> None:
    """Kill at once; `name` is the attempt in which that is."""
    spawner = stage.spawner.pid
    if "keeper" in moment.victims:
        if name:
            told = json.loads((stage.places.steps / name / "pid.json").read_text())
            kill_all([told["keeper"]])
        elif spawner:
            kill_all(pids_below(spawner))
    if "spawner" in moment.victims and spawner:
        kill_all([spawner])
    if "postgresql" in moment.victims and life.postgresql:
        kill_server(life.postgresql)
    (life.folder / "struck").touch()
    if "server" in moment.victims:
        die()


# ---- people ----


class People:
    """An operator and an officer: they answer what is asked as soon as they see it."""

    def __init__(self, stage: Stage, mode: Mode, operator: Principal, officer: Principal) -> None:
        self.stage = stage
        self.mode = mode
        self.operator = operator
        self.officer = officer
        self.shop = stage.library.current("shop")

    async def until_over(self) -> None:
        """Begin the run, where nobody has, and answer until every run has ended."""
        while True:
            try:
                if await self._look():
                    return
            except (OpsbookError, sa.exc.SQLAlchemyError) as error:  # answered just before, or away
                print(f"{type(error).__name__}: {error}"[:2000])  # noqa: T201  into this server's log
            await asyncio.sleep(0.02)

    async def _look(self) -> bool:
        await self.stage.settle()
        states, asked = await self.stage.database.read(
            lambda tx: ([one["state"] for one in store.list_runs(tx)], store.waiting(tx))
        )
        if not states:
            await self._act(self._begin)
        for one in asked:
            await self._answer(one)
        return bool(states) and all(state in store.FINISHED for state in states)

    def _begin(self, tx: Transaction, now: datetime) -> None:
        runs.start(
            tx, now, book=self.shop, runbook="fix", params={"mode": self.mode},
            started_by=self.operator.actor, attended=True, sealer=self.stage.engine.sealer,
        )  # fmt: skip

    async def _answer(self, asked: dict[str, Any]) -> None:
        about = asked["run_id"], asked["step"], self.operator, self.shop
        if asked["kind"] == "approval":
            number = asked["approval_id"]
            await self._act(runs.vote, number, self.officer, self.shop, "approve")
        elif asked["kind"] == "person":
            await self._act(runs.confirm, *about)
        elif asked["kind"] == "decision" and asked["answer"] is None:
            if asked["data"].get("failed"):
                (self.stage.work / "mended").touch()
            await self._act(runs.decide, *about, "retry")

    async def _act(self, what: Any, *args: Any) -> None:
        now = self.stage.clock.now()
        await self.stage.database.write(lambda tx: what(tx, now, *args))


# ---- what is left ----


class Witness:
    """Looks at everything once the runs are over, and notes what is not as it must be."""

    def __init__(self, stage: Stage, mode: Mode, watch: Watch) -> None:
        self.stage = stage
        self.mode = mode
        self.watch = watch
        self.faults: list[str] = []
        self.interrupted = 0

    async def look(self, sealer: audit.Sealer) -> None:
        """Everything that a living server can be asked."""
        self.watch.moment = None
        await self.stage.settle()
        await sealer.tick(self.stage.clock.now())
        await self.stage.database.read(self._journal)
        await self.stage.database.read(self._chain)
        await self._folders()

    def _must(self, found: object, wanted: object, what: str) -> None:
        if found != wanted:
            self.faults.append(f"{what}: {found!r}, and must be {wanted!r}")

    def _journal(self, tx: Transaction) -> None:
        rows = tx.rows(sa.select(run).order_by(run.c.id))
        self._must([(row["runbook"], row["state"]) for row in rows],
                   [("fix", STATES[self.mode]), ("other", "succeeded")], "runs")  # fmt: skip
        self._must(tx.scalar(sa.select(sa.func.count()).select_from(wait)), 0, "open waits")
        self._must(len(approvals.open(tx)), 0, "open approvals")
        self._must(
            len(store.scratches_in_use(tx, self.stage.engine._tools.host)), 0, "folders in use"
        )
        tries = {Path(row["scratch"]).name: row for row in tx.rows(sa.select(attempt))}
        self._must(
            [name for name, row in tries.items() if row["state"] == "intended"], [], "intended"
        )
        self.interrupted = sum(row["state"] == "interrupted" for row in tries.values())
        self._lines(tries)
        self._output(tx, tries)
        self._once(tx)

    def _lines(self, tries: dict[str, dict[str, Any]]) -> None:
        file = self.stage.work / "ran"
        found = [line.partition(" ") for line in file.read_text().splitlines()]
        noted = Counter(name for _, _, name in found)
        self._must([name for name in noted if name not in tries], [], "ran without an intent")
        self._must([name for name, count in noted.items() if count > 1], [], "ran twice")
        surely = [name for name, row in tries.items() if row["state"] != "interrupted"]
        self._must([name for name in surely if name not in noted], [], "never ran")
        lines = [key for key, _, name in found if name in surely]
        was_it = any(key == "flaky" and name not in surely for key, _, name in found)
        self._must(settled(lines, interrupted=was_it), LINES[self.mode], "what ran")

    def _output(self, tx: Transaction, tries: dict[str, dict[str, Any]]) -> None:
        """A step that succeeded has said everything, and once."""
        lines = (self.stage.work / "ran").read_text().splitlines()
        keys = {name: key for key, _, name in (line.partition(" ") for line in lines)}
        for name, row in tries.items():
            text = "".join(one["text"] for one in store.output(tx, row["id"]))
            key = keys.get(name, "?")
            whole = f"begin {key}\nend {key}\n"
            if row["state"] == "succeeded":
                self._must(text, whole, f"output of {key}")
            elif not whole.startswith(text):
                self.faults.append(f"output of {key}: {text!r}")

    def _once(self, tx: Transaction) -> None:
        """No end of anything is on record twice."""
        ends = ("step.succeeded", "run.succeeded", "run.failed", "run.started", "approval.approved")
        rows = tx.rows(sa.select(entry).where(entry.c.action.in_(ends)))
        seen = Counter((one["action"], one["subject"], one["data"].get("step")) for one in rows)
        self._must([one for one, count in seen.items() if count > 1], [], "on record twice")

    def _chain(self, tx: Transaction) -> None:
        verdict = audit.verify(tx, self.stage.places.audit)
        self._must([fault.message for fault in verdict.faults], [], "the audit's chain")
        self._must(verdict.waiting, 0, "entries that wait for a seal")
        self._must(verdict.checked > 0, True, "whether entries were checked")

    async def _folders(self) -> None:
        until = time.monotonic() + CLEAN_WITHIN
        while (left := [one.name for one in self.stage.places.steps.iterdir()]) and (
            time.monotonic() < until
        ):
            await asyncio.sleep(0.02)
        self._must(left, [], "scratch folders")

    def left_running(self) -> list[str]:
        """Processes whose environment names this folder: steps, and what they have started."""
        mark, found = f"OPSBOOK_WORK={self.stage.work}".encode(), []
        for one in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if one.name.isdecimal() and mark in (one / "environ").read_bytes():
                    found.append(f"process {one.name} is left: {(one / 'cmdline').read_bytes()!r}")
        return found


def writes_of(report: dict[str, Any]) -> list[Write]:
    """The writes that a server has seen, from its report."""
    return [Write(**{**one, "started": tuple(one["started"])}) for one in report["writes"]]
