"""What every request passes before a page sees it: size, origin, and the headers of the answer.

Plain ASGI, because Starlette's own middleware form would put a task between a live stream and its
client. The order of refusals is cheapest first: a body that is too large, then a browser that says
itself that another site sends this. The token that each form carries is checked where the form is
read (`forms`), since only there is it known whose session it must fit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from opsbook.base.errors import OpsbookError, Refused
from opsbook.web.errors import TooLarge, TooSlow

LARGEST_FORM: Final = 128 * 1024
LARGEST: Final = 1024 * 1024
LARGEST_FILE: Final = 5 * 1024 * 1024
LARGEST_FILES: Final = 4 * LARGEST_FILE + LARGEST_FORM
"""Several files in one form of a page."""
"""Bytes of a request's body: a form of a page, anything else (the API), a file that is attached."""

LONGEST_BODY_S: Final = 120.0
"""How long a request's body may take to arrive; 20 MiB of evidence at 1.4 Mbit/s."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""No inline script or style anywhere, nothing from another host, nobody may frame us."""

HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}


Refuse = Callable[[Request, OpsbookError], Awaitable[Response]]


class Guard:
    """The middleware; `refuse` makes the answer, so that a refusal looks like every other page."""

    def __init__(self, app: ASGIApp, refuse: Refuse) -> None:
        self.app = app
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what must not come in, bound what does, and add headers to what goes out."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = _limit(scope["path"])
        send = _dressed(send, secure=scope.get("scheme") == "https")
        refusal = self._refusal(scope, headers, limit)
        if refusal is not None:
            answer = await self.refuse(Request(scope), refusal)
            await answer(scope, receive, send)
            return
        await self.app(scope, _bounded(receive, limit), send)

    @staticmethod
    def _refusal(scope: Scope, headers: Headers, limit: int) -> OpsbookError | None:
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > limit:
            return too_large(limit)
        if scope["method"] not in SAFE and not same_origin(headers):
            return Refused(
                "This request came from another site.",
                remedy="Open Opsbook in its own tab and try again there.",
            )
        return None


def _limit(path: str) -> int:
    """Return how many bytes a request to an address may have."""
    if path.startswith("/ping/"):  # a job sends what it has printed, and the rest is dropped
        return LARGEST_FILE
    files = path.endswith("/evidence")
    if not path.startswith("/api/"):
        return LARGEST_FILES if files else LARGEST_FORM
    return LARGEST_FILE if files else LARGEST


def too_large(limit: int) -> TooLarge:
    """Return the refusal of a body over ``limit`` bytes."""
    return TooLarge(f"The request is larger than {limit // 1024} KiB.", remedy="Send less at once.")


def same_origin(headers: Headers) -> bool:
    """Tell whether a browser says that the request comes from our own page.

    `Sec-Fetch-Site` is set by the browser and by nothing on a page; older browsers send `Origin`.
    A client that sends neither is no browser, so nobody's cookies are being ridden.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host", "")


def _bounded(receive: Receive, limit: int) -> Receive:
    """Count what really arrives, and for how long: a length can be left out, or lied about.

    Once the body is there, what is still received is only that the client has gone; that may take
    as long as a stream does.
    """
    seen = 0
    whole = False
    until = asyncio.get_running_loop().time() + LONGEST_BODY_S

    async def counted() -> Message:
        nonlocal seen, whole
        try:
            async with asyncio.timeout_at(None if whole else until):
                message = await receive()
        except TimeoutError:
            raise TooSlow from None
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if seen > limit:
                raise too_large(limit)
        return message

    return counted


def _dressed(send: Send, *, secure: bool) -> Send:
    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            if secure:
                headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        await send(message)

    return dressed
