"""How every page is made: one read of the database, one template; and how a wish is answered.

A page reads once: its own rows and the frame's counts come from one snapshot, so that a list and
the number beside it never disagree. A wish (a form) is one write and a redirect to the page that
shows what became of it, so that reloading never repeats it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from starlette.responses import HTMLResponse, RedirectResponse, Response

from opsbook.base.database import Transaction
from opsbook.web import frame
from opsbook.web.shown import Shown
from opsbook.web.visit import FORM, SAID, Visit

Result = TypeVar("Result")
LIVE = "x-opsbook-live"
"""The header of a page that asks for itself again."""


async def read(visit: Visit, work: Callable[[Transaction], Result]) -> Result:
    """Read what a page shows, and what its frame counts, in one transaction."""
    visit.mark = visit.kept.changes.mark

    def both(tx: Transaction) -> Result:
        if visit.principal is not None:
            visit.counts = frame.counts(tx, visit)
        return work(tx)

    return await visit.kept.app.database.read(both)


def show(
    visit: Visit, template: str, values: Mapping[str, Any], *, topics: str = "", status: int = 200
) -> HTMLResponse:
    """Render a page. `topics` are what its live parts depend on."""
    body = visit.kept.environment.get_template(template).render(
        values, v=visit, ui=Shown(visit, visit.kept.statics), topics=topics,
        gettext=visit.speech.html, ngettext=visit.speech.html_n,
    )  # fmt: skip
    answer = HTMLResponse(body, status)
    if visit.said and LIVE not in visit.request.headers:
        answer.delete_cookie(SAID, path="/")
    if visit.session is None:
        set_cookie(visit, answer, FORM, visit.secret, None)
    return answer


def go(visit: Visit, path: str, said: str = "") -> RedirectResponse:
    """Answer a fulfilled wish: see another page, which says what was done."""
    answer = RedirectResponse(quote(path, safe="/?&=#%+:,.-_~!$'()*;@"), 303)
    if said:
        set_cookie(visit, answer, SAID, said, 60)
    return answer


def set_cookie(visit: Visit, answer: Response, name: str, value: str, life: int | None) -> None:
    """Set a cookie as all of ours are: out of reach of scripts, and not sent across sites."""
    answer.set_cookie(
        name, value, max_age=life, path="/", httponly=True, samesite="lax",
        secure=visit.request.url.scheme == "https",
    )  # fmt: skip
