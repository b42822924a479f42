"""Putting the interface together: every noun's routes, its description, and what is not there."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse
from starlette.routing import Match

from opsbook import __version__
from opsbook.web.api import (
    accounts,
    alerts,
    answers,
    audit,
    books,
    checks,
    drafts,
    dry,
    follow,
    incidents,
    oncall,
    plans,
    problems,
    runs,
    steering,
    webhooks,
)
from opsbook.web.api.callers import PREFIX
from opsbook.web.api.models import Problem
from opsbook.web.api.wired import KEY, Wired

NOUNS = (
    books, plans, drafts, checks, alerts, incidents, oncall, runs, dry, answers, steering, follow,
    webhooks, audit, accounts,
)  # fmt: skip
OPEN = frozenset({"/version"})
"""What needs no token."""
ONE_AT_A_TIME = frozenset({"/audit/verify"})
REFUSALS = {
    401: "No token, or one that is not valid",
    403: "Not allowed; the detail names what is missing",
    404: "Not there, or not for this caller",
    409: "Decided already, over, changed meanwhile, or a key that was used for something else",
    413: "Larger than it may be",
    422: "Not of the right form; every field that is wrong is named",
    429: "Too many open streams",
}
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


def router(app: Wired) -> APIRouter:
    """Return the interface of an application, under ``/api/v1``."""

    async def bind(request: Request) -> None:
        request.scope[KEY] = app

    made = APIRouter(prefix=PREFIX, route_class=problems.ProblemRoute)
    for noun in NOUNS:
        made.include_router(noun.routes, dependencies=[Depends(bind)])
    described: dict[str, Any] = {}

    @made.get("/openapi.json", include_in_schema=False)
    async def description() -> Response:
        """This interface in OpenAPI 3.1. Needs no token."""
        described.update(described or describe())
        return JSONResponse(described)

    @made.api_route("/{path:path}", methods=METHODS, include_in_schema=False)
    async def nothing(request: Request) -> Response:
        """Answer what is not here as a problem, and say which methods a known place has."""
        allowed = methods_at(request)
        if not allowed:
            remedy = f"{PREFIX}/openapi.json lists every address."
            return problems.of_status(404, f"There is no {request.url.path}.", remedy)
        told = f"{request.url.path} does not take {request.method}."
        remedy = f"It takes {', '.join(allowed)}."
        return problems.of_status(405, told, remedy, headers={"Allow": ", ".join(allowed)})

    return made


def methods_at(request: Request) -> list[str]:
    """Return the methods that the address has; none where nothing is there."""
    scope = {**request.scope, "path": request.url.path.removeprefix(PREFIX), "root_path": ""}
    found: set[str] = set()
    for noun in NOUNS:
        for route in noun.routes.routes:
            if isinstance(route, APIRoute) and route.matches(scope)[0] != Match.NONE:
                found |= route.methods or set()
    return sorted(found)


def describe() -> dict[str, Any]:
    """Return the description of the interface: addresses, shapes, and how to send a token."""
    whole = APIRouter(prefix=PREFIX)
    for noun in NOUNS:
        whole.include_router(noun.routes)
    made = get_openapi(
        title="Opsbook",
        version=__version__,
        summary="What the pages and the command line do, for programs.",
        routes=whole.routes,
    )
    components = made.setdefault("components", {})
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"].update(schema.pop("$defs", {}), Problem=schema)
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own, which is never sent
        components["schemas"].pop(unused, None)
    made["security"] = [{"token": []}]
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    return made


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Say what FastAPI does not know of an operation: in a sentence, and how it is refused."""
    told = operation["description"]
    operation["summary"] = told.partition("\n")[0].partition(". ")[0].rstrip(".")
    answers = operation["responses"]
    answers.pop("422", None)
    if path.removeprefix(PREFIX) in OPEN:
        operation["security"] = []
        refusals: set[int] = set()
    else:
        operation["security"] = [{"token": []}]
        refusals = {401, 403}
    asked = operation.get("parameters", [])
    if any(one["in"] != "header" for one in asked) or "requestBody" in operation or method != "get":
        refusals |= {404, 422}
    if method != "get":
        refusals |= {409, 413}
    if path.removeprefix(PREFIX) in ONE_AT_A_TIME:
        refusals.add(409)
    if path.endswith("/stream"):
        refusals.add(429)
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for status in sorted(refusals):
        answers[str(status)] = {
            "description": REFUSALS[status], "content": {problems.MEDIA_TYPE: problem},
        }  # fmt: skip
    answers["5XX"] = {
        "description": "It failed, and it is not the caller's fault",
        "content": {problems.MEDIA_TYPE: problem},
    }
