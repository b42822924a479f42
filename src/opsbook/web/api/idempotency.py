"""``Idempotency-Key``: a write that is sent twice is done once, and answered twice.

Who sends a request and hears nothing (a broken connection, a timeout, a restart) sends it again
with the same key. The answer is kept in the very transaction of what it answers: either both are
there or neither is, whatever crashes in between, so the second request gets the first one's status
and body, and does nothing.

- A key belongs to the token that sent it; nobody can guess or use another's. It is kept as a hash,
  with a hash of the request: the same key for another request is a conflict (409).
- Only what was done is kept. A refusal changed nothing, and the same request may well be right a
  minute later (a step that waits now, a role that was given): it is judged anew.
- Of two at the same moment the second waits for the first and gets its answer: the key's row is
  written before the work, and its uniqueness is what holds the second back, on PostgreSQL too.
- A week, then it is forgotten.

Starting and repeating a run are apart: their key stands in the run's own row and is never
forgotten, since a deployment must not happen a second time because somebody's script was stuck for
a month; the answer is that run as it is now. A key cannot be used for one of these and for
something else.

Refused: keeping answers in a middleware. It cannot know the transaction, and a crash between the
write and its answer would be the one case that keys are for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final, TypeVar, cast

from fastapi import Depends, Header, Request, Response

from opsbook.access import Principal
from opsbook.base.database import Transaction
from opsbook.base.errors import Conflict
from opsbook.web.api import store
from opsbook.web.api.callers import Ask, Asking
from opsbook.web.api.models import Shape

LONGEST_KEY: Final = 200
KEPT: Final = timedelta(days=7)
REPLAYED: Final = "Idempotency-Replayed"


Told = TypeVar("Told", bound=Shape)
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=LONGEST_KEY,
        description="Chosen by the caller, new for each new request: what is sent again with the "
        "same key is done once.",
    ),
]


class KeyUsed(Conflict):
    """This Idempotency-Key was used for another request."""

    remedy = "Use a new key for a new request."


def own_key(who: Principal, key: str | None) -> str | None:
    """Return a key as it is stored: bound to who sent it, so that nobody can guess a stranger's."""
    if key is None:
        return None
    return f"{who.actor}/{hashlib.sha256(key.encode()).hexdigest()[:40]}"


def fingerprint(method: str, path: str, query: str, body: bytes) -> str:
    """Return what makes a request the same one: its address and what it says.

    JSON is compared by what it means: the order of its keys and its blanks are the sender's affair.
    """
    try:
        said = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        said = body
    head = f"{method} {path}?{query}\n".encode()
    return hashlib.sha256(head + said).hexdigest()


@dataclass(frozen=True)
class Once:
    """A request that may be a repetition."""

    ask: Asking
    key: str | None
    request: str
    status: int

    async def write(
        self, work: Callable[[Transaction], Told], location: Callable[[Told], str] | None = None,
        *, sees: Callable[[Transaction], object] = lambda _: None,
    ) -> Told:  # fmt: skip
        """Do the work and return its answer, or return the answer it had.

        ``sees`` raises where the caller may not read (any more) what the answer tells.

        Raises:
            KeyUsed: the key belongs to another request.
        """
        if self.key is None:
            return await self.ask.write(work)

        def write(tx: Transaction) -> Response:
            if (row := self._known(tx)) is not None:
                sees(tx)
                return _replay(row)
            told = work(tx)
            where = location(told) if location is not None else ""
            return self._keep(tx, told, where)

        return cast("Told", await self.ask.write(write))

    async def secret(self, work: Callable[[Transaction], Told]) -> Told:
        """Do work whose answer holds a secret: it is told once, and never kept.

        Raises:
            Conflict: it was done already; what it told then is nowhere any more.
        """
        if self.key is None:
            return await self.ask.write(work)

        def write(tx: Transaction) -> Told:
            if self._known(tx) is not None:
                raise Conflict(
                    "This was done already, and its answer held a secret that is kept nowhere.",
                    remedy="Ask for a new one, with a new key.",
                )
            told = work(tx)
            store.settle_answer(tx, self.key or "", self.status, "", "")
            return told

        return await self.ask.write(write)

    async def then(
        self, work: Callable[[Transaction], int], tell: Callable[[int], Awaitable[Told]],
        place: str,
    ) -> Told:  # fmt: skip
        """Do work whose answer takes more than its transaction; it is known by a number.

        That it was done is kept with it. The answer is added when it is there; should that not come
        to pass, a repetition is told how things stand when it asks. ``place`` is the address of
        what the number is of, with a brace pair for it.
        """
        if self.key is None:
            return await tell(await self.ask.write(work))
        key = self.key

        def write(tx: Transaction) -> int | Response:
            if (row := self._known(tx)) is not None:
                return _replay(row) if row["body"] else int(row["location"].rpartition("/")[2])
            number = work(tx)
            store.settle_answer(tx, key, self.status, place.format(number), "")
            return number

        done = await self.ask.write(write)
        if isinstance(done, Response):
            return cast("Told", done)
        return await self._told(await tell(done), place.format(done))

    async def around(
        self, was_done: Callable[[], Awaitable[bool]], do: Callable[[], Awaitable[None]],
        tell: Callable[[], Awaitable[Told]], place: str,
    ) -> Told:  # fmt: skip
        """Do work that takes several transactions and tells by itself whether it was done.

        The key is taken first. Whoever comes with it after a crash asks ``was_done`` and does only
        what was not. A refusal gives the key back.
        """
        if self.key is None:
            await do()
            return await tell()
        key = self.key
        row = await self.ask.write(self._known)
        if row is not None and row["status"]:
            return cast("Told", _replay(row))
        if row is None or not await was_done():
            try:
                await do()
            except BaseException:
                if row is None:
                    await self.ask.app.database.write(lambda tx: store.drop_answer(tx, key))
                raise
        return await self._told(await tell(), place)

    async def _told(self, told: Told, place: str) -> Told:
        """Keep the answer of what is done; the work is, even if who asked was shut out since."""
        kept = await self.ask.app.database.write(lambda tx: self._keep(tx, told, place))
        return cast("Told", kept)

    def _known(self, tx: Transaction) -> dict[str, Any] | None:
        """Take the key, or return what it was used for.

        Raises:
            KeyUsed: it was another request.
        """
        key, now = self.key or "", self.ask.app.clock.now()
        taken = store.take_key(tx, key, self.request, now)
        if (run := store.run_with_key(tx, key)) is not None:
            raise KeyUsed(
                f"This Idempotency-Key was used for another request, which started run {run['id']}."
            )
        if taken:
            return None
        row = store.answer_of(tx, key)
        if row is None or row["request"] != self.request:
            raise KeyUsed
        return row

    def _keep(self, tx: Transaction, told: Shape, place: str) -> Response:
        body = told.model_dump_json()
        store.settle_answer(tx, self.key or "", self.status, place, body)
        return _answer(self.status, place, body)


async def once(request: Request, ask: Ask, idempotency_key: Key = None) -> Once:
    """Return what every route that writes is handed."""
    route = request.scope["route"]
    said = fingerprint(
        request.method, request.url.path, request.url.query, await request.body()
    ) if idempotency_key else ""  # fmt: skip
    return Once(ask, own_key(ask.who, idempotency_key), said, route.status_code or 200)


OnlyOnce = Annotated[Once, Depends(once)]


def _replay(row: dict[str, Any]) -> Response:
    answer = _answer(row["status"], row["location"], row["body"])
    answer.headers[REPLAYED] = "true"
    return answer


def _answer(status: int, place: str, body: str) -> Response:
    headers = {"Location": place} if place and status == 201 else None
    return Response(body, status, headers, "application/json")
