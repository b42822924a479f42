"""What connections may cost before anybody knows who is there.

A head (the line of a request and its headers) is bounded in size and in time, and so are the
connections, in all and of one address. A connection is free only for its sender, here it is one of
the files that this process may open, so whoever keeps some without asking anything would keep
everybody else out, alerts first.

Where there is no more room the newcomer comes in, and whoever has owed the rest of a request for
the longest goes, or has not read its answer; then whoever only rests between two requests. An
honest request is there in a moment. What is being answered, and a stream that is followed, is never
cut off for this; where all are that, the newcomer is told to come again.

uvicorn's protocol has no such bounds, so this is one of its own. It counts bytes of what came and
sets a time for each request; what is done for all together is done once a second.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import math
import resource
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD: Final = 64 * 1024
"""Bytes of a request's line and headers; also of whatever else of a message is no body."""
HEAD_S: Final = 10.0
"""How long a head may take, from the first byte or, before any, from the connection."""
READ_S: Final = 60.0
"""How long nothing of an answer may be read: at 64 KiB that wait, less than a phone manages."""
SWEEP_S: Final = 1.0
MOST: Final = 16_384
"""Connections, however many files there may be."""
FILES: Final = 65_536
"""As many files as are asked for: a program with a million pays for it wherever it closes all."""
KEPT: Final = 1 / 3
"""Of the files, what is kept for the database, checks, runs and logs."""
FEWEST_KEPT, MOST_KEPT = 256, 4096
SHARE: Final = 1 / 4
"""Of the connections, what one address may have. Behind a proxy all people have one."""
SHARE_HERE: Final = 3 / 4
"""The same for this machine, where a proxy is likely."""
GRACE_S: Final = 1.0
"""Nobody makes way who has only just begun."""
AT_ONCE: Final = 16
"""Of how many one makes way at a time, so that not every newcomer looks for one."""
PHRASES: Final = {
    408: b"Request Timeout", 431: b"Request Header Fields Too Large", 503: b"Service Unavailable",
}  # fmt: skip


def most_connections() -> int:
    """Return how many connections there is room for, after asking for as many files as may be.

    The steps of runs do not get them: what starts these was started before.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return room_for(FILES if soft == resource.RLIM_INFINITY else soft)


def room_for(files: int) -> int:
    """Return how many connections a process may have that may open so many files."""
    kept = min(max(int(files * KEPT), FEWEST_KEPT), MOST_KEPT)
    return max(1, min(files - kept, MOST))


class Crowd:
    """All connections of a server; `most` bounds them."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.all: set[Connection] = set()
        self.of: dict[str, int] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def share(self, address: str) -> int:
        """Return how many connections an address may have."""
        return max(1, int(self.most * (SHARE_HERE if _is_here(address) else SHARE)))

    def enter(self, one: Connection) -> bool:
        """Let a connection in; false where nobody could make way for it."""
        address = one.address
        if self.of.get(address, 0) >= self.share(address):
            self._make_way(one, address)
        if len(self.all) >= self.most:
            self._make_way(one)
        if self.of.get(address, 0) >= self.share(address) or len(self.all) >= self.most:
            return False
        self.all.add(one)
        self.of[address] = self.of.get(address, 0) + 1
        if self._sweep is None:
            self._sweep = one.loop.call_later(SWEEP_S, self._look, one.loop)
        return True

    def leave(self, one: Connection) -> None:
        """Forget a connection; a second time does nothing."""
        if one not in self.all:
            return
        self.all.remove(one)
        self.of[one.address] -= 1
        if not self.of[one.address]:
            del self.of[one.address]
        if not self.all and self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def _make_way(self, newcomer: Connection, address: str = "") -> None:
        """Cut off some of those that can be, of one address or of all."""
        before = newcomer.loop.time() - GRACE_S
        found = [
            (at, n, one)
            for n, one in enumerate(self.all)
            if (not address or one.address == address) and (at := one.dispensable(before))
        ]
        most = self.share(address) if address else self.most
        for _, _, one in sorted(found)[: max(1, most // AT_ONCE)]:
            self.leave(one)
            one.cut()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        stuck = now - READ_S
        for one in [one for one in self.all if one.until < now or one.stuck < stuck]:
            one.give_up()
        self._sweep = loop.call_later(SWEEP_S, self._look, loop) if self.all else None


class Connection(HttpToolsProtocol):
    """One connection.

    `owes` is since when the rest of a request has been missing, `until` how long it is waited for
    here, `stuck` since when an answer is not read; infinite where that is not so. While a body
    comes in, whoever reads it does the waiting.
    """

    def __init__(self, crowd: Crowd, **given: Any) -> None:
        super().__init__(**given)
        self.crowd = crowd
        self.address = ""
        self.owes = math.inf
        self.until = math.inf
        self.stuck = math.inf
        self.url = b""
        self.in_head = False
        self.heads = 0
        self.unseen = 0
        self.refused = 0

    # ---- a connection -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let it in, or say that there is no room."""
        super().connection_made(transport)
        self.address = address_of(self.client[0] if self.client else "")
        if self.crowd.enter(self):
            self._wait()
        else:
            self._refuse(503, b"retry-after: 5\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self.crowd.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, as far as the head is not too large."""
        if self.refused:
            return
        self.unseen += len(data)
        super().data_received(data)
        if self.unseen > LARGEST_HEAD and not self.refused:
            self._refuse(431)
        elif self.until == math.inf and self.cycle is not None and self.cycle.response_complete:
            self._wait()  # more after an answer, although no request has begun

    def cut(self) -> None:
        """End it at once, to make way."""
        self.refused = 503
        self._unset_keepalive_if_required()
        self.transport.abort()

    def give_up(self) -> None:
        """End it, since what was waited for has not come.

        A sender that reads nothing keeps what was closed from being so; the second time it is cut.
        """
        if self.stuck != math.inf or self.transport.is_closing():
            self.cut()
        else:
            self._refuse(408)

    def dispensable(self, before: float) -> float:
        """Return since when it is, the longest first; 0 where it is not."""
        since = min(self.owes, self.stuck)
        if since < before:
            return since
        return since if since == math.inf and self.timeout_keep_alive_task is not None else 0.0

    def pause_writing(self) -> None:
        """The sender does not read what it is answered."""
        self.stuck = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The sender reads."""
        self.stuck = math.inf
        super().resume_writing()

    # ---- a request --------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin to count, and to wait for the head."""
        super().on_message_begin()
        self.heads = 0
        self.in_head = True
        self._wait()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count what a header takes up; behind a body in parts there may be more of them."""
        self.heads += len(name) + len(value)
        if self.heads > LARGEST_HEAD:
            raise TooLarge
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there: whoever is asked waits for the rest."""
        if self.heads + len(self.url) > LARGEST_HEAD:
            raise TooLarge
        self.unseen = 0
        self.in_head = False
        self.until = math.inf
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body is there."""
        self.unseen = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The whole request is there."""
        self.unseen = 0
        self.owes = math.inf
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Whoever was answered before the body was there has as long for it as for a head."""
        super().on_response_complete()
        if self.owes != math.inf and self.until == math.inf:
            self.until = self.loop.time() + HEAD_S

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or too much of it."""
        if self.heads + len(self.url) > LARGEST_HEAD:
            self._refuse(431)
        elif not self.refused:
            super().send_400_response(msg)

    def _wait(self) -> None:
        self.owes = self.loop.time()
        self.until = self.owes + HEAD_S

    def _refuse(self, status: int, more: bytes = b"") -> None:
        """Answer without anybody having been asked, and hang up.

        Not where something is being answered already: what comes in between would be read as a part
        of that. Nor where nothing was asked.
        """
        self.refused = status
        self.until = self.loop.time() + HEAD_S
        asked = self.in_head or status != 408
        if asked and (self.cycle is None or self.cycle.response_complete):
            line = b"HTTP/1.1 %d %s\r\n" % (status, PHRASES[status])
            self.transport.write(line + more + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()


class TooLarge(Exception):
    """A head is larger than it may be; llhttp hands it on as its own error."""


def protocol(crowd: Crowd) -> Any:
    """Return what uvicorn makes a connection with."""
    return functools.partial(Connection, crowd)


@functools.lru_cache(maxsize=4096)
def address_of(host: str) -> str:
    """Return what counts as one sender: an IPv4 address, or an IPv6 network of one connection.

    Whoever has one IPv6 address has 2⁶⁴ of them.
    """
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        if not ip.is_loopback:
            return str(ipaddress.ip_network((ip, 64), strict=False).network_address)
    return str(ip)


@functools.lru_cache(maxsize=4096)
def _is_here(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
