"""A small HTTP server on loopback that takes messages the way a test tells it to."""

import asyncio
import json
from typing import Any


class Sink:
    """Answers each request by the next word of `plan`, then by the last one for ever.

    ``200``, ``500`` and so on answer; ``hang`` takes the message and says nothing; ``reset`` takes
    it and breaks the connection; ``drip`` answers a byte at a time for ever.
    """

    def __init__(self, *plan: str) -> None:
        self.plan = list(plan) or ["200"]
        self.got: list[dict[str, Any]] = []
        self.arrived = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> "Sink":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for one in list(self._open):
            one.transport.abort()
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def url(self, path: str = "", query: str = "") -> str:
        return f"json://127.0.0.1:{self.port}/{path}" + (f"?{query}" if query else "")

    @property
    def titles(self) -> list[str]:
        return [one["title"] for one in self.got]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.split("content-length:")[1].split("\r\n")[0])
            self.got.append(json.loads(await reader.readexactly(length)))
            self.arrived.set()
            await self._answer(self.plan.pop(0) if len(self.plan) > 1 else self.plan[0], writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, how: str, writer: asyncio.StreamWriter) -> None:
        if how == "hang":
            await asyncio.Event().wait()
        elif how == "reset":
            writer.transport.abort()
        elif how == "drip":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not writer.is_closing():
                writer.write(b".")
                await writer.drain()
                await asyncio.sleep(0.02)
        else:
            writer.write(f"HTTP/1.1 {how} said\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()


class MailSink:
    """A small SMTP server on loopback; `refuse` is what it says to every recipient."""

    def __init__(self, refuse: str = "") -> None:
        self.refuse = refuse
        self.mails: list[str] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "MailSink":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return (
            f"mailto://127.0.0.1:{port}?smtp=127.0.0.1&mode=insecure"
            "&from=opsbook@example.org&to=operator@example.org"
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(line.encode() + b"\r\n")

        say("220 sink")
        try:
            while line := (await reader.readline()).decode():
                word = line[:4].upper().strip()
                if word == "DATA":
                    say("354 go on")
                    self.mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                    say("250 kept")
                elif word == "QUIT":
                    say("221 bye")
                    break
                else:
                    say(self.refuse if self.refuse and word == "RCPT" else "250 fine")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
