"""One look at one check, within its time, whatever happens.

Whatever a kind does, an observation comes out: its reading judged by the bands, or missing data
with a sentence that says why.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import aiohttp
import structlog

from opsbook import __version__
from opsbook.base.clock import Clock
from opsbook.base.quantities import format_duration
from opsbook.checks.kind import Context, Kind
from opsbook.checks.lent import Lent
from opsbook.checks.model import CannotLook, Observation, Reading
from opsbook.checks.names import Names
from opsbook.checks.plan import Planned
from opsbook.checks.recent import judged
from opsbook.checks.threads import Threads

log = structlog.get_logger("opsbook.checks")


class Looker:
    """What looks share: the threads, the resolver and the HTTP client."""

    def __init__(self, clock: Clock, kinds: Mapping[str, Kind], lent: Lent | None = None) -> None:
        self.clock = clock
        self.kinds = kinds
        self.lent = lent
        self.threads = Threads()
        self.names = Names(clock, self.threads)
        self._http: aiohttp.ClientSession | None = None

    async def look(self, planned: Planned) -> Observation:
        """Look now. `timeout` is in real time: a target does not wait for a wound clock."""
        now, began = self.clock.now(), time.perf_counter()
        context = Context(
            now=now,
            key="/".join(planned.key),
            timeout=planned.check.timeout,
            memory=planned.memory,
            http=self.http,
            names=self.names,
            threads=self.threads,
            target=planned.target,
            bands=planned.check.bands,
            unit=planned.check.unit,
            lent=self.lent,
        )
        seen = await self._reading(planned, context)
        reading = judged(planned.check, seen, planned.recent, now)
        return Observation(
            book=planned.book,
            check_id=planned.check.id,
            at=now,
            state=reading.state or "nodata",
            value=reading.value,
            unit=reading.unit,
            latency_ms=(time.perf_counter() - began) * 1000,
            message=reading.message,
        )

    async def _reading(self, planned: Planned, context: Context) -> Reading:
        check = planned.check
        kind = self.kinds.get(check.kind)
        if planned.fault or kind is None:
            return Reading(message=planned.fault or f"there is no kind {check.kind!r} here")
        limit = asyncio.timeout(check.timeout.total_seconds())
        try:
            async with limit:
                return await kind.observe(planned.spec, context)
        except CannotLook as error:
            return Reading(message=error.message)
        except OSError as error:
            if isinstance(error, TimeoutError) and limit.expired():
                told = f"no answer within {format_duration(check.timeout)}"
                return Reading(message=told, state=kind.silence)
            return Reading(message=f"could not look: {error.strerror or error}")
        except Exception as error:  # a mistake of ours must not stop the other checks
            log.exception("a check's look failed", check=context.key, kind=kind.name)
            return Reading(message=f"the look itself failed: {type(error).__name__}: {error}")

    @property
    def http(self) -> aiohttp.ClientSession:
        """The HTTP client, made at its first use since it belongs to the running loop.

        A new connection each time, nothing remembered between looks, no proxy from the
        environment, the body as it was sent (a small one cannot become a large one).
        """
        if self._http is None or self._http.closed:
            connector = aiohttp.TCPConnector(
                resolver=self.names, use_dns_cache=False, limit=0, force_close=True
            )
            self._http = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                auto_decompress=False,
                headers={"User-Agent": f"opsbook/{__version__}", "Accept-Encoding": "identity"},
            )
        return self._http

    async def close(self) -> None:
        """Close what looks share; a thread that hangs is left to the end of the program."""
        if self._http is not None:
            await self._http.close()
        await self.names.close()
        self.threads.close()
