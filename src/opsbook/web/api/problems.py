"""Every failure as one JSON shape: RFC 9457, with the remedy and all field problems at once.

The routes catch their own errors (a route class), because the pages around the API answer theirs
in HTML. What a bug raises is written to the log and told without its text: it may name anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Iterable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from opsbook.base.errors import Invalid, OpsbookError, Refused
from opsbook.web.api import callers
from opsbook.web.api.models import FieldProblem, Problem

MEDIA_TYPE = "application/problem+json"
TYPES = {
    400: "bad-request", 401: "not-signed-in", 403: "refused", 404: "not-found",
    405: "method-not-allowed",
    429: "too-many-requests", 409: "conflict", 413: "too-large", 422: "invalid", 500: "failed",
}  # fmt: skip
NAMED = re.compile(r"parameter (\S+): (.+)", re.DOTALL)
TYPE_BASE = "urn:opsbook:problem:"
log = structlog.get_logger("opsbook.api")


class ProblemRoute(APIRoute):
    """A route whose errors leave as problems, and whose refusals are on record."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler that FastAPI made."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except Refused as error:
                if not error.details.get("recorded"):
                    await callers.record_refusal(request)
                return of_error(error)
            except OpsbookError as error:
                if error.status >= 500:
                    log.exception("api request failed", path=request.url.path)
                return of_error(error)
            except RequestValidationError as error:
                return of_fields(error.errors())
            except HTTPException as error:
                if error.status_code == HTTPStatus.BAD_REQUEST:  # of bytes that are no text
                    told = "The body cannot be read: it is no JSON in UTF-8."
                    return of_status(422, told, "Send it as application/json.")
                return of_status(error.status_code, str(error.detail), headers=error.headers)
            except Exception:  # the edge of a request: record, answer, go on
                log.exception("api request failed", path=request.url.path)
                remedy = "This is a bug in Opsbook; opsbook.log in its data folder has the trace."
                return of_status(500, "The request failed.", remedy)

        return answer


def of_error(error: OpsbookError) -> Response:
    """Answer with an error that was raised on purpose."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    told = error.details.get("problems") if isinstance(error, Invalid) else None
    return of_status(error.status, error.message, error.remedy, _each(told or ()), headers)


def of_fields(errors: Iterable[Mapping[str, Any]]) -> Response:
    """Answer a request of the wrong form with what is wrong in each place of it."""
    problems = [
        FieldProblem(
            name=".".join(map(str, one["loc"][1:])) or str(one["loc"][0]), message=one["msg"]
        )
        for one in errors
    ]
    return of_status(422, "The request is not of the right form.", problems=problems)


def of_status(
    status: int,
    detail: str,
    remedy: str = "",
    problems: list[FieldProblem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer with a problem."""
    shape = Problem(
        type=TYPE_BASE + TYPES.get(status, str(status)),
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        remedy=remedy,
        problems=problems or None,
    )
    content = shape.model_dump(mode="json", exclude_none=True)
    return JSONResponse(content, status, dict(headers or {}), MEDIA_TYPE)


def _each(problems: Iterable[Any]) -> list[FieldProblem]:
    """Take a package's sentences about its input apart: ``parameter NAME: what is wrong``."""
    found = []
    for sentence in map(str, problems):
        named = NAMED.fullmatch(sentence)
        name, message = named.groups() if named else ("", sentence)
        found.append(FieldProblem(name=name, message=message))
    return found
