"""The front of the interface: which book is meant, who may ask, and what answers.

Whoever knows an intake's token may hand in alerts there, read them, and set silences: that is what
Prometheus and amtool do with one address. A personal token does what its person may
(``alerts:write``, ``alerts:read``, ``silences:write``). Without a token the interface is open to
programs on this machine alone, and only where the intake has none.

Errors are texts in JSON, as Alertmanager's are; amtool shows them as they are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

import msgspec
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from opsbook.access import Principal, tokens
from opsbook.alerts.intake.accepting import passing
from opsbook.alerts.intake.doors import Door, Doors, TooMany
from opsbook.alerts.intake.kind import Later, Unproven
from opsbook.base.errors import NotFound, OpsbookError
from opsbook.book.sections.intakes import Intake
from opsbook.book.texts import Text
from opsbook.web import bodies
from opsbook.web import doors as intakes
from opsbook.web.alertmanager import alerting, silencing, status
from opsbook.web.alertmanager.asking import Answer, Asked
from opsbook.web.served import Served

API: Final = "/api/v2/"
HEALTH: Final = ("-/healthy", "-/ready")
PREFIX: Final = "opb_"
KNOWN: Final = frozenset({401, 403, 404, 413, 415, 429, 500, 503, 507})
"""Statuses that are answered as they are; the interface has 400 for everything that is wrong."""
UNNAMED: Final = Intake(id="alertmanager", kind="alertmanager", title=Text({"": "Alertmanager"}))

Handler = Callable[[Asked], Awaitable[Answer]]

log = structlog.get_logger("opsbook.web")


@dataclass(frozen=True, slots=True)
class Address:
    """One address: what answers, and which permission a personal token needs for it."""

    handler: Handler
    permission: str


ADDRESSES: Final[dict[tuple[str, str], Address]] = {
    ("POST", "alerts"): Address(alerting.post, "alerts:write"),
    ("GET", "alerts"): Address(alerting.get, "alerts:read"),
    ("GET", "alerts/groups"): Address(alerting.groups, "alerts:read"),
    ("GET", "receivers"): Address(alerting.receivers, "alerts:read"),
    ("GET", "silences"): Address(silencing.listed, "alerts:read"),
    ("POST", "silences"): Address(silencing.post, "silences:write"),
    ("GET", "silence"): Address(silencing.one, "alerts:read"),
    ("DELETE", "silence"): Address(silencing.delete, "silences:write"),
    ("GET", "status"): Address(status.get, "alerts:read"),
}


class Front:
    """The middleware: what is not this interface's goes on to `app`."""

    def __init__(self, app: ASGIApp, served: Served, doors: Doors) -> None:
        self.app = app
        self.served = served
        self.doors = doors
        self.room = bodies.Room(bodies.MOST_HELD, bodies.LARGEST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer under ``/api/v2/`` and ``/in/<book>/<intake>/api/v2/``."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        if path.startswith(API):
            await self._serve(scope, receive, send, None, path[len(API) :])
            return
        if path.startswith(intakes.PREFIX):
            book, _, rest = path[len(intakes.PREFIX) :].partition("/")
            intake, _, rest = rest.partition("/")
            if rest.startswith(API[1:]):
                await self._serve(scope, receive, send, (book, intake), rest[len(API) - 1 :])
                return
            if rest in HEALTH:
                scope = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}
        await self.app(scope, receive, send)

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, named: tuple[str, str] | None, rest: str
    ) -> None:
        try:
            answer = await self._answer(scope, receive, named, rest)
        except bodies.Gone:
            return
        except Exception as error:  # noqa: BLE001  (the edge: every error has an answer)
            answer = _refusal(error)
        await _send(send, answer, head=scope["method"] == "HEAD")

    async def _answer(
        self, scope: Scope, receive: Receive, named: tuple[str, str] | None, rest: str
    ) -> Answer:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        noun, _, name = rest.partition("/") if rest.startswith("silence/") else (rest, "", "")
        address = ADDRESSES.get((method, noun))
        if address is None:
            known = any(path == noun for _, path in ADDRESSES)
            return Answer(405 if known else 404, "there is no such address here")
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        door, principal = await self._admitted(scope, headers, named, address.permission)
        body = b""
        if method == "POST":
            try:
                body = await self._given(receive, headers)
            except bodies.Wrong as error:
                if noun == "alerts":
                    self.doors.refuse(door, str(error))
                raise
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        asked = Asked(self.served, self.doors, door, principal, query, body, name)
        return await address.handler(asked)

    async def _given(self, receive: Receive, headers: dict[str, str]) -> bytes:
        """Return the body, unpacked; raises Wrong for what cannot be read here."""
        packed = intakes.is_packed(headers)
        intakes.check_form(headers)
        held = bodies.Held(self.room)
        try:
            body = await held.body(receive)
        finally:
            held.let_go()
        return bodies.unpacked(body) if packed else body

    async def _admitted(
        self, scope: Scope, headers: dict[str, str], named: tuple[str, str] | None, permission: str
    ) -> tuple[Door, Principal | None]:
        """Return the door that is meant, and the person behind a personal token.

        Raises:
            Unproven: nobody who may; NotFound: nobody said which book.
        """
        door = self.doors.find(*named) if named is not None else self._default()
        given = intakes.tokens(headers)
        local = intakes.from_this_machine(scope, headers)
        who = await self._person(given) if door is not None else None
        if who is not None and door is not None:
            who.require(permission, door.book)
            return door, who
        if door is None and named is None and local:
            raise NotFound(self._which())
        return self.doors.admit(door, given, local=local), None

    async def _person(self, given: list[str]) -> Principal | None:
        raw = next((one for one in given if one.startswith(PREFIX)), None)
        if raw is None:
            return None
        now = self.served.clock.now()
        return await self.served.database.read(lambda tx: tokens.principal(tx, now, raw))

    def _default(self) -> Door | None:
        """The intake that says it is the default; else the only book's first of this kind."""
        books = [book for book in self.served.library.books() if book.status == "active"]
        here = [
            Door(book, intake)
            for book in books
            for intake in book.intakes.values()
            if intake.kind == "alertmanager"
        ]
        said = [door for door in here if door.intake.default]
        if len(said) == 1:
            return said[0]
        if len(books) == 1 and not said:
            return here[0] if here else Door(books[0], UNNAMED)
        return None

    def _which(self) -> str:
        known = ", ".join(
            f"/in/{book.id}/{intake.id}/api/v2"
            for book in self.served.library.books()
            for intake in book.intakes.values()
            if intake.kind == "alertmanager"
        )
        if not known:
            return (
                "no book says who answers here: give one an intake of the kind alertmanager with "
                "default: true"
            )
        return f"several books could be meant: use one of {known}, or say default: true in one"


def _refusal(error: Exception) -> Answer:
    if isinstance(error, Unproven):
        return Answer(401, "a token is missing or wrong", tuple(intakes.WHO))
    told = passing(error)
    if told is not None or isinstance(error, Later):
        return Answer(503, f"{told or error}", ((b"retry-after", b"5"),))
    if isinstance(error, TooMany):
        return Answer(429, error.message, ((b"retry-after", b"%d" % max(1, int(error.after))),))
    if isinstance(error, bodies.Wrong):
        return Answer(error.code, str(error), tuple(error.headers))
    if isinstance(error, OpsbookError):
        return Answer(error.status if error.status in KNOWN else 400, str(error))
    if isinstance(error, RecursionError):
        return Answer(400, "the body is nested too deeply")
    log.exception("the Alertmanager interface failed")
    return Answer(500, "the request failed: this is a bug in Opsbook, and is in its log")


async def _send(send: Send, answer: Answer, *, head: bool) -> None:
    body = b"" if answer.body is None else msgspec.json.encode(answer.body)
    fixed: list[tuple[bytes, bytes]] = [
        (b"content-length", b"%d" % len(body)), *intakes.ALWAYS, *answer.headers,
    ]  # fmt: skip
    if answer.body is not None:
        fixed.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": answer.status, "headers": fixed})
    await send({"type": "http.response.body", "body": b"" if head else body})
