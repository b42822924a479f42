"""One death after the other: what is killed when, and a server after it that goes on."""

import asyncio
import contextlib
import json
import multiprocessing
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any, Final

from tests.runs.matrix import cluster, server
from tests.runs.matrix.cluster import Cluster
from tests.runs.matrix.moments import Moment, Victim, Write
from tests.runs.matrix.plan import ITEMS, Mode
from tests.support.runs import open_folder

PATIENCE: Final = 110.0
HELD_FOR: Final = 0.3
REPEATED: Final = ("many", "undo-many")
SQLITE: Final[tuple[frozenset[Victim], ...]] = (
    frozenset({"server"}), frozenset({"keeper"}), frozenset({"spawner"}),
    frozenset({"server", "keeper"}), frozenset({"server", "spawner"}),
)  # fmt: skip
POSTGRESQL: Final[tuple[frozenset[Victim], ...]] = (
    frozenset({"postgresql"}), frozenset({"server", "postgresql"}),
)  # fmt: skip


def context() -> ForkServerContext:
    """Where servers are forked from: everything is imported there, once."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["tests.runs.matrix.server", "pytest", "_pytest.config"])
    return made


@dataclass(frozen=True)
class Case:
    """A run, and its death."""

    mode: Mode
    moment: Moment | None
    away: float = 2.0

    @property
    def on_postgresql(self) -> bool:
        return self.moment is not None and "postgresql" in self.moment.victims

    def __str__(self) -> str:
        return f"{self.mode}: {self.moment}"


@dataclass
class Told:
    """What came of a case. Not `struck`: its moment did not come, as items raced each other."""

    case: Case
    faults: list[str]
    struck: bool
    interrupted: int = 0
    took: float = 0.0
    writes: list[Write] = field(default_factory=list)


class Ground:
    """What cases are played on: folders and clusters that are copied for each."""

    def __init__(self, folder: Path, prepared: Cluster | None) -> None:
        self.folder = folder
        self.prepared = prepared
        self.context = context()
        self.writes: dict[Mode, list[Write]] = {}

    async def play(self, case: Case) -> Told:
        """Play it; where its moment does not come, twice more."""
        for _ in range(3):
            told = await self._play(case)
            if told.struck or told.faults or case.moment is None:
                break
        return told

    async def _play(self, case: Case) -> Told:
        began = time.monotonic()
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(open_folder())
            source = self.folder / ("postgresql" if case.on_postgresql else "sqlite")
            shutil.copytree(source, folder, dirs_exist_ok=True)
            own: Cluster | None = None
            if case.on_postgresql:
                assert self.prepared is not None
                own = self.prepared.copy(stack.enter_context(cluster.folder()))
                stack.callback(own.kill)
                await own.start()
            told = await Played(case, folder, own, self.context).to_the_end()
        told.took = time.monotonic() - began
        return told


class Played:
    """One case under way."""

    def __init__(
        self, case: Case, folder: Path, own: Cluster | None, forked: ForkServerContext
    ) -> None:
        self.case = case
        self.folder = folder
        self.cluster = own
        self.context = forked
        self._aside: list[asyncio.Task[None]] = []

    async def to_the_end(self) -> Told:
        """Servers, one after the other, until one has seen the runs end."""
        generation, deaths, faults = 0, 0, []
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    died = await self._one(generation)
                    if not died:
                        break
                    generation, deaths = generation + 1, deaths + 1
                    if deaths > 1:
                        raise RuntimeError("a second server died")
        except (TimeoutError, RuntimeError) as error:
            faults.append(f"{type(error).__name__} {error}: {self._logs()}")
        finally:
            for task in self._aside:
                task.cancel()
            await asyncio.gather(*self._aside, return_exceptions=True)
        return self._told(deaths, faults)

    def _told(self, deaths: int, faults: list[str]) -> Told:
        struck = (self.folder / "struck").exists()
        report: dict[str, Any] = {"faults": faults, "writes": [], "interrupted": 0}
        with contextlib.suppress(FileNotFoundError):
            report = json.loads((self.folder / "report.json").read_text())
        moment = self.case.moment
        must_die = moment is not None and "server" in moment.victims and struck
        if not faults and must_die != (deaths == 1):
            report["faults"].append(f"{deaths} servers died")
        if not faults and struck:
            report["faults"] += self._interruptions(report["interrupted"])
        if report["faults"] and not faults:
            report["faults"].append(self._logs())
        return Told(self.case, report["faults"], struck, report["interrupted"],
                    writes=server.writes_of(report))  # fmt: skip

    def _interruptions(self, found: int) -> Iterator[str]:
        """How many attempts may be of unknown outcome, where that is known beforehand."""
        moment = self.case.moment
        assert moment is not None
        least, most = 0, 2
        if moment.when == "during" and "keeper" in moment.victims:
            least = 1
        elif self._leaves_all_known(moment):
            most = 0
        if not least <= found <= most:
            yield f"{found} attempts were interrupted, and must be {least} to {most}"

    def _leaves_all_known(self, moment: Moment) -> bool:
        """Whether every step under way has its keeper, and was begun or surely was not."""
        if moment.when == "during" and "keeper" not in moment.victims:
            return ":" not in moment.step  # of items another may be on its way to its keeper
        return moment.victims in ({"spawner"}, {"postgresql"}) and moment.when != "unheard"

    # ---- one server ----

    async def _one(self, generation: int) -> bool:
        """One server's life; whether it ended by death."""
        moment = self.case.moment if generation == 0 else None
        life = server.Life(
            self.folder, self.cluster.url if self.cluster else "", generation, self.case.mode,
            moment, self.cluster.folder if self.cluster else None,
        )  # fmt: skip
        process = self.context.Process(target=server.live, args=(life,), daemon=True)
        process.start()
        try:
            await self._watch(process)
        finally:
            if process.is_alive():
                process.kill()
            process.join(5)
        if process.exitcode not in {0, -signal.SIGKILL}:
            raise RuntimeError(f"the server ended with {process.exitcode}")
        return process.exitcode != 0

    async def _watch(self, process: ForkServerProcess) -> None:
        struck = False
        while process.is_alive():
            if not struck and (self.folder / "struck").exists():
                struck = True
                self._after_the_strike()
            await asyncio.sleep(0.01)
        if not struck and (self.folder / "struck").exists():
            self._after_the_strike()
        moment = self.case.moment
        if self.cluster and moment and "server" in moment.victims and self._aside:
            await asyncio.gather(*self._aside)  # a server that finds no database does not start

    def _after_the_strike(self) -> None:
        if self._aside:
            return
        self._aside.append(asyncio.create_task(self._release()))
        if self.cluster:
            self._aside.append(asyncio.create_task(self._restart(self.cluster)))

    async def _release(self) -> None:
        await asyncio.sleep(HELD_FOR)
        for one in (self.folder / "work" / "shop").glob("hold-*"):
            one.unlink()

    async def _restart(self, own: Cluster) -> None:
        await own.gone()
        await asyncio.sleep(self.case.away)
        await own.start()

    def _logs(self) -> str:
        logs = sorted(self.folder.glob("log-*"))
        ran = self.folder / "work" / "shop" / "ran"
        said = [f"{one.name}: {one.read_text(errors='replace')[-3000:]}" for one in logs]
        return "\n".join([*said, ran.read_text() if ran.exists() else "nothing ran"])


# ---- which cases there are ----


def moments(
    writes: list[Write], victims: tuple[frozenset[Victim], ...]
) -> Iterator[tuple[str, Moment]]:
    """Every death of a run that makes these writes, each with the kind of its transition."""
    for killed in victims:
        for one in writes:
            whens = (
                ["before", "after", "unheard"] if killed == {"postgresql"} else ["before", "after"]
            )
            for when in whens:
                yield one.kind, Moment(one.name, one.nth, when, killed)  # type: ignore[arg-type]
            for step in map(written, one.started):
                yield one.kind, Moment(one.name, one.nth, "during", killed, step)


def written(key: str) -> str:
    """How a step notes itself: items by what they are, and not by their number."""
    name, _, number = key.partition("[")
    return f"{name}:{ITEMS[int(number.rstrip(']')) - 1]}" if name in REPEATED and number else name


@contextlib.contextmanager
def ground(folder: Path, prepared: Cluster | None) -> Iterator[Ground]:
    """Prepare what is copied. Blocks."""
    forked = context()
    for name, url in (("sqlite", ""), *((("postgresql", prepared.url),) if prepared else ())):
        (folder / name).mkdir(mode=0o711)
        process = forked.Process(target=server.template, args=(folder / name, url), daemon=True)
        process.start()
        process.join(60)
        assert process.exitcode == 0, f"{name} could not be prepared"
    yield Ground(folder, prepared)
