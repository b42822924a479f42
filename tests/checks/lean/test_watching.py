"""Sockets behind one watch: the right one is called, and none after it is gone."""

import asyncio
import gc
import socket
import weakref
from pathlib import Path

import pytest
import uvloop

from opsbook.checks.lean import watching


async def test_each_is_called_after_its_own_changes_and_not_once_it_is_gone() -> None:
    watch = watching.of(asyncio.get_running_loop())
    assert watching.of(asyncio.get_running_loop()) is watch
    called: list[str] = []
    pairs = {name: socket.socketpair() for name in ("a", "b")}
    for name, (ours, _) in pairs.items():
        ours.setblocking(False)
        watch.add(ours, lambda name=name: called.append(name))
    await asyncio.sleep(0.01)
    assert sorted(called) == ["a", "b"]  # each has room to write
    called.clear()
    pairs["b"][1].send(b"x")
    await asyncio.sleep(0.01)
    assert called == ["b"]
    for ours, _ in pairs.values():
        watch.remove(ours)
    pairs["a"][1].send(b"x")
    await asyncio.sleep(0.01)
    assert called == ["b"]
    for pair in pairs.values():
        for one in pair:
            one.close()


async def test_one_that_ends_another_leaves_it_uncalled() -> None:
    watch = watching.of(asyncio.get_running_loop())
    pairs = [socket.socketpair() for _ in range(2)]
    called: list[int] = []

    def end_the_other(mine: int) -> None:
        called.append(mine)
        watch.remove(pairs[1 - mine][0])
        pairs[1 - mine][0].close()

    for n, (ours, _) in enumerate(pairs):
        watch.add(ours, lambda n=n: end_the_other(n))
    await asyncio.sleep(0.01)
    assert len(called) == 1
    watch.remove(pairs[called[0]][0])
    for pair in pairs:
        for one in pair:
            one.close()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_watch_goes_with_its_event_loop(run: object) -> None:
    seen: list[weakref.ref[object]] = []

    async def once() -> None:
        seen.append(weakref.ref(watching.of(asyncio.get_running_loop())))

    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    run(once())  # type: ignore[operator]  # the event loops keep a few files themselves
    gc.collect()
    before = open_files()
    for _ in range(5):
        run(once())  # type: ignore[operator]
    gc.collect()
    assert [one() for one in seen] == [None] * 6
    assert open_files() <= before
