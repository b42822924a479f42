"""Debian's real Alertmanager, a place that hears webhooks, and what was heard there."""

import asyncio
import contextlib
import http.client
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support import servers
from tests.support.servers import free_port, needs

servers.PACKAGES |= {
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
}


@contextlib.contextmanager
def running_alertmanager(configuration: str) -> Iterator[str]:
    """Start one with a configuration, and yield its address; it speaks to no cluster."""
    server = needs("prometheus-alertmanager")
    port = free_port()
    with servers._folder() as folder:
        (folder / "alertmanager.yml").write_text(configuration)
        command = [
            str(server),
            f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ]

        def ready() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            with contextlib.closing(connection):
                connection.request("GET", "/-/ready")
                if connection.getresponse().status != 200:
                    raise OSError("not ready yet")

        with servers._running(command, folder, ready):
            yield f"http://127.0.0.1:{port}"


@dataclass(frozen=True)
class Heard:
    """One webhook: where it came to, when (seconds of a clock that only goes on), and its body."""

    path: str
    at: float
    body: dict[str, Any]


@dataclass
class Ears:
    """Hears webhooks, on a port of its own."""

    port: int = 0
    heard: list[Heard] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    def at(self, path: str) -> list[Heard]:
        """What came to one path, in its order."""
        return [one for one in self.heard if one.path == path]

    async def until(self, count: int, within: float = 20.0) -> None:
        """Wait until so many have been heard."""
        async with asyncio.timeout(within):
            while len(self.heard) < count:
                self.more.clear()
                await self.more.wait()


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[Ears]:
    """Listen for webhooks."""
    ears = Ears()

    async def hear(request: web.Request) -> web.Response:
        ears.heard.append(Heard(request.path, time.monotonic(), await request.json()))
        ears.more.set()
        return web.Response()

    server = web.Application()
    server.router.add_post("/{rest:.*}", hear)
    runner = web.AppRunner(server, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    ears.port = runner.addresses[0][1]
    try:
        yield ears
    finally:
        await runner.cleanup()
