"""``/ping/…``: where jobs report that they have started, ended or failed, as with Healthchecks.

    /ping/BOOK/CHECK/TOKEN          success
    /ping/BOOK/CHECK/TOKEN/start    a run begins
    /ping/BOOK/CHECK/TOKEN/fail     it has failed
    /ping/BOOK/CHECK/TOKEN/log      something to keep, which changes nothing
    /ping/BOOK/CHECK/TOKEN/STATUS   its exit status, 0 to 255
    /ping/TOKEN…                    the same, for clients that know an id and no path

With GET, HEAD or POST; ``?rid=UUID`` says which run it is; the beginning of a body is kept. Answers
are a word of plain text. Source: https://healthchecks.io/docs/http_api/

The token is in the address, as the form has it, so it must not get into a log: whatever goes wrong
here is answered here, and no error leaves with the address in it. It is compared in a time that
tells nothing. A check without a token takes reports from this machine alone, and not from a
browser, which any page in it could send somewhere.

Who guesses is slowed down by address; who knows the token is never held up by those who guess.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from opsbook.access.limits import Window, network
from opsbook.base.errors import OpsbookError
from opsbook.book import Book
from opsbook.book.library import Library
from opsbook.checks import pings
from opsbook.checks.pings import MOST_BODY, Word

router = APIRouter(include_in_schema=False)
log = structlog.get_logger("opsbook.web")

LONGEST_PATH: Final = 600
LONGEST_SENDER: Final = 200
MOST_WRONG, WRONG_WITHIN = 50, timedelta(minutes=10)
MOST_REPORTS, REPORTS_WITHIN = 120, timedelta(minutes=1)
WORDS: Final[dict[str, Word]] = {"start": "start", "fail": "fail", "log": "log"}
_STATUS: Final = re.compile(r"\d{1,3}")
_FORWARDED: Final = ("x-forwarded-for", "forwarded", "x-real-ip", "via")
_OF_A_BROWSER: Final = ("sec-fetch-site", "origin")


@dataclass
class PingLimits:
    """How often an address may be wrong, and a job may report."""

    wrong: Window = field(default_factory=lambda: Window(MOST_WRONG, WRONG_WITHIN))
    reports: Window = field(default_factory=lambda: Window(MOST_REPORTS, REPORTS_WITHIN))


@dataclass(frozen=True, slots=True)
class Meant:
    """The check that an address names, and what is reported to it."""

    book: str
    check: str
    kind: Word
    exit_status: int | None


class Refusal(Exception):
    """Nothing was kept; carries the status and the sentence of the answer."""

    def __init__(self, status: int, sentence: str, *, guess: bool = False) -> None:
        super().__init__(sentence)
        self.status = status
        self.guess = guess


@router.api_route("/ping/{path:path}", methods=["GET", "HEAD", "POST"])
async def reported(request: Request, path: str) -> Response:
    """Take a report."""
    try:
        return await _taken(request, path)
    except ClientDisconnect:
        return _answer(400, "the body was cut off")
    except OpsbookError as error:
        if error.status >= 500:
            log.error("report not kept", error=type(error).__name__)
        return _answer(error.status, error.message)
    except Exception as error:  # noqa: BLE001  the edge: no address, with its token, leaves here
        log.error("report not kept", error=type(error).__name__)
        return _answer(500, "the report was not kept")


async def _taken(request: Request, rest: str) -> Response:
    kept = request.app.state.kept
    limits: PingLimits = kept.pings
    now: datetime = kept.app.clock.now()
    where = network(request.client.host if request.client is not None else "unknown")
    try:
        meant = await _meant(kept.app.library, request, rest, limits.wrong.wait(where, now))
        run = _run(request.query_params.get("rid"))
        if wait := limits.reports.wait(f"{meant.book}/{meant.check}", now):
            raise Refusal(429, f"more than {MOST_REPORTS} reports a minute; wait {_told(wait)}")
    except Refusal as refusal:
        if refusal.guess:
            limits.wrong.take(where, now)
        return _answer(refusal.status, str(refusal))
    limits.reports.take(f"{meant.book}/{meant.check}", now)
    body = await _body(request)
    sender = " ".join(request.headers.get("user-agent", "").split())[:LONGEST_SENDER]
    await kept.app.database.write(
        lambda tx: pings.record(
            tx, now, meant.book, meant.check, meant.kind, exit_status=meant.exit_status, run=run,
            body=body, sender=sender,
        )
    )  # fmt: skip
    return _answer(200, "OK")


async def _meant(library: Library, request: Request, rest: str, wait: timedelta) -> Meant:
    """Find the check that an address means, and prove that the sender knows it.

    Raises:
        Refusal: there is none, the token is wrong, or the rest is no word of this form.
    """
    parts = rest[:LONGEST_PATH].removesuffix("/").split("/")
    book, check = _named(library, parts)
    if check is None:
        found = await run_in_threadpool(_by_token, library, parts[0])
        if found is None:
            raise _unknown(wait)
        return Meant(found[0].id, found[1].id, *_word(parts[1:]))
    if check.spec.token is None:
        if not _is_near(request):
            raise Refusal(403, "without a token: only from the machine itself", guess=True)
        return Meant(book.id, check.id, *_word(parts[2:]))
    token = await run_in_threadpool(_token, check.spec.token)
    given = parts[2] if len(parts) > 2 else ""
    if token is None or not _same(given, token):
        raise _unknown(wait)
    return Meant(book.id, check.id, *_word(parts[3:]))


def _unknown(wait: timedelta) -> Refusal:
    """The same for a check that is not there and for a wrong token."""
    if wait > timedelta(0):
        return Refusal(429, f"too many wrong addresses; wait {_told(wait)}", guess=True)
    return Refusal(404, "not found", guess=True)


def _named(library: Library, parts: list[str]) -> tuple[Any, Any]:
    if len(parts) < 2:
        return None, None
    for book in library.books():
        check = book.checks.get(parts[1]) if book.id == parts[0] else None
        if check is not None and check.kind == pings.KIND:
            return book, check
    return None, None


def _by_token(library: Library, given: str) -> tuple[Book, Any] | None:
    """The check of a token; every token is compared, so that the time does not tell which fits."""
    found: tuple[Book, Any] | None = None
    for book, check in _with_token(library):
        token = _token(check.spec.token)
        if token is not None and _same(given, token):
            found = found or (book, check)
    return found


def _with_token(library: Library) -> Iterator[tuple[Book, Any]]:
    for book in library.books():
        for check in book.checks.values():
            if check.kind == pings.KIND and getattr(check.spec, "token", None) is not None:
                yield book, check


def _token(reference: str) -> str | None:
    """The token; none where there is no good one, which the check says."""
    try:
        return pings.token(reference)
    except pings.NoToken:
        return None


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), token.encode())


def _word(parts: list[str]) -> tuple[Word, int | None]:
    if not parts:
        return "success", None
    if len(parts) == 1 and parts[0] in WORDS:
        return WORDS[parts[0]], None
    if len(parts) == 1 and _STATUS.fullmatch(parts[0]) and int(parts[0]) <= 255:
        return "exit", int(parts[0])
    raise Refusal(400, "invalid url format: end it with start, fail, log or an exit status")


def _run(rid: str | None) -> str:
    if not rid:
        return ""
    try:
        return str(uuid.UUID(rid))
    except ValueError:
        raise Refusal(400, "invalid uuid format: rid is a UUID") from None


def _is_near(request: Request) -> bool:
    """Whether a program of this machine asks, and no proxy and no browser on its behalf."""
    if any(name in request.headers for name in (*_FORWARDED, *_OF_A_BROWSER)):
        return False
    if request.scope.get("http_version") == "1.0":  # a proxy that adds nothing: see web.doors
        return False
    try:
        return ipaddress.ip_address(request.client.host if request.client else "").is_loopback
    except ValueError:
        return False


async def _body(request: Request) -> str:
    """The beginning of what was sent; the rest is read and dropped, so that it can be sent."""
    kept = bytearray()
    async for part in request.stream():
        kept += part[: MOST_BODY - len(kept)]
    return bytes(kept).decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _told(wait: timedelta) -> str:
    return f"{max(1, round(wait.total_seconds()))} s"


def _answer(status: int, sentence: str) -> Response:
    headers = {"Ping-Body-Limit": str(MOST_BODY)}
    if status == 429:
        headers["Retry-After"] = "60"
    return PlainTextResponse(sentence, status, headers)
