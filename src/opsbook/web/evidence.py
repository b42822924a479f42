"""``/runs/N/steps/KEY/evidence``: files of a manual step, in from a form and out as downloads.

They are somebody else's bytes. What goes out goes out as a download with a policy that lets a
browser do nothing with it, whatever it calls itself.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import Response

from opsbook import runs
from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid, NotFound
from opsbook.runs.attaching import LARGEST
from opsbook.web import forms, pages
from opsbook.web.numbers import Number
from opsbook.web.runs import find
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)
AT_ONCE: Final = 20
POLICY: Final = "sandbox; default-src 'none'"


@router.post("/runs/{run_id}/steps/{step_key}/evidence")
async def attach(visit: Visitor, run_id: Number, step_key: str) -> Response:
    """Attach files to a manual step: all of them, or none with what is wrong with the first."""
    fields, files = await forms.read_files(visit.request, visit.secret, AT_ONCE, LARGEST)

    def write(tx: Transaction) -> None:
        _, book = find(tx, visit, run_id)
        if not files:
            raise Invalid("No file was chosen.", remedy="Choose one, then attach it.")
        for one in files:
            runs.attach(
                tx, visit.now, run_id, step_key, visit.who, book, one.name, one.media_type,
                one.content,
            )  # fmt: skip

    await visit.write(write)
    back = forms.local_path(fields.get("back"), f"/runs/{run_id}")
    return pages.go(visit, back, "attached")


@router.get("/runs/{run_id}/evidence/{evidence_id}")
async def content(visit: Visitor, run_id: Number, evidence_id: Number) -> Response:
    """Send an attached file to whoever may see the run."""

    def read(tx: Transaction) -> dict[str, Any]:
        find(tx, visit, run_id)
        if all(one["id"] != evidence_id for one in runs.evidence(tx, run_id)):
            raise NotFound(f"There is no attached file {evidence_id}.")
        return runs.evidence_content(tx, evidence_id)

    row = await visit.kept.app.database.read(read)
    return Response(
        row["content"],
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row['name'], safe='')}",
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        },
    )
