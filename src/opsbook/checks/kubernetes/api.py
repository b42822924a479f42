"""Asking a cluster's API: lists page by page, each object reduced to the fields that matter.

What goes wrong with the API says nothing of what was to be looked at: missing data, each told with
what to do. A server that is too busy (429) is asked again once it says it may be, if there is time.

API conventions: https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
and, for pages, https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final, Generic, Self, TypeVar

import aiohttp
import msgspec
from yarl import URL

from opsbook.checks.asking import body, unreachable
from opsbook.checks.kind import Context
from opsbook.checks.kubernetes.cluster import Cluster
from opsbook.checks.model import CannotLook

PAGE: Final = 500
MOST_PAGES: Final = 100
MOST_BYTES: Final = 64 * 1024 * 1024
WAITED_S: Final = 1.0
"""How long to wait for a server that is too busy and does not say how long."""

Object = TypeVar("Object", bound=msgspec.Struct)


class _Meta(msgspec.Struct):
    more: str = msgspec.field(name="continue", default="")


class _Page(msgspec.Struct, Generic[Object]):
    items: list[Object] | None
    metadata: _Meta = msgspec.field(default_factory=_Meta)


class _Status(msgspec.Struct):
    message: str = ""
    reason: str = ""


_STATUS: Final = msgspec.json.Decoder(_Status)


class NotThere(Exception):
    """The API answers that there is no such thing."""


class _Gone(Exception):
    """The list changed too much while it was read; it begins again."""


class Api:
    """The API of a cluster for one look: ``async with Api(…) as api``.

    Connections are kept for the look, since a long list is many requests, and not beyond.
    """

    def __init__(self, context: Context, cluster: Cluster) -> None:
        self.cluster = cluster
        self._until = time.monotonic() + context.timeout.total_seconds()
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=context.names, use_dns_cache=False, limit=8),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            headers={"Accept": "application/json", **cluster.headers},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def objects(
        self, path: str, kind: type[Object], asked: Mapping[str, str] | None = None
    ) -> list[Object]:
        """Every object of a list.

        Raises:
            CannotLook: the list cannot be had.
        """
        decoder = msgspec.json.Decoder(_Page[kind])  # type: ignore[valid-type]
        try:
            return await self._pages(path, decoder, asked or {})
        except _Gone:
            pass
        except NotThere:
            raise CannotLook(
                f"{self.cluster.where} knows no {path.rpartition('/')[2]}; its version is another"
            ) from None
        try:
            return await self._pages(path, decoder, asked or {})
        except _Gone:
            raise CannotLook("the list changes faster than it can be read") from None

    async def one(self, path: str, kind: type[Object]) -> Object:
        """One object.

        Raises:
            NotThere: there is none.
            CannotLook: it cannot be had.
        """
        return self._decoded(msgspec.json.Decoder(kind), await self._get(path, {}))

    async def _pages(
        self,
        path: str,
        decoder: msgspec.json.Decoder[_Page[Object]],
        asked: Mapping[str, str],
    ) -> list[Object]:
        found: list[Object] = []
        told = {"limit": str(PAGE), **asked}
        for _ in range(MOST_PAGES):
            page = self._decoded(decoder, await self._get(path, told))
            found += page.items or []
            if not page.metadata.more:
                return found
            told["continue"] = page.metadata.more
        raise CannotLook(
            f"there are more than {PAGE * MOST_PAGES:,}; write a namespace or selector"
        )

    def _decoded(self, decoder: msgspec.json.Decoder[Object], answer: bytes) -> Object:
        try:
            return decoder.decode(answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            told = f"{self.cluster.where} does not answer as Kubernetes does"
            raise CannotLook(f"{told}: {str(error)[:100]}") from None

    async def _get(self, path: str, asked: Mapping[str, str]) -> bytes:
        url = URL(self.cluster.url + path).with_query(asked)
        while True:
            try:
                async with self._http.get(
                    url,
                    ssl=self.cluster.tls or True,
                    server_hostname=self.cluster.name,
                    allow_redirects=False,
                ) as response:
                    answer = await body(response, MOST_BYTES)
            except (aiohttp.ClientError, OSError) as error:
                if isinstance(error, TimeoutError):  # the look's own time is up
                    raise
                raise unreachable(error, self.cluster.where) from None
            if response.status == 200:
                return answer
            if response.status != 429:
                raise self._refusal(response.status, answer)
            await self._wait(response.headers.get("Retry-After", ""))

    async def _wait(self, asked: str) -> None:
        pause = float(asked) if asked.isdigit() else WAITED_S
        if time.monotonic() + pause >= self._until:
            raise CannotLook(f"{self.cluster.where} is too busy to answer (429); look less often")
        await asyncio.sleep(pause)

    def _refusal(self, status: int, answer: bytes) -> Exception:
        try:
            told = _STATUS.decode(answer).message
        except (msgspec.DecodeError, UnicodeDecodeError):
            told = ""
        where = self.cluster.where
        match status:
            case 401:
                words = f"{where} does not know us (401 {told or 'Unauthorized'}); "
                return CannotLook(words + "check the token or certificate: it may have expired")
            case 403:
                words = told or f"{where} forbids it (403)"
                return CannotLook(f"{words}; grant it to the account, for reading")
            case 404:
                return NotThere(told)
            case 410:
                return _Gone()
        return CannotLook(f"{where} answers {status} {told}".rstrip())
