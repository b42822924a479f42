import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from opsbook.base.clock import WoundClock
from opsbook.base.loops import BURST_S, Loops

START = datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_wound_clock_stops_at_every_moment_somebody_waits_for() -> None:
    clock = WoundClock(START)
    loops = Loops(clock)
    seen: list[int] = []

    async def every_minute(now: datetime) -> datetime:
        seen.append(int((now - START).total_seconds()))
        return now + timedelta(minutes=1)

    loops.add("minutes", every_minute)
    loops.start()
    await loops.wind(timedelta(minutes=3, seconds=30))
    assert seen == [0, 60, 120, 180]
    assert clock.now() == START + timedelta(minutes=3, seconds=30)
    await loops.stop()


async def test_a_loop_that_fails_is_recorded_and_tried_again_with_growing_pauses() -> None:
    clock = WoundClock(START)
    loops = Loops(clock)
    calls: list[datetime] = []

    async def failing(now: datetime) -> None:
        calls.append(now)
        raise RuntimeError("broken")

    loops.add("failing", failing)
    loops.start()
    await loops.settle()
    loop = loops.loops["failing"]
    assert (loop.failures, loop.error) == (1, "RuntimeError: broken")
    await loops.wind(timedelta(seconds=14))
    assert [(call - START).total_seconds() for call in calls] == [0, 2, 6, 14]
    await loops.stop()


async def test_a_deciding_loop_rests_while_another_server_decides() -> None:
    clock = WoundClock(START)
    deciding = False
    loops = Loops(clock, lambda: deciding)
    ran: list[str] = []

    async def decide(now: datetime) -> None:
        ran.append("decided")

    async def watch(now: datetime) -> None:
        ran.append("watched")

    wake = loops.add("decide", decide)
    loops.add("watch", watch, deciding=False)
    loops.start()
    await loops.settle()
    assert ran == ["watched"]
    deciding = True
    wake()
    await loops.settle()
    assert ran == ["watched", "decided"]
    await loops.stop()


class Gathering(WoundClock):
    """A clock under which more comes together while somebody gathers."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__(START)
        self.meanwhile = meanwhile

    async def gather(self) -> None:
        self.meanwhile()


async def test_a_patient_loop_sees_what_comes_together_in_one_look() -> None:
    told: list[str] = []
    looks: list[list[str]] = []

    def meanwhile() -> None:
        told.append("second")
        wake()

    loops = Loops(Gathering(meanwhile))

    async def look(now: datetime) -> None:
        looks.append(list(told))

    wake = loops.add("look", look, patient="always")
    loops.start()
    await loops.settle()
    told.append("first")
    wake()
    await loops.settle()
    assert looks == [[], ["first", "second"]]
    await loops.stop()


async def test_a_loop_that_is_patient_in_bursts_looks_at_once_after_a_rest() -> None:
    gathered: list[str] = []
    loops = Loops(Gathering(lambda: gathered.append("waited")))
    looked = 0

    async def look(now: datetime) -> None:
        nonlocal looked
        looked += 1

    wake = loops.add("look", look, patient="bursts")
    loops.start()
    await loops.settle()
    await asyncio.sleep(BURST_S + 0.02)
    wake()
    await loops.settle()
    assert (looked, gathered) == (2, [])
    wake()
    await loops.settle()
    assert (looked, gathered) == (3, ["waited"])
    await loops.stop()
