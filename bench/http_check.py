"""CPU per HTTP check, against Prometheus' blackbox exporter asking for the same page.

Measured in turn, ROUNDS times, COUNT checks each with AT_ONCE at a time, every one on a new
connection to a small server in a process of its own:

- *blackbox*: a probe of the blackbox exporter with its module ``http_2xx``, asked for as Prometheus
  asks for it, over connections that are kept; the CPU is the exporter's own;
- *look*: one look of the kind ``http``, judged by its bands, not stored;
- *check*: the whole way of a scheduled check: planned, looked, judged, committed to SQLite.

CPU is that of the whole process (all its threads, user and system), so the page's server is not in
it. Printed are medians over the rounds in ms of CPU for each check, and the median of the rounds'
ratios. The aim of DESIGN §9 is 0.11 ms for the whole check, a tenth of the exporter's. Without the
exporter (Debian: prometheus-blackbox-exporter), the numbers stand alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
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
EXPORTER = "prometheus-blackbox-exporter"
TICKS = os.sysconf("SC_CLK_TCK")
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
MODULE = """
modules:
  http_2xx: {prober: http, http: {preferred_ip_protocol: ip4}}
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


async def cpu(work: Callable[[], Awaitable[object]], of: Callable[[], float]) -> float:
    """Milliseconds of CPU, as `of` tells its seconds, for each of COUNT requests."""
    begun = of()
    await work()
    return (of() - begun) * 1000 / COUNT


def spent_by(pid: int) -> float:
    """Seconds of CPU that another process has spent."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextlib.contextmanager
def exporter(folder: Path) -> Iterator[tuple[int, str] | None]:
    """A running blackbox exporter: its process, and where it is asked; None without one."""
    program = shutil.which(EXPORTER)
    if program is None:
        sys.stderr.write(f"{EXPORTER} is not installed: measured without it.\n")
        yield None
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{probe.getsockname()[1]}"
    config = folder / "blackbox.yml"
    config.write_text(MODULE)
    command = [program, f"--config.file={config}", f"--web.listen-address={where}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                host, port = where.split(":")
                socket.create_connection((host, int(port)), timeout=1).close()
                break
            time.sleep(0.02)
        yield process.pid, f"http://{where}/probe"
    finally:
        process.terminate()
        process.wait(10)


async def peer(url: str, pid: int, where: str) -> float:
    """Milliseconds of the exporter's CPU for each probe."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def probe(_: int) -> None:
            asked = {"target": url, "module": "http_2xx"}
            async with session.get(where, params=asked) as response:
                if "probe_success 1" not in await response.text():
                    raise SystemExit("the blackbox exporter did not reach the bench's own server")

        return await cpu(lambda: at_once(probe), lambda: spent_by(pid))


async def measure(
    url: str, book: Book, folder: Path, blackbox: tuple[int, str] | None
) -> list[tuple[float, float, float]]:
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
        (
            await peer(url, *blackbox) if blackbox else 0.0,
            await cpu(lambda: at_once(look), time.process_time),
            await cpu(whole, time.process_time),
        )
        for _ in range(ROUNDS + 1)  # the first one warms up
    ]
    expected = COUNT * (ROUNDS + 2)  # and one before the first round
    stored = await database.read(lambda tx: len(store.after(tx, 0, 2 * expected)))
    if stored != expected:
        raise SystemExit(f"{stored} observations were stored instead of {expected}")
    await loops.stop()
    await scheduler.stop()
    await looker.close()
    await database.stop()
    return rounds[1:]


def told(name: str, rounds: list[tuple[float, float, float]]) -> str:
    """What the rounds of one event loop came to."""
    lines = []
    for column, what in enumerate(("blackbox", "look", "check")):
        spent = statistics.median(one[column] for one in rounds)
        line = f"{name if not column else '':8} {what:9} {spent:6.3f} ms CPU"
        if column and rounds[0][0]:
            share = statistics.median(one[column] / one[0] for one in rounds)
            line += f"   {share:5.3f} x blackbox"
        lines.append(line)
    return "\n".join(lines) + "\n"


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
                exporter(Path(folder)) as blackbox,
                asyncio.Runner(loop_factory=new_loop) as run,
            ):
                rounds = run.run(measure(url, book, Path(folder), blackbox))
            sys.stdout.write(told(name, rounds))
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main()
