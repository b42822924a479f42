"""CPU per HTTP check, against a bare aiohttp GET of the same page in the same process.

Three things are measured in turn, ROUNDS times, COUNT requests each with AT_ONCE at a time, every
request on a new connection to a small server in a process of its own:

- *bare*: an aiohttp GET that reads the body and does nothing else;
- *look*: one look of the kind ``http``, judged by its bands, not stored;
- *check*: the whole way of a scheduled check: planned, looked, judged, committed to SQLite.

CPU is this process's own (all its threads, user and system), so the server's is not in it. Printed
are medians over the rounds in ms of CPU for each request, and the median of the rounds' ratios.
The later aim of DESIGN §9 is 0.11 ms for the whole check.
"""

from __future__ import annotations

import asyncio
import importlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import uvloop

from opsbook.base.clock import WoundClock
from opsbook.base.database import Database, metadata, sqlite_url
from opsbook.base.loops import Loops
from opsbook.book import Book, Vocabulary, load
from opsbook.book.library import Library
from opsbook.checks import KINDS, Facts, Scheduler, store
from opsbook.checks.looking import Looker
from opsbook.checks.plan import Planned

ROUNDS = 5
COUNT = 500
AT_ONCE = 32
SERVER = """
import asyncio
class Page(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data):
        self.transport.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\n\\r\\nfine")
async def main():
    server = await asyncio.get_running_loop().create_server(Page, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
BOOK = """
id: bench
title: Bench
timezone: UTC
checks:
"""
CHECK = '  c{n}: {{kind: http, title: c{n}, url: "{url}", every: 1m, bands: {{warning: "> 1s"}}}}\n'


async def at_once(request: Callable[[int], Awaitable[object]]) -> None:
    """Make COUNT requests, AT_ONCE at a time."""
    left = iter(range(COUNT))

    async def work() -> None:
        for n in left:
            await request(n)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


async def cpu(work: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds of CPU for each of COUNT requests."""
    begun = time.process_time()
    await work()
    return (time.process_time() - begun) * 1000 / COUNT


async def measure(url: str, book: Book, folder: Path) -> list[tuple[float, float, float]]:
    clock = WoundClock(datetime(2026, 3, 3, tzinfo=UTC))
    for name in ("audit", "alerts", "book", "checks"):
        importlib.import_module(f"opsbook.{name}.tables")
    database = Database(sqlite_url(folder / "bench.db"))
    metadata.create_all(database.engine)
    database.start()
    library = Library(database, Vocabulary({name: kind.model for name, kind in KINDS.items()}))
    library.remember(book)
    loops = Loops(clock)
    facts = Facts(str(folder), url, "127.0.0.1", 0)
    scheduler = Scheduler(database, library, loops, clock, facts, at_most=AT_ONCE)
    looker = Looker(clock, KINDS)
    planned = [Planned.of(book.id, check, facts.by_name()) for check in book.checks.values()]
    bare = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=0))

    async def get(_: int) -> None:
        async with bare.get(url) as response:
            await response.read()

    async def look(n: int) -> None:
        seen = await looker.look(planned[n])
        if seen.state != "ok":
            raise SystemExit(f"the bench's own server did not answer: {seen.message}")

    async def whole() -> None:
        clock.advance(timedelta(minutes=1))
        await loops.settle()

    loops.start()
    await loops.settle()
    clock.advance(timedelta(seconds=10))
    await loops.settle()
    rounds = [
        (await cpu(lambda: at_once(get)), await cpu(lambda: at_once(look)), await cpu(whole))
        for _ in range(ROUNDS + 1)  # the first one warms up
    ]
    expected = COUNT * (ROUNDS + 2)  # and one before the first round
    stored = await database.read(lambda tx: len(store.after(tx, 0, 2 * expected)))
    if stored != expected:
        raise SystemExit(f"{stored} observations were stored instead of {expected}")
    await loops.stop()
    await scheduler.stop()
    await looker.close()
    await bare.close()
    await database.stop()
    return rounds[1:]


def main() -> None:
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/"
        text = BOOK + "".join(CHECK.format(n=n, url=url) for n in range(COUNT))
        kinds = Vocabulary({name: kind.model for name, kind in KINDS.items()})
        book = load({"book.yaml": text}, kinds)
        for name, new_loop in (
            ("asyncio", asyncio.new_event_loop),
            ("uvloop", uvloop.new_event_loop),
        ):
            with (
                tempfile.TemporaryDirectory() as folder,
                asyncio.Runner(loop_factory=new_loop) as run,
            ):
                rounds = run.run(measure(url, book, Path(folder)))
            bare, look, check = (statistics.median(column) for column in zip(*rounds, strict=True))
            over_look = statistics.median(b / a for a, b, _ in rounds)
            over_check = statistics.median(c / a for a, _, c in rounds)
            sys.stdout.write(
                f"{name:8} bare GET  {bare:6.3f} ms CPU\n"
                f"{'':8} look      {look:6.3f} ms CPU   {over_look:5.2f} x bare\n"
                f"{'':8} check     {check:6.3f} ms CPU   {over_check:5.2f} x bare\n"
            )
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main()
