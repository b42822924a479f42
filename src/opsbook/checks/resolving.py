"""Asking DNS over the network: a resolver for one look, and servers that are taken at their word.

Apart from the kind ``dns`` because of what it brings: the library's ways to ask take a fifth of a
second to import, and are imported at the first look.
"""

from __future__ import annotations

from typing import Any

import dns.asyncquery
import dns.asyncresolver
import dns.message
import dns.nameserver
from dns.resolver import NXDOMAIN, LifetimeTimeout, NoNameservers, NoResolverConfiguration

from opsbook.checks.kind import Context
from opsbook.checks.model import CannotLook

__all__ = ["NXDOMAIN", "LifetimeTimeout", "NoNameservers", "resolver"]


async def resolver(server: str | None, port: int, context: Context) -> dns.asyncresolver.Resolver:
    """Return a resolver for one look: none remembers an answer.

    Raises:
        CannotLook: the machine has no resolvers.
        OSError: the server's own name is not known.
    """
    if server is None:
        try:
            found = await context.blocking(lambda: dns.asyncresolver.Resolver(configure=True))
        except NoResolverConfiguration:
            raise CannotLook("this machine names no resolvers in /etc/resolv.conf") from None
        found.nameservers = [
            _Server(one, found.port) if isinstance(one, str) else one for one in found.nameservers
        ]
        return found
    made = dns.asyncresolver.Resolver(configure=False)
    addresses = await context.addresses(server, port)
    made.nameservers = [
        _Server(str(address), port) for address in dict.fromkeys(where[0] for _, where in addresses)
    ]
    return made


class _Server(dns.nameserver.Do53Nameserver):
    """A server whose first packet is its answer, readable or not."""

    async def async_query(
        self, request: dns.message.QueryMessage, timeout: float, source: str | None,
        source_port: int, max_size: bool, backend: Any, one_rr_per_rrset: bool = False,
        ignore_trailing: bool = False,
    ) -> dns.message.Message:  # fmt: skip
        ask: Any = dns.asyncquery.tcp if max_size else dns.asyncquery.udp
        how = {} if max_size else {"raise_on_truncation": True, "ignore_unexpected": True}
        found: dns.message.Message = await ask(
            request, self.address, timeout=timeout, port=self.port, source=source,
            source_port=source_port, backend=backend, one_rr_per_rrset=one_rr_per_rrset,
            ignore_trailing=ignore_trailing, **how,
        )  # fmt: skip
        return found
