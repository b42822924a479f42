import asyncio
import socket
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from opsbook.base.clock import WoundClock
from opsbook.checks.names import Names
from opsbook.checks.threads import StillHanging, Threads, TooManyThreads


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that a thread does; the test's own timeout is the limit."""
    while not holds():
        await asyncio.sleep(0.001)


async def abandon(threads: Threads, key: str, now: datetime, release: threading.Event) -> None:
    task = asyncio.create_task(threads.run(key, now, release.wait))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_result_and_an_error_come_back_from_the_thread(now: datetime) -> None:
    threads = Threads()
    assert await threads.run("a", now, lambda: 7) == 7
    with pytest.raises(FileNotFoundError):
        await threads.run("a", now, Path("/no/such/file").read_bytes)
    assert await threads.run("a", now, threading.get_ident) != threading.get_ident()
    threads.close()


async def test_what_hangs_is_not_started_again_until_it_has_come_back(now: datetime) -> None:
    threads, release = Threads(), threading.Event()
    await abandon(threads, "dead mount", now, release)
    assert threads.hanging() == {"dead mount": now}
    with pytest.raises(StillHanging, match="since 2026-03-03 09:00:00 UTC"):
        await threads.run("dead mount", now, lambda: 1)
    assert await threads.run("other", now, lambda: 2) == 2
    release.set()
    await until(lambda: not threads.hanging())
    assert await threads.run("dead mount", now, lambda: 3) == 3
    threads.close()


async def test_there_is_an_end_to_how_many_threads_may_hang(now: datetime) -> None:
    threads, release = Threads(most=2), threading.Event()
    await abandon(threads, "a", now, release)
    await abandon(threads, "b", now, release)
    with pytest.raises(TooManyThreads):
        await threads.run("c", now, lambda: 1)
    release.set()
    await until(lambda: threads.busy == 0)
    assert await threads.run("c", now, lambda: 1) == 1
    threads.close()


async def test_an_address_needs_no_look_up_and_a_name_gets_one(now: datetime) -> None:
    threads = Threads(most=0)
    names = Names(WoundClock(now), threads)
    assert await names.addresses("127.0.0.1", 80) == [(socket.AF_INET, ("127.0.0.1", 80))]
    with pytest.raises(TooManyThreads):
        await names.addresses("localhost", 80)
    threads.most = 1
    assert ("127.0.0.1", 80) in [place[:2] for _, place in await names.addresses("localhost", 80)]
    threads.close()


async def test_a_resolver_that_hangs_is_asked_once_and_delays_no_other_name(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, release = Threads(), threading.Event()
    names = Names(WoundClock(now), threads)
    asked: list[str] = []
    real = socket.getaddrinfo

    def slow(host: str, port: int, *, type: int, flags: int) -> object:
        if host == "stuck.example" and not flags:
            asked.append(host)
            release.wait()
            host = "127.0.0.2"
        return real(host, port, type=type, flags=flags)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    first = asyncio.create_task(names.addresses("stuck.example", 80))
    second = asyncio.create_task(names.addresses("stuck.example", 443))
    assert await names.addresses("localhost", 1)
    first.cancel()  # its check ran out of time; the question stays asked
    monkeypatch.setattr("opsbook.checks.names.PATIENCE_S", -1.0)
    with pytest.raises(StillHanging, match=r"stuck\.example has been looked up since 09:00:00"):
        await names.addresses("stuck.example", 80)
    release.set()
    assert await second == [(socket.AF_INET, ("127.0.0.2", 443))]
    assert asked == ["stuck.example"]
    threads.close()
