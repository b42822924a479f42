"""More: on a phone, what does not fit into the bar at the bottom."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from opsbook.web import pages
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)


@router.get("/more")
async def listed(visit: Visitor) -> Response:
    """List every place."""
    await pages.read(visit, lambda tx: None)
    return pages.show(visit, "more/page.html", {}, topics="incidents pages runs approvals")
