"""Requests of ours to addresses that a book or a stranger names: short, small, and never inward.

The rules are those of webhooks (`opsbook.notify.webhooks.reaching`): each address that a name
stands for is judged, and the connection goes to one that passed; redirects are not followed. Names
are looked up on threads of their own, so that a resolver that hangs holds up nothing else.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from opsbook import __version__
from opsbook.base.clock import Clock
from opsbook.base.errors import OpsbookError
from opsbook.checks.model import CannotLook
from opsbook.checks.names import Names
from opsbook.checks.threads import Threads
from opsbook.notify.webhooks import reaching

TIMEOUT_S: Final = 5.0
LARGEST: Final = 64 * 1024
MOST_THREADS: Final = 16


class Unreached(OpsbookError):
    """There was no answer."""


class Outward:
    """Asks the outside. One for a server: its look-ups that hang are counted together."""

    def __init__(self, clock: Clock) -> None:
        self.names = Names(clock, Threads(MOST_THREADS))

    async def close(self) -> None:
        """Wait for no look-up any longer."""
        await self.names.close()

    async def ask(
        self, address: str, *, loopback: bool = False, timeout: float = TIMEOUT_S,
        keep: bool = True,
    ) -> tuple[int, bytes]:  # fmt: skip
        """Return the status and, unless not kept, the body that a GET is answered with.

        Raises:
            Unreached: no answer in time, one that is too large, or no place to go to. The words
                never hold the address: it may be a secret.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._ask(address, loopback=loopback, keep=keep)
        except TimeoutError:
            raise Unreached(f"No answer within {timeout:g} s.") from None
        except CannotLook as error:
            raise Unreached(str(error)) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unreached(_why(error)) from None

    async def _ask(self, address: str, *, loopback: bool, keep: bool) -> tuple[int, bytes]:
        url = URL(address)
        if url.scheme not in {"http", "https"} or not url.host:
            raise Unreached("This is no address of the web.")
        rules = _Rules(loopback, only_loopback=url.scheme == "http")
        if reaching.is_address(url.host):
            rules.check(url.host)
        connector = aiohttp.TCPConnector(
            resolver=_Judged(self.names, rules), use_dns_cache=False, force_close=True
        )
        async with (
            aiohttp.ClientSession(
                connector=connector, trust_env=False, cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"Opsbook/{__version__}"},
            ) as session,
            session.get(url, allow_redirects=False) as answer,
        ):  # fmt: skip
            return answer.status, await _body(answer) if keep else b""


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for part in answer.content.iter_any():
        body += part
        if len(body) > LARGEST:
            raise Unreached(f"The answer is larger than {LARGEST // 1024} KiB.")
    return body


@dataclass(frozen=True, slots=True)
class _Rules:
    """Where a request may go: to this machine only if meant, in plain http nowhere else."""

    loopback: bool
    only_loopback: bool

    def check(self, address: str) -> None:
        """Let pass an address that may be gone to; raises Unreached."""
        kind = reaching.judged(address)
        if kind == "refused":
            raise Unreached(f"It leads to {address}, which stands for no machine of its own.")
        if kind == "loopback" and not self.loopback:
            raise Unreached(
                f"It leads to the machine that Opsbook runs on ({address}).",
                remedy="Write loopback: true if that is meant.",
            )
        if kind != "loopback" and self.only_loopback:
            raise Unreached("Plain http:// is for this machine alone.", remedy="Write https://.")


class _Judged(AbstractResolver):
    """Looks names up, and gives only addresses that may be gone to."""

    def __init__(self, names: Names, rules: _Rules) -> None:
        self.names = names
        self.rules = rules

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name that pass; raises Unreached if none does."""
        passed: list[ResolveResult] = []
        refusal: Unreached | None = None
        for one in await self.names.resolve(host, port, family):
            try:
                self.rules.check(one["host"])
                passed.append(one)
            except Unreached as error:
                refusal = error
        if not passed:
            raise refusal or OSError("the name stands for no address")
        return passed

    async def close(self) -> None:
        """The names are everybody's."""


def _why(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return "Its certificate is not valid."
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            return "Its name is not known, or cannot be looked up now."
        case aiohttp.ClientSSLError():
            return "TLS failed."
        case aiohttp.ClientConnectorError():
            return "There was no connection."
        case aiohttp.ServerDisconnectedError() | ConnectionError():
            return "The connection broke before an answer."
        case ValueError():
            return "This is no address of the web."
    return f"It failed with {type(error).__name__}."
