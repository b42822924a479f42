"""``/runs``: start a runbook, look at what runs, and read what its steps wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response
from sqlalchemy.exc import IntegrityError
from starlette.responses import StreamingResponse

from opsbook import runs
from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid, NotFound
from opsbook.base.sealing import Sealer
from opsbook.book import Book, Runbook, check_params
from opsbook.runs import resuming, sealed
from opsbook.runs import store as run_store
from opsbook.web.api import store
from opsbook.web.api.callers import Ask, Asking, Limit
from opsbook.web.api.idempotency import REPLAYED, Key, KeyUsed, own_key
from opsbook.web.api.models import (
    ApprovalOut,
    AttemptOut,
    Output,
    Piece,
    RunDetail,
    RunOut,
    Runs,
    StartRun,
    StepOut,
    WaitOut,
)
from opsbook.web.api.problems import ProblemRoute
from opsbook.web.numbers import After, Before, Number
from opsbook.web.sentences import Names

routes = APIRouter(route_class=ProblemRoute, tags=["runs"])
State = Literal["queued", "running", "waiting", "succeeded", "failed", "cancelled"]
PIECES = 200
AT_ONCE = 8


@routes.get("/runs")
async def listed(
    ask: Ask,
    book: str | None = None,
    state: Annotated[list[State], Query()] = [],  # noqa: B006  FastAPI copies it
    limit: Limit = 50,
    before: Before = None,
) -> Runs:
    """Runs newest first, with what each waits for."""
    books = ask.books("runs", book)

    def read(tx: Transaction) -> Runs:
        rows: list[dict[str, Any]] = []
        for one in books:
            rows += run_store.list_runs(
                tx, book=one.id, states=state or None, limit=limit, before=before
            )
        rows = sorted(rows, key=lambda row: -row["id"])[:limit]
        following = rows[-1]["id"] if len(rows) == limit else None
        return Runs(runs=shaped(ask, tx, rows), next=following)

    return await ask.app.database.read(read)


@routes.get("/runs/{run_id}")
async def one(ask: Ask, run_id: Number) -> RunDetail:
    """One run with its steps and attempts."""

    def read(tx: Transaction) -> RunDetail:
        row = run_store.get(tx, run_id)
        _, row = ask.visible(tx, "runs", row, f"run {run_id}")
        return detail(ask, tx, row)

    return await ask.app.database.read(read)


@routes.get(
    "/runs/{run_id}/output",
    responses={200: {"content": {"text/plain": {}}, "description": "JSON, or plain text if asked"}},
)
async def output(
    ask: Ask,
    run_id: Number,
    after: After = 0,
    step: Annotated[str | None, Query(max_length=200)] = None,
    accept: Annotated[str, Header()] = "",
) -> Output:
    """What the steps wrote, after a piece's id; plain text for ``Accept: text/plain``.

    JSON comes in parts: ask again with ``next`` until ``pieces`` is empty. Plain text is whole.
    """
    plain = accept.split(",")[0].split(";")[0].strip() == "text/plain"

    many = AT_ONCE if plain else PIECES

    def read(tx: Transaction, after: int = after) -> list[dict[str, Any]]:
        ask.visible(tx, "runs", run_store.get(tx, run_id), f"run {run_id}")
        return store.pieces_after(tx, run_id, after, many, step)

    async def text(pieces: list[dict[str, Any]]) -> AsyncIterator[str]:
        """All of it, a few pieces at a time: whoever reads slowly costs no memory."""
        while pieces:
            yield "".join(one["text"] for one in pieces)
            pieces = await ask.app.database.read(partial(read, after=pieces[-1]["id"]))

    pieces = await ask.app.database.read(read)
    if plain:
        return StreamingResponse(text(pieces), media_type="text/plain")  # type: ignore[return-value]
    return Output(
        pieces=[Piece(**one) for one in pieces], next=pieces[-1]["id"] if pieces else after
    )


@routes.post("/runs", status_code=201, responses={200: {"model": RunDetail}})
async def start(
    ask: Ask,
    asked: StartRun,
    response: Response,
    idempotency_key: Key = None,
) -> RunDetail:
    """Start a runbook.

    With ``Idempotency-Key`` the same request again answers with the same run (200 instead of 201),
    and another request with the same key is a conflict. Keys belong to the token that sent them.
    """
    book = _book_of(ask, asked)

    def begin(tx: Transaction, now: datetime, key: str | None) -> int:
        return runs.start(
            tx, now, book=book, runbook=asked.runbook, params=asked.params,
            started_by=ask.who.actor, attended=True, idempotency_key=key, principal=ask.who,
            sealer=sealer(ask, book.runbooks[asked.runbook]), day=asked.day,
        )  # fmt: skip

    def same(tx: Transaction, row: dict[str, Any]) -> bool:
        day = asked.day.isoformat() if asked.day else row["day"]
        about = (row["book"], row["runbook"], row["rerun_of"], row["day"])
        given = has_params(ask, tx, row, asked.params)
        return about == (book.id, asked.runbook, None, day) and given

    return await started(ask, response, idempotency_key, begin, same)


async def started(
    ask: Asking, response: Response, given: str | None,
    begin: Callable[[Transaction, datetime, str | None], int],
    same: Callable[[Transaction, dict[str, Any]], bool],
) -> RunDetail:  # fmt: skip
    """Begin a run, or find the one that this very request began; answer with it as it is now.

    The key stands in the run's row, so it is as lasting as the run (see `idempotency`).

    Raises:
        KeyUsed: the key belongs to another request.
    """
    key, now = own_key(ask.who, given), ask.app.clock.now()

    def write(tx: Transaction) -> tuple[bool, RunDetail]:
        row = store.run_with_key(tx, key) if key else None
        if row is not None:
            if not same(tx, row):
                raise KeyUsed(
                    "This Idempotency-Key was used for another request, "
                    f"which started run {row['id']}."
                )
            ask.visible(tx, "runs", row, f"run {row['id']}")  # they may have lost the right since
            return True, detail(ask, tx, row)
        if key and store.answer_of(tx, key) is not None:
            raise KeyUsed
        return False, detail(ask, tx, run_store.lock_run(tx, begin(tx, now, key)))

    try:
        known, run = await ask.write(write)
    except IntegrityError:  # PostgreSQL: the same key at the same moment, and the other was first
        known, run = await ask.write(write)
    response.status_code = 200 if known else 201
    response.headers["Location"] = f"/api/v1/runs/{run.id}"
    if known:
        response.headers[REPLAYED] = "true"
    return run


def sealer(ask: Asking, runbook: Runbook) -> Sealer | None:
    """Return what seals the secret parameters of a runbook that has any."""
    return Sealer.of_file(ask.app.places.seal_key) if sealed.has_any(runbook) else None


def has_params(ask: Asking, tx: Transaction, row: dict[str, Any], given: Mapping[str, str]) -> bool:
    """Tell whether a run has exactly the parameters that are given.

    Defaults are filled in from the book as it was then; secret ones are compared by their digests.
    """
    runbook = ask.app.library.at(tx, row["revision"]).runbooks[row["runbook"]]
    values, problems = check_params(runbook, given)
    return not problems and sealed.apart(runbook, values, sealer(ask, runbook))[0] == row["params"]


def _book_of(ask: Asking, asked: StartRun) -> Book:
    """Return the running book that is meant, once the caller may start runs in it.

    Raises:
        NotFound: no readable book has such a runbook.
        Invalid: several have one, and the request does not say which is meant.
        Refused: the caller may not start runs.
    """
    books = ask.books("runs", asked.book)
    found = [one for one in books if asked.runbook in one.runbooks]
    if len(found) > 1:
        raise Invalid(
            f"{len(found)} books have a runbook {asked.runbook!r}.",
            remedy=f"Name one as book: {', '.join(one.id for one in found)}.",
        )
    if not found:
        known = ", ".join(sorted({name for one in books for name in one.runbooks})[:12])
        raise NotFound(
            f"There is no runbook {asked.runbook!r} that you may start.",
            remedy=f"Runbooks here: {known}." if known else "This book has no runbooks.",
        )
    ask.who.require("runs:write", found[0])
    return found[0]


def shaped(ask: Asking, tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> list[RunOut]:
    """Return runs as the API tells them."""
    names = ask.names(tx)
    waits = store.waits_of(tx, [row["id"] for row in rows if row["state"] == "waiting"])
    return [RunOut(**_about(ask, names, row, waits.get(row["id"], ()))) for row in rows]


def detail(ask: Asking, tx: Transaction, row: Mapping[str, Any]) -> RunDetail:
    """Return a run with its steps."""
    waits = store.waits_of(tx, [row["id"]] if row["state"] == "waiting" else [])
    steps = [
        StepOut(**{**one, "attempts": [AttemptOut(**attempt) for attempt in one["attempts"]]})
        for one in run_store.steps(tx, row["id"])
    ]
    about = _about(ask, ask.names(tx), row, waits.get(row["id"], ()))
    return RunDetail(**about, steps=steps, cannot_resume=_cannot_resume(ask, tx, row))


def _cannot_resume(ask: Asking, tx: Transaction, row: Mapping[str, Any]) -> str:
    if row["state"] != "failed":
        return ""
    runbook = ask.app.library.at(tx, row["revision"]).runbooks[row["runbook"]]
    steps = run_store.step_rows(tx, row["id"])
    return next((why for why, _ in resuming.obstacles(row, steps, runbook)), "")


def _about(
    ask: Asking, names: Names, row: Mapping[str, Any], waits: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    return {
        **row,
        "params": sealed.shown(row["params"]),
        "started_by_name": names.of(row["started_by"]),
        "waits": [_wait(one) for one in waits],
        "url": f"{ask.origin}/runs/{row['id']}",
    }


def _wait(row: Mapping[str, Any]) -> WaitOut:
    asked = None
    if row["approval_id"] is not None:
        asked = ApprovalOut(
            id=row["approval_id"],
            question=row["question"],
            role=row["approval_role"],
            need=row["need"],
            approved=row["approved"],
            state=row["approval_state"],
            expires_at=row["expires_at"],
        )
    role = row["role"] or row["approval_role"]
    return WaitOut(**{**row, "role": role, "approval": asked})
