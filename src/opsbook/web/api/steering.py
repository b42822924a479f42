"""``/runs/{id}/…`` beyond answering: comments, taking over, resuming, repeating, evidence.

Attached files are somebody else's bytes. They leave as a download, under a name that is no path,
with a policy that lets a browser do nothing with them: whoever attaches a page attaches a file.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import quote, unquote

from fastapi import APIRouter, Header, Request, Response
from pydantic import Field

from opsbook import runs
from opsbook.audit import LONGEST_NOTE
from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid
from opsbook.book import Book
from opsbook.runs import sealed
from opsbook.runs import store as run_store
from opsbook.web.api import runs as run_routes
from opsbook.web.api import store
from opsbook.web.api.answers import answered
from opsbook.web.api.callers import Ask, Asking
from opsbook.web.api.idempotency import Key, OnlyOnce
from opsbook.web.api.models import Asked, RunDetail, Shape, Time
from opsbook.web.api.problems import ProblemRoute
from opsbook.web.numbers import Number

routes = APIRouter(route_class=ProblemRoute, tags=["runs"])
LONGEST_NAME: Final = 2_000
POLICY: Final = "sandbox; default-src 'none'"


class Comment(Asked):
    """A person's words about a run."""

    text: str = Field(min_length=1, max_length=LONGEST_NOTE)


class TakeOver(Asked):
    """Look after a run from now on."""

    reason: str = Field(default="", max_length=LONGEST_NOTE)


class Resume(Asked):
    """Go on with a run where it failed."""

    reason: str = Field(min_length=1, max_length=LONGEST_NOTE)


class Rerun(Resume):
    """Run it again as the book is now: all of it, or from a step on.

    Parameters that are not given are those it had; secret ones have to be given.
    """

    step: str | None = Field(default=None, max_length=200)
    params: dict[str, str] = Field(default_factory=dict, max_length=200)


class EvidenceOut(Shape):
    """A file attached to a manual step; ``digest`` is the SHA-256 of its content."""

    id: int
    run: int
    step: str
    name: str
    media_type: str
    size: int
    digest: str
    added_by: str
    added_by_name: str
    added_at: Time
    url: str


class EvidenceList(Shape):
    """What is attached to a run, in order."""

    evidence: list[EvidenceOut]


@routes.post("/runs/{run_id}/comments")
async def comment(ask: Ask, once: OnlyOnce, run_id: Number, asked: Comment) -> RunDetail:
    """Write something about a run into its story, also after it has ended."""
    return await answered(
        once, run_id,
        lambda tx, now, book: runs.comment(tx, now, run_id, ask.who, book, asked.text),
    )  # fmt: skip


@routes.post("/runs/{run_id}/take-over")
async def take_over(ask: Ask, once: OnlyOnce, run_id: Number, asked: TakeOver) -> RunDetail:
    """Look after the run from now on, in the place of whoever did. A person's token is needed."""
    return await answered(
        once, run_id,
        lambda tx, now, book: runs.take_over(tx, now, run_id, ask.who, book, asked.reason),
    )  # fmt: skip


@routes.post("/runs/{run_id}/resume")
async def resume(ask: Ask, once: OnlyOnce, run_id: Number, asked: Resume) -> RunDetail:
    """Go on with a failed run at the step that failed, at its own revision."""

    def answer(tx: Transaction, now: datetime, book: Book) -> None:
        row = run_store.lock_run(tx, run_id)
        then = ask.app.library.at(tx, row["revision"])
        runs.resume(tx, now, run_id, ask.who, book, then, asked.reason)

    return await answered(once, run_id, answer)


@routes.post("/runs/{run_id}/rerun", status_code=201, responses={200: {"model": RunDetail}})
async def rerun(
    ask: Ask, run_id: Number, asked: Rerun, response: Response, idempotency_key: Key = None
) -> RunDetail:
    """Start the run again, of the book as it is now: from a step on, or from the beginning.

    Answers with the new run; with ``Idempotency-Key`` the same request again answers with the same
    one (200 instead of 201), as starting does.
    """

    def begin(tx: Transaction, now: datetime, key: str | None) -> int:
        book, row = ask.visible(tx, "runs", run_store.get(tx, run_id), f"run {run_id}")
        runbook = book.runbooks.get(row["runbook"])
        return runs.rerun(
            tx, now, run_id, ask.who, book, asked.step, asked.reason, asked.params,
            run_routes.sealer(ask, runbook) if runbook is not None else None, key,
        )  # fmt: skip

    def same(tx: Transaction, row: dict[str, Any]) -> bool:
        about = (row["rerun_of"], row["rerun_from"]) == (run_id, asked.step or "")
        before = sealed.given(run_store.lock_run(tx, run_id)["params"])
        kept = {name: one for name, one in before.items() if name in row["params"] and one}
        return about and run_routes.has_params(ask, tx, row, {**kept, **asked.params})

    return await run_routes.started(ask, response, idempotency_key, begin, same)


FILE: Final = {
    "requestBody": {
        "required": True,
        "description": "The file itself, as it is; its media type is kept.",
        "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@routes.post("/runs/{run_id}/steps/{step}/evidence", status_code=201, openapi_extra=FILE)
async def attach(
    ask: Ask,
    once: OnlyOnce,
    request: Request,
    run_id: Number,
    step: str,
    file_name: Annotated[
        str,
        Header(
            min_length=1,
            max_length=LONGEST_NAME,
            description="What the file is called, percent-encoded where it is not ASCII.",
        ),
    ],
    content_type: Annotated[str, Header(include_in_schema=False)] = "",
) -> EvidenceOut:
    """Attach a file to a manual step, from when it waits until the run has ended."""
    content = await request.body()
    name = _called(file_name)

    def seen(tx: Transaction) -> Book:
        return ask.visible(tx, "runs", run_store.get(tx, run_id), f"run {run_id}")[0]

    def write(tx: Transaction) -> EvidenceOut:
        now, book = ask.app.clock.now(), seen(tx)
        made = runs.attach(tx, now, run_id, step, ask.who, book, name, content_type, content)
        found = next(row for row in runs.evidence(tx, run_id) if row["id"] == made)
        return _shaped(ask, tx, found)

    return await once.write(write, lambda told: f"/api/v1/evidence/{told.id}", sees=seen)


@routes.get("/runs/{run_id}/evidence")
async def attached(ask: Ask, run_id: Number) -> EvidenceList:
    """The files attached to a run's manual steps."""

    def read(tx: Transaction) -> EvidenceList:
        ask.visible(tx, "runs", run_store.get(tx, run_id), f"run {run_id}")
        return EvidenceList(evidence=[_shaped(ask, tx, row) for row in runs.evidence(tx, run_id)])

    return await ask.app.database.read(read)


class Download(Response):
    """A file as it was attached, for the description of the interface."""

    media_type = "application/octet-stream"


@routes.get("/evidence/{evidence_id}", response_class=Download)
async def evidence(ask: Ask, evidence_id: Number) -> Response:
    """One attached file, as a download."""

    def read(tx: Transaction) -> dict[str, Any]:
        row = store.evidence(tx, evidence_id)
        run = run_store.get(tx, row["run_id"]) if row is not None else None
        ask.visible(tx, "runs", run, f"attached file {evidence_id}")
        return runs.evidence_content(tx, evidence_id)

    return download(await ask.app.database.read(read))


def download(row: dict[str, Any]) -> Response:
    """Return an attached file so that nothing opens it by itself."""
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row['name'], safe='')}",
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Opsbook-Media-Type": row["media_type"],
        "Digest": f"sha-256={row['digest']}",
    }
    return Download(row["content"], headers=headers)


def _called(given: str) -> str:
    """Read a name from a header: percent-encoded, or ASCII as it is."""
    try:
        return unquote(given, errors="strict")
    except UnicodeDecodeError:
        raise Invalid(
            "The header File-Name is not percent-encoded UTF-8.",
            remedy="Write a name of ASCII as it is, and encode the rest as in a URL.",
        ) from None


def _shaped(ask: Asking, tx: Transaction, row: dict[str, Any]) -> EvidenceOut:
    return EvidenceOut(
        **row,
        run=row["run_id"],
        added_by_name=ask.names(tx).of(row["added_by"]),
        url=f"{ask.origin}/api/v1/evidence/{row['id']}",
    )
