"""From a request to a visit: whose session the cookie stands for, which language, which look.

``Visitor`` is the dependency of pages that need a signed-in person, ``Anybody`` of the few that do
not. The session is looked up with a reader; only once a minute does a visit write that somebody was
seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import Request

from opsbook.access import Principal, sessions
from opsbook.base import ids
from opsbook.web import i18n
from opsbook.web.errors import SignInNeeded
from opsbook.web.i18n import Speech
from opsbook.web.kept import Kept
from opsbook.web.visit import FORM, LANGUAGE, SESSION, THEME, THEMES, Visit

LONGEST_COOKIE = 200


async def visitor(request: Request) -> Visit:
    """Return the visit of a request, signed in or not."""
    known: Visit | None = request.scope.get("opsbook.visit")
    if known is None:
        known = request.scope["opsbook.visit"] = await _made(request)
    return known


async def signed_in(request: Request) -> Visit:
    """Return the visit of somebody who is signed in.

    Raises:
        SignInNeeded: there is no session, or it is over.
    """
    visit = await visitor(request)
    if visit.principal is None:
        raise SignInNeeded
    return visit


Anybody = Annotated[Visit, Depends(visitor)]
Visitor = Annotated[Visit, Depends(signed_in)]


async def _made(request: Request) -> Visit:
    kept: Kept = request.app.state.kept
    now = kept.app.clock.now()
    raw = request.cookies.get(SESSION, "")
    session = await _session(kept, now, raw) if 0 < len(raw) <= LONGEST_COOKIE else None
    mine: Mapping[str, Any] = session or {}
    language = i18n.chosen(
        mine.get("language"), request.cookies.get(LANGUAGE),
        header=request.headers.get("accept-language", ""),
    )  # fmt: skip
    theme = mine.get("theme") or request.cookies.get(THEME, "")
    return Visit(
        request=request,
        kept=kept,
        now=now,
        speech=Speech(language),
        theme=theme if theme in THEMES else "",
        secret=session["csrf"] if session else request.cookies.get(FORM) or ids.token(),
        session=session,
        principal=Principal.of_session(session) if session else None,
    )


async def _session(kept: Kept, now: datetime, raw: str) -> dict[str, Any] | None:
    found = await kept.app.database.read(lambda tx: sessions.find(tx, now, raw))
    if found is not None and sessions.stale(found["seen_at"], now):
        return await kept.app.database.write(lambda tx: sessions.find(tx, now, raw))
    return found
