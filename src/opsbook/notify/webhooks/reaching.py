"""Where a webhook may lead: names are looked up here, and what was checked is what is connected to.

A book's author decides the address, and the server connects, with its own place in the network. So
three kinds of address are no place for a webhook: this machine (unless the book says that it is
meant), what is link-local (the address that hands out a cloud machine's credentials is one), and
what is no single machine at all. Private networks are allowed: that is where a team's own receivers
are.

A name is looked up once for an attempt, each of its addresses is judged, and the connection is made
to one of those that passed: whoever answers for the name cannot give another answer in between.
Each look-up has a thread of its own, since the event loop's few are soon all waiting for servers of
names that do not answer.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from opsbook.base.errors import Invalid
from opsbook.notify import threads

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA: Final = frozenset(
    map(ipaddress.ip_address, ("100.100.100.200", "168.63.129.16", "fd00:ec2::254"))
)
"""Where clouds tell a machine its own secrets, apart from 169.254.169.254, which is link-local."""

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class Unreachable(Invalid):
    """A webhook may not lead there."""


def is_address(host: str) -> bool:
    """Whether a host is written as an address and not as a name."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=1024)
def judged(address: str) -> str:
    """Return what an address is: ``loopback``, ``refused`` or ``fine``.

    An IPv4 address written as an IPv6 one (mapped, 6to4, Teredo, NAT64) is what it carries.
    """
    try:
        ip: Ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "refused"
    carried = _carried(ip)
    if carried is not None:
        return judged(str(carried))
    if ip.is_loopback:
        return "loopback"
    nowhere = ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved
    this_network = ip.version == 4 and int(ip) >> 24 == 0  # 0.0.0.0/8 is this machine on Linux
    return "refused" if nowhere or this_network or ip in METADATA else "fine"


def _carried(ip: Ip) -> ipaddress.IPv4Address | None:
    if isinstance(ip, ipaddress.IPv4Address):
        return None
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    teredo = ip.teredo
    return ip.ipv4_mapped or ip.sixtofour or (teredo[1] if teredo else None)


def check(address: str, *, loopback: bool, only_loopback: bool) -> None:
    """Let pass an address that a hook may lead to.

    ``loopback`` is what the book says of the hook; ``only_loopback`` is for plain http.

    Raises:
        Unreachable: with the address, unless it is one that nobody wrote down.
    """
    kind = judged(address)
    if kind == "refused":
        raise Unreachable(
            f"A webhook may not lead to {address}.",
            remedy="It is link-local or stands for no single machine; give the receiver's own.",
        )
    if kind == "loopback" and not loopback:
        raise Unreachable(
            f"This webhook leads to the machine that Opsbook runs on ({address}).",
            remedy="Write loopback: true if that is meant.",
        )
    if kind != "loopback" and only_loopback:
        raise Unreachable(
            "Plain http:// is for this machine alone.", remedy="Write https:// in the address."
        )


class Checked(AbstractResolver):
    """Looks names up for one hook, and gives only addresses that it may lead to."""

    def __init__(self, *, loopback: bool, only_loopback: bool) -> None:
        self.loopback = loopback
        self.only_loopback = only_loopback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name that pass.

        Raises:
            Unreachable: there are addresses, and none of them passes.
            OSError: the name cannot be looked up.
        """
        found = await threads.alone(
            lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        )
        passed: list[ResolveResult] = []
        refusal: Unreachable | None = None
        for kind, _, protocol, _, place in found:
            address = str(place[0])
            try:
                check(address, loopback=self.loopback, only_loopback=self.only_loopback)
            except Unreachable as error:
                refusal = error
                continue
            passed.append(
                ResolveResult(
                    hostname=host, host=address, port=port, family=kind, proto=protocol,
                    flags=socket.AI_NUMERICHOST,
                )
            )  # fmt: skip
        if not passed:
            raise refusal or OSError(f"{host} stands for no address")
        return passed

    async def close(self) -> None:
        """Nothing is held open."""
