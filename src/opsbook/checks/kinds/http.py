"""``http``: does a web address answer as it should, and how fast?

The value is the time from asking to the last byte of the answer in ms: name, connection, TLS and
body together, since that is what a visitor waits for. Every look opens a new connection; one kept
open would go on working after the server has stopped taking new ones.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import aiohttp
from pydantic import Field
from yarl import URL

from opsbook.book.fields import Part
from opsbook.checks.connect import failed, place
from opsbook.checks.fields import Statuses, WebAddress
from opsbook.checks.kind import Context, Kind
from opsbook.checks.model import Reading

if TYPE_CHECKING:
    from opsbook.book.fields import State

MOST_BODY = 1024 * 1024
MOST_REDIRECTS = 5


class Http(Part):
    """What to ask and what to expect.

    `status` is one or a list; none stands for any of 200 to 299. `contains` is a text that must be
    in the first MiB of the body. A redirect is an answer like any other unless `follow_redirects`.
    `verify: false` accepts any certificate, and is then blind to one that has expired.
    """

    url: WebAddress
    status: Statuses = ()
    contains: str | None = Field(default=None, min_length=1, max_length=1000)
    verify: bool = True
    follow_redirects: bool = False

    @property
    def value_unit(self) -> str:
        """Milliseconds."""
        return "ms"


async def observe(spec: Http, context: Context) -> Reading:
    """Ask, read the answer up to `MOST_BODY`, and say what came back."""
    url = URL(spec.url)
    began = time.perf_counter()
    try:
        async with context.http.get(
            url,
            ssl=spec.verify,
            allow_redirects=spec.follow_redirects,
            max_redirects=MOST_REDIRECTS,
        ) as response:
            body, whole = await _body(response)
    except (aiohttp.ClientError, OSError) as error:
        return _failed(error, place(url.host or "", url.port or ""))
    took = (time.perf_counter() - began) * 1000
    fault = _fault(spec, response, body, whole)
    if fault:
        return Reading(took, "ms", fault, "critical")
    return Reading(took, "ms", _said(response))


async def _body(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """Return the body, and whether that was all of it."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MOST_BODY:
            response.close()
            return bytes(body[:MOST_BODY]), False
    return bytes(body), True


def _fault(spec: Http, response: aiohttp.ClientResponse, body: bytes, whole: bool) -> str:
    status = response.status
    if status not in spec.status if spec.status else not 200 <= status <= 299:
        wanted = ", ".join(map(str, spec.status)) or "200 to 299"
        return f"{_said(response)}; expected {wanted}"
    if spec.contains is not None and spec.contains not in _decoded(response, body):
        where = "the body" if whole else "the first MiB of the body"
        return f"{_said(response)}; {where} does not contain {spec.contains[:80]!r}"
    return ""


def _decoded(response: aiohttp.ClientResponse, body: bytes) -> str:
    try:
        return body.decode(response.charset or "utf-8", "replace")
    except LookupError:  # a charset nobody knows
        return body.decode("utf-8", "replace")


def _said(response: aiohttp.ClientResponse) -> str:
    said = f"{response.status} {response.reason or ''}".rstrip()
    target = response.headers.get("Location")
    if target and 300 <= response.status <= 399:
        return f"{said}, a redirect to {_without_secrets(target)}"
    return said


def _without_secrets(target: str) -> str:
    """A redirect's target without what may be a session or a password in it."""
    try:
        return str(URL(target).with_user(None).with_query(None).with_fragment(None))
    except ValueError:
        return target.split("?", maxsplit=1)[0]


def _failed(error: Exception, where: str) -> Reading:
    state: State = "critical"
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return failed(error.certificate_error, where)
        case aiohttp.ClientConnectorError():  # DNS and TLS among them
            return failed(error.os_error, where)
        case aiohttp.ServerDisconnectedError():
            told = f"{where} closed the connection without an answer"
        case aiohttp.TooManyRedirects():
            told = f"{where} redirects more than {MOST_REDIRECTS} times"
        case aiohttp.InvalidURL():
            told = f"{where} redirects to something that is no web address"
        case aiohttp.ClientPayloadError():
            told = f"{where} broke off in the middle of its answer"
        case aiohttp.ClientResponseError():
            told = f"{where} does not speak HTTP: {error.message}"
        case _:
            return failed(error, where)
    return Reading(message=told, state=state)


KIND = Kind("http", Http, observe, silence="critical")
