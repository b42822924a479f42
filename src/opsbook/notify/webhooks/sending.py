"""One attempt: the request for a delivery, and what its answer means.

Only an answer from 200 to 299 says that it was taken. A redirect is not followed: the signature and
the book's word were given for one address, and a receiver that moved has to be written down anew.
What the receiver says in its answer is not kept, since it may repeat what it was sent.
"""

from __future__ import annotations

import os
import ssl
from datetime import datetime
from http import HTTPStatus
from typing import Final

import aiohttp
from yarl import URL

from opsbook import __version__
from opsbook.base import secrets
from opsbook.book.sections.webhooks import Webhook
from opsbook.notify.errors import Undelivered
from opsbook.notify.webhooks import model, reaching
from opsbook.notify.webhooks.store import Row

SIGNATURE: Final = "Opsbook-Signature"


async def send(hook: Webhook, row: Row, identity: str, now: datetime, timeout: float) -> int:
    """Send one delivery and return the status it was answered with.

    Raises:
        Undelivered: no connection, or it broke; ``unsure`` where it may have arrived.
        OpsbookError: a secret is missing, or the address is none that a hook may lead to.
    """
    url = destination(hook)
    only_loopback = url.scheme == "http"
    rules = {"loopback": hook.loopback, "only_loopback": only_loopback}
    if reaching.is_address(url.host or ""):  # no name, so that nobody would look it up
        reaching.check(url.host or "", **rules)
    head = headers(hook, row, identity, now)
    connector = aiohttp.TCPConnector(
        resolver=reaching.Checked(**rules), use_dns_cache=False, force_close=True
    )
    limit = aiohttp.ClientTimeout(total=timeout)
    sent = _Sent()
    async with aiohttp.ClientSession(
        connector=connector, timeout=limit, trust_env=False, auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(), trace_configs=[sent.trace],
    ) as session:  # fmt: skip
        try:
            answer = await session.post(
                url, data=row["body"].encode(), headers=head, allow_redirects=False
            )
        except (aiohttp.ClientError, OSError) as error:
            raise Undelivered(_why(error, timeout), unsure=sent.begun) from None
        answer.close()
        return answer.status


class _Sent:
    """Notices whether anything of the request can have left: from there on nobody can know."""

    def __init__(self) -> None:
        self.begun = False
        self.trace = aiohttp.TraceConfig()
        self.trace.on_request_headers_sent.append(self._note)

    async def _note(self, *_: object) -> None:
        self.begun = True


def destination(hook: Webhook) -> URL:
    """Return where a hook leads now.

    Raises:
        SecretMissing: the reference leads to nothing.
        Unreachable: what is kept there is no address for a webhook.
    """
    text = hook.url.url if hook.url.url is not None else secrets.resolve(hook.url.secret or "")
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    if url.scheme not in {"https", "http"} or not url.host:
        raise reaching.Unreachable(
            "What the address refers to is no address of the web.",
            remedy=f"Keep one that begins with https:// in {hook.url.secret}.",
        )
    return url


def headers(hook: Webhook, row: Row, identity: str, now: datetime) -> dict[str, str]:
    """Return the headers of one attempt; the book's own go first and cannot replace ours.

    Raises:
        SecretMissing: a reference leads to nothing. Nothing is ever sent unsigned for want of it.
    """
    found = {name: model.looked_up(value) for name, value in hook.headers.items()}
    found |= {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": f"Opsbook/{__version__}",
        "Opsbook-Event": row["event"],
        "Opsbook-Delivery": identity,
        "Opsbook-Attempt": str(row["attempts"]),
    }
    if row["repeated"]:
        found["Opsbook-Possibly-Repeated"] = "true"
    if hook.secret is not None:
        found[SIGNATURE] = model.signature(secrets.resolve(hook.secret), now, row["body"])
    return found


def said(status: int) -> str:
    """Return what an answer is called: ``500 Internal Server Error``."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _why(error: Exception, timeout: float) -> str:
    """Why there was no answer, in words without the address: it may be a secret."""
    match error:
        case TimeoutError():
            return f"No answer within {timeout:g} s."
        case aiohttp.ClientConnectorCertificateError():
            return "Its certificate is not valid."
        case aiohttp.ClientConnectorDNSError():
            return "Its name is not known, or cannot be looked up now."
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return "TLS failed."
        case aiohttp.ClientConnectorError():
            number = error.os_error.errno  # its own words may have the address in them
            return f"No connection: {os.strerror(number).lower() if number else 'it failed'}."
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | ConnectionError():
            return "The connection broke before an answer."
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return "Its answer is no HTTP that could be read."
    return f"It failed with {type(error).__name__}."
