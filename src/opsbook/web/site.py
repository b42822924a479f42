"""The web application: everything that answers over HTTP, put together in one place.

``create`` is handed the wired application and returns what a server serves. Its parts: the guard
in front of everything, the programs' interface (`api`), health without sign-in, static files, and
one router per noun of the pages. What pages share while the server runs is one `Kept`.

``state.close_streams()`` of what is returned ends every live stream at once: whoever stops the
server calls it first, or waits for browsers that have no reason to leave.
"""

from __future__ import annotations

from pathlib import Path

import jinja2
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from opsbook.web import (
    accounts,
    again,
    alerts,
    api,
    audit,
    book,
    checks,
    compare,
    download,
    edit,
    evidence,
    faults,
    health,
    history,
    inbox,
    incidents,
    intake,
    library,
    more,
    pings,
    profile,
    revisions,
    runs,
    search,
    sign_in,
    silences,
    startform,
    streams,
    today,
)
from opsbook.web.alertmanager import Front
from opsbook.web.doors import IntakeDoors
from opsbook.web.guard import Guard
from opsbook.web.kept import Kept
from opsbook.web.live import Changes
from opsbook.web.served import Served
from opsbook.web.statics import Statics

TEMPLATES = Path(__file__).parent / "templates"
NOUNS = (
    today, inbox, incidents, alerts, silences, intake, history, compare, again, evidence, runs,
    startform, library, checks,
    edit, revisions, book, audit, accounts, profile, sign_in, search, more, streams, download,
    pings,
)  # fmt: skip


def create(app: Served) -> FastAPI:
    """Return the web application of a wired Opsbook."""
    statics = Statics()
    kept = Kept(app, statics, environment(), Changes(app.hub))
    served = FastAPI(
        title="Opsbook",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        middleware=[
            Middleware(Guard, refuse=faults.answer),
            Middleware(GZipMiddleware, minimum_size=600, compresslevel=5),
        ],
    )
    served.state.kept = kept
    served.state.close_streams = kept.streams.close
    served.include_router(api.router(app))
    served.include_router(health.router)
    for noun in NOUNS:
        served.include_router(noun.router)

    @served.get("/static/{name:path}", include_in_schema=False)
    def static(request: Request, name: str) -> Response:
        return statics.answer(request, name)

    faults.install(served)
    return served


def with_doors(app: Served, site: ASGIApp) -> ASGIApp:
    """Return what a server serves: the doors for alerts in front of everything else.

    Thousands of requests come through them in a second, and a framework around each would cost more
    than the work itself.
    """
    return Front(IntakeDoors(site, app.doors), app, app.doors)


def environment() -> jinja2.Environment:
    """Return the template environment: escaping always on, an unknown name is an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    return made
