"""kill -9 at eight moments of the story, each followed by a plain start: nothing lost or repeated.

The server is a process of its own with the machine's clock; a person answers whatever it asks. The
steps append to a file when they run and the service to another when it starts: the files prove it.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from opsbook.base import places
from tests.notify.sink import Sink
from tests.support import dying_server
from tests.support.servers import free_port
from tests.support.visitor import Visitor
from tests.support.watched import Watched, step_user, write_book

LIMIT = 100.0
SERVER = Path(dying_server.__file__)


@dataclass
class Server:
    """An `opsbook up` that is started again once after it was killed."""

    book: Path
    data: Path
    port: int
    moment: str
    database: str = ""
    process: subprocess.Popen[bytes] | None = None
    link: str = ""
    deaths: int = 0
    killed: list[str] = field(default_factory=list)

    def start(self, moment: str) -> None:
        command = [
            sys.executable, str(SERVER), moment, "up", str(self.book), "--data", str(self.data),
            "--listen", f"127.0.0.1:{self.port}", "-o", "json",
        ]  # fmt: skip
        if self.database:
            command += ["--database", self.database]
        settings = {"OPSBOOK_STEP_USER": step_user(), "PYTHONPATH": str(SERVER.parents[2])}
        told = self.book.parent / f"told-{self.deaths}"
        with told.open("w") as out:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **settings}
            )
        deadline = time.monotonic() + 40
        while not told.read_text().endswith("\n"):
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.02)
        first = told.read_text().splitlines()[0]
        assert first.startswith("{"), told.read_text()
        self.link = json.loads(first)["sign_in_link"] or self.link

    def kill(self, why: str) -> None:
        assert self.process is not None
        if why not in self.killed:
            self.killed.append(why)
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)

    def revive(self) -> None:
        """Start again if it has died, which it may do once."""
        assert self.process is not None
        if self.process.poll() is not None:
            self.deaths += 1
            assert self.deaths == 1, f"died {self.deaths} times"
            self.start("none")

    def ran(self) -> list[str]:
        """Which steps ran: the file lies wherever steps may write for this data folder."""
        file = places.prepare(self.data, places.step_user(step_user())).work / "shop" / "ran"
        return file.read_text().split() if file.exists() else []


@dataclass
class Person:
    """Answers whatever the run asks, as soon as it is asked."""

    visitor: Visitor

    async def look(self) -> dict[str, Any]:
        incidents = await self._get("/api/v1/incidents")
        runs = await self._get("/api/v1/runs/1")
        first = (incidents.get("incidents") or [{}])[0]
        return {
            "incident": first.get("state"),
            "run": runs.get("state"),
            "waits": runs.get("waits"),
        }

    async def answer(self, waits: list[dict[str, Any]]) -> None:
        acts = {"approval": "approve", "person": "confirm"}
        for wait in waits:
            if wait["kind"] == "decision":  # killed between intent and start: nobody can know
                await self.visitor.send("/runs/1", f"/{wait['step']}/decide", choice="retry")
            elif wait["kind"] in acts:
                await self.visitor.send("/runs/1", f"/{wait['step']}/{acts[wait['kind']]}")

    async def _get(self, path: str) -> dict[str, Any]:
        answer = await self.visitor.client.get(path)
        found: dict[str, Any] = answer.json()
        assert answer.status_code in {200, 404}, found
        return found


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with Sink() as sink:
        yield sink


async def live(server: Server, meanwhile: Callable[[Server], None]) -> None:
    """Be the person on duty until the story is over, through one death of the server."""
    server.start(server.moment)
    visitor = Visitor(f"http://127.0.0.1:{server.port}")
    person = Person(visitor)
    deadline = time.monotonic() + LIMIT
    signed_in = False
    found: dict[str, Any] = {}
    trouble = ""
    while True:
        assert time.monotonic() < deadline, (found, trouble, server.deaths, server.ran())
        server.revive()
        try:
            if not signed_in:
                await visitor.sign_in(server.link)
                signed_in = True
            meanwhile(server)
            found = await person.look()
            if (found["incident"], found["run"]) == ("resolved", "succeeded"):
                break
            await person.answer(found["waits"] or [])
        except (httpx.TransportError, AssertionError) as error:  # it is dead, or was asked too late
            trouble = str(error)[:500]
        await asyncio.sleep(0.05)
    await visitor.close()


def mid_diagnosis(server: Server) -> None:
    if "port" in server.ran() and "disk" not in server.ran():
        server.kill("mid-diagnosis")


def mid_repair(server: Server) -> None:
    if "restart" in server.ran():
        server.kill("mid-repair")


def nothing(_server: Server) -> None:
    """Death is in the server itself."""


OUTSIDE = {"mid_diagnosis": mid_diagnosis, "mid_repair": mid_repair}


@pytest.mark.parametrize("moment", [*dying_server.MOMENTS, *OUTSIDE])
@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgresql", marks=pytest.mark.prove)])
async def test_a_server_killed_loses_nothing_and_repeats_no_step(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    watched: Watched,
    sink: Sink,
    moment: str,
    engine: str,
) -> None:
    pause = "sleep 1" if moment in OUTSIDE else ""
    book = write_book(
        tmp_path / "book", watched, every="1s", hold="1s", holds="1s", slow=pause,
        slow_repair=pause, contact=f'"json://127.0.0.1:{sink.port}/"',
    )  # fmt: skip
    url = request.getfixturevalue("postgres_url") if engine == "postgresql" else ""
    server = Server(book, tmp_path / "data", free_port(), moment, url)
    watched.stop()
    try:
        await live(server, OUTSIDE.get(moment, nothing))
        assert server.deaths == 1
        assert server.ran() == ["processes", "port", "disk", "restart"]
        watched.until_up()
        assert watched.starts() == 2
        assert sink.got, "nobody was paged"
        verified = subprocess.run(
            [sys.executable, "-m", "opsbook", "audit", "verify", "-o", "json"],
            env={**os.environ, "OPSBOOK_DATA": str(server.data)},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert json.loads(verified.stdout)["holds"] is True
    finally:
        assert server.process is not None
        server.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(15)
        server.process.kill()
