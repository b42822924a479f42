"""``/runs/N/steps/KEY/output.txt``: all that is kept of what a step wrote, as it wrote it.

A file and no page: control sequences stand in it as they came, so a browser is told to save it and
to make nothing of it. It goes out as it is read, a few pieces at a time, so that many readers of
long outputs cost this server no memory; between two reads the database is free for others.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from opsbook.base.database import Database, Transaction
from opsbook.base.errors import NotFound
from opsbook.runs import store
from opsbook.web import runs
from opsbook.web.numbers import LARGEST, Number
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)
PIECES: Final = 8


@router.get("/runs/{run_id}/steps/{step_key}/output.txt")
async def output(
    visit: Visitor,
    run_id: Number,
    step_key: str,
    attempt: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
) -> Response:
    """Send the output of a step's last attempt, or of the one that is named."""

    def read(tx: Transaction) -> dict[str, Any]:
        runs.find(tx, visit, run_id)
        found = next((one for one in store.steps(tx, run_id) if one["key"] == step_key), None)
        if found is None:
            raise NotFound(f"Run {run_id} has no step {step_key!r}.")
        tried = found["attempts"]
        if attempt is not None:
            tried = [one for one in tried if one["number"] == attempt]
        if not tried:
            which = "has not run yet" if attempt is None else f"has no attempt {attempt}"
            raise NotFound(f"Step {step_key!r} of run {run_id} {which}.")
        last: dict[str, Any] = tried[-1]
        return last

    database = visit.kept.app.database
    tried = await database.read(read)
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", step_key).strip("-")
    return StreamingResponse(
        _pieces(database, tried["id"]),
        media_type="text/plain; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="run-{run_id}-{name}-'
            f'{tried["number"]}.txt"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        },
    )


async def _pieces(database: Database, attempt_id: int) -> AsyncIterator[bytes]:
    after = 0
    while True:
        rows = await database.read(
            partial(store.output, attempt_id=attempt_id, after=after, limit=PIECES)
        )
        for row in rows:
            yield row["text"].encode()
            after = row["start"] + 1
        if len(rows) < PIECES:
            return
