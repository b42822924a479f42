"""``/runs/{id}/stream``: a run as it happens.

First the run and its steps as they are, then whatever changes: ``run`` and ``step`` events carry
the whole thing anew, ``output`` events carry a piece with its id. The last event of a run that has
ended is its ``run``. What was written while a follower was away comes first when it is back.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from opsbook.base.database import EPOCH, Transaction
from opsbook.runs import store as run_store
from opsbook.web.api import runs, sse, store
from opsbook.web.api.callers import Ask, Asking
from opsbook.web.api.models import Piece, RunDetail, RunOut, StepOut
from opsbook.web.api.problems import ProblemRoute
from opsbook.web.numbers import After, Number

routes = APIRouter(route_class=ProblemRoute, tags=["runs"])
FINISHED = frozenset({"succeeded", "failed", "cancelled"})


@routes.get("/runs/{run_id}/stream", response_class=sse.Stream)
async def stream(
    ask: Ask,
    request: Request,
    resumed: sse.Resumed,
    run_id: Number,
    after: After = 0,
) -> StreamingResponse:
    """The run, its steps and their output as server-sent events, until the run has ended."""

    def read(tx: Transaction) -> None:
        ask.visible(tx, "runs", run_store.get(tx, run_id), f"run {run_id}")

    await ask.app.database.read(read)
    followed = Followed(ask, run_id, after if resumed is None else resumed)
    return sse.answer(request, ask.who, ask.app.hub, f"run:{run_id}", followed.look)


class Followed:
    """One follower of one run: what it was told already."""

    def __init__(self, ask: Asking, run_id: int, after: int) -> None:
        self.ask = ask
        self.run_id = run_id
        self.after = after
        self._run: RunOut | None = None
        self._steps: dict[int, StepOut] = {}

    async def look(self) -> sse.Seen:
        """Return what is new, in the order in which it happened."""
        run, pieces = await self.ask.app.database.read(self._read)
        if run is None:
            return sse.Seen([], over=True)
        if pieces:
            self.after = pieces[-1].id
        if len(pieces) == runs.PIECES:
            return sse.Seen(list(map(_output, pieces)), more=True)
        told = list(self._in_order(run, pieces))
        about = RunOut(**run.model_dump(exclude={"steps"}))
        if about != self._run:
            self._run = about
            told.append(sse.event("run", about))
        return sse.Seen(told, over=run.state in FINISHED)

    def _read(self, tx: Transaction) -> tuple[RunDetail | None, list[Piece]]:
        row = run_store.get(tx, self.run_id)
        if row is None or not self.ask.who.may("runs:read", self.ask.book_of(tx, row)):
            return None, []
        pieces = store.pieces_after(tx, self.run_id, self.after, runs.PIECES)
        return runs.detail(self.ask, tx, row), [Piece(**one) for one in pieces]

    def _in_order(self, run: RunDetail, pieces: list[Piece]) -> Iterator[str]:
        """Yield a finished step after its output, and one under way before it.

        Steps of a run go one at a time, so the order of their ends is the order of their output,
        and the last id sent is always the highest one.
        """
        changed = [
            step
            for step in run.steps
            if step.state != "pending" and step != self._steps.get(step.position)
        ]
        self._steps.update((step.position, step) for step in changed)
        ended = [one for one in changed if one.finished_at]
        ended.sort(key=lambda one: (one.finished_at or one.started_at or EPOCH, one.position))
        under_way = [one for one in changed if not one.finished_at]
        left = {piece.id: piece for piece in pieces}
        for step in ended:
            for piece in pieces:
                if piece.step == step.key:
                    yield _output(left.pop(piece.id))
            yield sse.event("step", step)
        for step in under_way:
            yield sse.event("step", step)
        for piece in left.values():
            yield _output(piece)


def _output(piece: Piece) -> str:
    return sse.event("output", piece, piece.id)
