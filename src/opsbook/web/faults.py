"""What a refused or failed request looks like: what, which value, what to do, in words.

Programs get their problems from the API's own routes; this is for people. An error raised on
purpose is shown as it was said; a bug is logged with its trace and shown without it, since it may
name anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from opsbook import audit
from opsbook.base.errors import OpsbookError, Refused
from opsbook.web import api, forms, guard, pages, sayings, who
from opsbook.web.errors import SignInNeeded
from opsbook.web.i18n import N_

log = structlog.get_logger("opsbook.web")

TITLES: Final[Mapping[int, str]] = {
    400: N_("This request cannot be read."),
    401: N_("Sign in first."),
    403: N_("You may not do this."),
    404: N_("There is nothing here."),
    405: N_("This is not how this address is used."),
    409: N_("This has changed since you looked."),
    413: N_("That is too large."),
    422: N_("Something in this is not right."),
    429: N_("Too many tries."),
    500: N_("Opsbook failed."),
}
BUG: Final = N_("This is a mistake in Opsbook, and it is written in opsbook.log.")
BUG_REMEDY: Final = N_("Try again; if it stays, report it with the time it happened.")


def install(served: FastAPI) -> None:
    """Let every error of a page be answered by a page."""

    async def on_purpose(request: Request, error: Any) -> Response:
        if error.status >= 500:
            log.error("page failed", path=request.url.path, error=str(error))
        if isinstance(error, Refused) and request.method == "POST":
            await _record(request)
        return await answer(request, error)

    async def by_http(request: Request, error: Any) -> Response:
        where = f"No page has the address {request.url.path[:200]}."
        lost = error.status_code == 404
        remedy = "Check the address, or search for what you want." if lost else ""
        return await told(request, error.status_code, where if lost else "", remedy)

    async def by_form(request: Request, error: Any) -> Response:
        said = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()]
        return await told(request, 404 if request.method == "GET" else 422, "", "", said)

    async def by_bug(request: Request, error: Exception) -> Response:
        log.error("page failed", path=request.url.path, exc_info=error)
        response = await told(request, 500, BUG, BUG_REMEDY)
        response.headers.update(guard.HEADERS)  # this is answered outside of the guard
        return response

    served.add_exception_handler(OpsbookError, on_purpose)
    served.add_exception_handler(HTTPException, by_http)
    served.add_exception_handler(RequestValidationError, by_form)
    served.add_exception_handler(Exception, by_bug)


async def answer(request: Request, error: OpsbookError) -> Response:
    """Answer an error that was raised on purpose."""
    if request.url.path.startswith("/api/"):
        return api.problems.of_error(error)
    kinds = request.headers.get("accept", "*/*")
    wants_page = request.method == "GET" and ("text/html" in kinds or "*/*" in kinds)
    if isinstance(error, SignInNeeded) and wants_page:
        return RedirectResponse(f"/sign-in?next={quote(_path(request))}", 303)
    problems = [str(one) for one in error.details.get("problems", ())]
    return await told(request, error.status, error.message, error.remedy, problems)


async def told(
    request: Request, status: int, message: str, remedy: str, problems: list[str] | None = None
) -> Response:
    """Return the page of a status; in plain text where even the page cannot be made."""
    if request.url.path.startswith("/api/"):
        return api.problems.of_status(status, message or TITLES.get(status, ""), remedy)
    try:
        visit = await who.visitor(request)
        say = visit.speech.say
        values: dict[str, Any] = {
            "status": status,
            "title": say(TITLES.get(status, TITLES[500])),
            "message": sayings.told(visit.speech, message),
            "remedy": sayings.told(visit.speech, remedy),
            "problems": [sayings.told(visit.speech, one) for one in problems or ()],
            "back": forms.local_path(_referrer(request)),
        }
        await pages.read(visit, lambda tx: None)
        return pages.show(visit, "errors/page.html", values, status=status)
    except Exception:  # the last edge: the database may be gone
        log.exception("error page failed", path=request.url.path)
        return PlainTextResponse(f"{status} {message} {remedy}".strip(), status)


async def _record(request: Request) -> None:
    """Put on record what a signed-in visitor was refused; a page that is not shown is no entry.

    Only the route and the numbers in it: a visitor's words belong in no sealed field.
    """
    visit = await who.visitor(request)
    if visit.principal is None:
        return
    actor, asked = visit.principal.actor, getattr(request.scope.get("route"), "path_format", "")
    nouns = ("incident", "run", "account")
    numbered = ((name, request.path_params.get(f"{name}_id")) for name in nouns)
    subject = next((f"{name}:{number}" for name, number in numbered if number), "page")
    data = {"request": f"{request.method} {asked}", "via": "page"}
    await visit.write(
        lambda tx: audit.record(tx, visit.now, actor, "access.refused", subject, data=data)
    )


def _path(request: Request) -> str:
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def _referrer(request: Request) -> str:
    """Return the path the visitor came from, if that was a page of ours."""
    origin, _, path = request.headers.get("referer", "").partition(f"//{request.url.netloc}")
    return path if origin in {"http:", "https:"} else "/"
