"""``icmp``: does a machine answer echo requests (ping), and how fast, or how many are lost?

The value is the mean time to an answer in ms, or with ``measure: loss`` the share that was lost in
percent. If none is answered that is an outage, whatever is measured. An answer counts if it comes
within `ANSWER_WITHIN` seconds of the last request.

Linux lets a program without privileges send echo requests where ``net.ipv4.ping_group_range`` says
so; else it takes a raw socket and the capability for that. Where neither is there, that is said,
and is missing data.

Source: RFC 792 and RFC 4443; icmp(7).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import socket
import struct
import time
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from opsbook.book.fields import Part, Whole
from opsbook.checks.connect import failed
from opsbook.checks.fields import Host
from opsbook.checks.kind import Context, Kind
from opsbook.checks.model import CannotLook, Reading

ANSWER_WITHIN: Final = 2.0
PAUSE: Final = 0.2
SHARE: Final = 0.9
RANGE: Final = Path("/proc/sys/net/ipv4/ping_group_range")
_TOKEN: Final = 24
_NO_PERMISSION: Final = {errno.EACCES, errno.EPERM}


class Icmp(Part):
    """A machine, and how often it is asked in one look."""

    host: Host
    """The machine, by its name or its address."""
    count: Annotated[Whole, Field(ge=1, le=20)] = 3
    """How many requests are sent in a look."""
    measure: Literal["time", "loss"] = "time"
    """The mean time to an answer, or the share of requests that were not answered."""

    @property
    def value_unit(self) -> str:
        """Milliseconds, or percent."""
        return "ms" if self.measure == "time" else "%"


async def observe(spec: Icmp, context: Context) -> Reading:
    """Send all requests with a pause after each, and wait for what comes back."""
    try:
        family, where = (await context.addresses(spec.host, 0))[0]
        echo = _Echo(family, where)
    except OSError as error:
        return failed(error, spec.host)
    try:
        took = await echo.asked(spec.count, context.timeout.total_seconds())
    except OSError as error:
        return failed(error, spec.host)
    finally:
        echo.close()
    return judged(spec, took)


def judged(spec: Icmp, took: list[float]) -> Reading:
    """Return the reading for the answers that came, each with its time in ms."""
    lost = 100 * (spec.count - len(took)) / spec.count
    told = f"{spec.host} answered {len(took)} of {spec.count} echo requests"
    if not took:
        value = lost if spec.measure == "loss" else None
        return Reading(value, spec.value_unit, told, "critical")
    told += f", in {min(took):.3g} to {max(took):.3g} ms"
    if spec.measure == "loss":
        return Reading(lost, "%", told)
    return Reading(sum(took) / len(took), "ms", told)


class _Echo:
    """A socket for echo requests to one machine.

    An answer is known by what was sent with it: the kernel may change the identifier, and a raw
    socket also hears what others have asked.
    """

    def __init__(self, family: socket.AddressFamily, where: tuple[Any, ...]) -> None:
        """Open it; raises CannotLook where this is not permitted."""
        self._six = family == socket.AF_INET6
        self._token = secrets.token_bytes(_TOKEN)
        self._sent: dict[int, float] = {}
        self._took: dict[int, float] = {}
        self._changed = asyncio.Event()
        self._socket, self._raw = _opened(family)
        try:
            self._socket.setblocking(False)
            self._socket.connect(where)
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        self._socket.close()

    async def asked(self, count: int, patience: float) -> list[float]:
        """Return the times of the answers, in ms; `patience` is the whole look's, in seconds."""
        loop = asyncio.get_running_loop()
        ends = time.perf_counter() + SHARE * patience
        pause = min(PAUSE, SHARE * patience / (2 * count))
        loop.add_reader(self._socket, self._heard)
        try:
            for number in range(count):
                self._send(number)
                if number < count - 1:
                    await asyncio.sleep(pause)
            ends = min(ends, time.perf_counter() + ANSWER_WITHIN)
            while len(self._took) < count and (left := ends - time.perf_counter()) > 0:
                self._changed.clear()
                try:
                    async with asyncio.timeout(left):
                        await self._changed.wait()
                except TimeoutError:
                    break
        finally:
            loop.remove_reader(self._socket)
        return list(self._took.values())

    def _send(self, number: int) -> None:
        self._sent[number] = time.perf_counter()
        packet = request(self._six, os.getpid() & 0xFFFF, number, self._token)
        # What cannot be sent counts as lost; a refusal belongs to a request before.
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            self._socket.send(packet)

    def _heard(self) -> None:
        now = time.perf_counter()
        try:
            packet = self._socket.recv(2048)
        except OSError:  # that the machine cannot be reached shows in that nothing is answered
            return
        number = answered(packet, self._six, self._raw, self._token)
        if number in self._sent and number not in self._took:
            self._took[number] = (now - self._sent[number]) * 1000
            self._changed.set()


def request(six: bool, identifier: int, number: int, token: bytes) -> bytes:
    """Return an echo request; the kernel fills the checksum of IPv6, which covers addresses."""
    kind = 128 if six else 8
    packet = struct.pack("!BBHHH", kind, 0, 0, identifier, number) + token
    return packet if six else packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]


def answered(packet: bytes, six: bool, raw: bool, token: bytes) -> int:
    """Return the number of the request that a packet answers; -1 if it answers none of ours."""
    if raw and not six and packet:
        packet = packet[4 * (packet[0] & 0x0F) :]  # the IP header comes along
    if len(packet) < 8 or packet[0] != (129 if six else 0) or packet[8:] != token:
        return -1
    return int.from_bytes(packet[6:8], "big")


def checksum(packet: bytes) -> int:
    """Return the Internet checksum (RFC 1071) of a packet whose own is zero."""
    total: int = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _opened(family: socket.AddressFamily) -> tuple[socket.socket, bool]:
    """Return a socket, and whether it is a raw one."""
    protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            return socket.socket(family, kind, protocol), kind == socket.SOCK_RAW
        except OSError as error:
            if error.errno not in {*_NO_PERMISSION, errno.EPROTONOSUPPORT}:
                raise
    raise CannotLook(
        "echo requests may not be sent from here: let the sysctl net.ipv4.ping_group_range "
        f"({_range()}) take in the group {os.getegid()}, or give the program CAP_NET_RAW"
    )


def _range() -> str:
    try:
        return f"now {' '.join(RANGE.read_text().split())}"
    except OSError:
        return "not to be read here"


KIND = Kind("icmp", Icmp, observe, silence="critical")
