"""``/in/<book>/<intake>``: where senders hand in alerts.

Plain ASGI before everything else: thousands come in a second, a page's guard bounds what a browser
sends and not what a Grafana does, and a route of a framework would cost more than the work. What
senders may hand in, and what becomes of it, is `opsbook.alerts.intake`'s.

What passes (the database is away, the disk is full) is answered 503 with a time to wait, so that
the sender keeps it and tries again. What can never be taken is answered 400 with all that is wrong.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from opsbook.alerts.intake.accepting import passing
from opsbook.alerts.intake.cleaning import shown
from opsbook.alerts.intake.doors import Door, Doors, TooMany
from opsbook.alerts.intake.kind import Handed, Later, Letter, Unproven, Unreadable
from opsbook.base.errors import OpsbookError
from opsbook.book.sections.webhooks import is_loopback
from opsbook.notify.webhooks.reaching import judged
from opsbook.web import bodies
from opsbook.web.bodies import Gone, Headers, Held, Room, Wrong

PREFIX: Final = "/in/"
INTERFACES: Final = ("api/v2/", "-/")
"""What follows an intake's name where Alertmanager's interface is meant."""
AGAIN_S: Final = 5.0
MOST_NAMED: Final = 100
"""Of what is wrong with a batch."""
THROUGH_OTHERS: Final = frozenset(
    {"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"}
)
TYPES: Final = {
    400: "bad-request", 401: "not-signed-in", 405: "method-not-allowed", 408: "too-slow",
    413: "too-large", 415: "unsupported-media-type", 429: "too-many-requests", 500: "failed",
    503: "unavailable",
}  # fmt: skip

ALWAYS: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
WHO: Final = ((b"www-authenticate", b"Bearer"), (b"www-authenticate", b'Basic realm="Opsbook"'))
"""SNS hands in a name and a password only after it was asked for them."""

log = structlog.get_logger("opsbook.web")


class IntakeDoors:
    """The middleware: what does not begin with ``/in/`` goes on to `app`."""

    def __init__(self, app: ASGIApp, doors: Doors) -> None:
        self.app = app
        self.doors = doors
        self.proven = Room(bodies.MOST_HELD, bodies.LARGEST)
        self.unproven = Room(bodies.MOST_HELD_UNPROVEN, bodies.LARGEST_UNPROVEN)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what was handed in."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self.app(scope, receive, send)
            return
        book, _, rest = scope["path"][len(PREFIX) :].partition("/")
        intake, _, rest = rest.partition("/")
        if rest.startswith(INTERFACES):
            await self.app(scope, receive, send)
            return
        door = self.doors.find(book, intake)
        status, about, headers = await self._answer(scope, receive, door, rest)
        if status:
            await _send(send, status, about, headers)

    async def _answer(
        self, scope: Scope, receive: Receive, door: Door | None, rest: str
    ) -> tuple[int, Any, Headers]:
        """Return what to answer; the status 0 where nobody waits for an answer any longer."""
        try:
            handed = await self._take(scope, receive, door, rest)
        except Gone:
            return 0, None, []
        except Wrong as error:
            return error.code, problem(error.code, error.message, error.remedy), error.headers
        except OpsbookError as error:
            return _refusal(door, error)
        except RecursionError:  # read in the form, and too deep for what is done with it
            return _refusal(door, Unreadable("The body is nested too deeply."))
        except Exception as error:
            if (told := passing(error)) is not None:
                return _refusal(door, told)
            log.exception("an intake failed", path=_shown(door))
            remedy = "This is a bug in Opsbook; opsbook.log in its data folder has the trace."
            return 500, problem(500, "The request failed.", remedy), []
        return _taken(door, handed)

    async def _take(self, scope: Scope, receive: Receive, door: Door | None, rest: str) -> Handed:
        if scope["method"] != "POST":
            raise Wrong(405, "Alerts are handed in with POST.", headers=[(b"allow", b"POST")])
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        given = tokens(headers)
        if rest and (door is None or door.kind is None or rest not in door.kind.paths):
            given.append(rest)
        open_here = door is not None and door.intake.token is None
        local = open_here and from_this_machine(scope, headers)
        door = self.doors.admit(door, given, local=local)
        self.doors.allow(door, 0)
        shows = door.kind is not None and door.kind.proof == "body"
        room = self.unproven if shows else self.proven
        held = Held(room)
        try:
            packed = is_packed(headers)
            check_form(headers, room.largest)
            body = await held.body(receive)
            if packed:
                body = bodies.unpacked(body, room.largest)
        except Wrong as error:
            self.doors.refuse(door, str(error))
            raise
        finally:
            held.let_go()
        letter = Letter(door.intake, headers, body, self.doors.clock.now())
        return await self.doors.receive(door, letter)


# ---- what is asked -------------------------------------------------------------------------------


def check_form(headers: Mapping[str, str], largest: int = bodies.LARGEST) -> None:
    """Refuse what is too large, or says that it is something else than JSON in UTF-8.

    A body whose form is not said, or said to be plain text, as SNS does, is read as JSON.
    """
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or int(length[:20]) > largest:
        raise bodies.too_large(largest)
    form, _, more = headers.get("content-type", "").partition(";")
    form = form.strip().lower()
    if form not in {"", "application/json", "text/plain"} and not (
        form.startswith("application/") and form.endswith("+json")
    ):
        told = f"The Content-Type is {shown(form)}; alerts are handed in as JSON."
        raise Wrong(415, told, "Send Content-Type: application/json.")
    name, _, value = more.partition("=")
    if name.strip().lower() == "charset" and value.strip(' "').lower() not in {"utf-8", "utf8"}:
        told = f"The JSON is said to be in {shown(value.strip())}, and has to be in UTF-8."
        raise Wrong(415, told, "Send it in UTF-8, and say charset=utf-8 or nothing.")


def is_packed(headers: Mapping[str, str]) -> bool:
    """Whether the body is packed with gzip; refuses other ways of packing."""
    coding = headers.get("content-encoding", "").strip().lower()
    if coding not in {"", "identity", "gzip"}:
        known: Headers = [(b"accept-encoding", b"gzip")]
        told = f"The body is packed with {shown(coding)}, which is not read here."
        raise Wrong(415, told, "Use gzip, or pack nothing.", known)
    return coding == "gzip"


def tokens(headers: Mapping[str, str]) -> list[str]:
    """Return what the sender shows: a bearer token, or the password of a name and a password."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    value = value.strip()
    match scheme.lower():
        case "bearer":
            return [value]
        case "basic":
            try:
                pair = base64.b64decode(value, validate=True).decode(errors="replace")
            except (binascii.Error, ValueError):
                return []
            return [pair.partition(":")[2]]
    return []


def from_this_machine(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Whether this is a program on this machine, speaking for itself.

    What comes through a proxy on this machine comes from anywhere. One that adds nothing shows by
    HTTP/1.0, which nginx speaks unless it is told otherwise, and programs do not any more. What a
    browser sends may be some page's doing: browsers say so, and a name that only leads here shows
    in `Host`.
    """
    client = scope.get("client")
    if not client or judged(client[0]) != "loopback" or scope.get("http_version") == "1.0":
        return False
    if "origin" in headers or "sec-fetch-site" in headers or not THROUGH_OTHERS.isdisjoint(headers):
        return False
    try:
        host = urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        return False
    return host is None or is_loopback(host)


# ---- what is answered ----------------------------------------------------------------------------


def _taken(door: Door | None, handed: Handed) -> tuple[int, Any, Headers]:
    kind = door.kind if door is not None else None
    if kind is None:
        return 200, {}, []
    if not handed.bad:
        return *kind.taken(handed), []
    if kind.refused is not None:
        return *kind.refused(handed.bad), []
    count, bad = len(handed.alerts), len(handed.bad)
    told = f"{bad} of {count + bad} alerts cannot be taken; the others were."
    about = problem(
        400, told if count else "None of the alerts can be taken.",
        "Correct those that problems names, and send them again.", bad=handed.bad,
    )  # fmt: skip
    return 400, {**about, "accepted": count}, []


def _refusal(door: Door | None, error: OpsbookError) -> tuple[int, Any, Headers]:
    """Answer with an error that was raised on purpose."""
    if isinstance(error, Unproven):
        told = "This is not an address where you can hand in alerts."
        return 401, problem(401, told, "Check the address and the token."), list(WHO)
    if error.status >= 500:
        if not isinstance(error, Later):
            log.warning("an intake cannot take alerts now", path=_shown(door), why=error.message)
        after = math.ceil(error.after if isinstance(error, Later) else AGAIN_S)
        told = error.message if isinstance(error, Later) else "Alerts cannot be taken now."
        return 503, problem(503, told, "Send it again."), [(b"retry-after", b"%d" % after)]
    if isinstance(error, TooMany):
        after = max(1, math.ceil(error.after))
        about = problem(429, error.message, error.remedy)
        return 429, about, [(b"retry-after", b"%d" % after)]
    kind = door.kind if door is not None else None
    faults = error.faults if isinstance(error, Unreadable) else ()
    if kind is not None and kind.refused is not None:
        return *kind.refused(faults or [str(error)]), []
    return 400, problem(400, error.message, error.remedy, bad=faults), []


def problem(status: int, detail: str, remedy: str = "", bad: Sequence[str] = ()) -> dict[str, Any]:
    """Return a problem of RFC 9457, as the interface for programs has it."""
    about: dict[str, Any] = {
        "type": f"urn:opsbook:problem:{TYPES.get(status, str(status))}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "remedy": remedy,
    }
    if bad:
        about["problems"] = [_named(one) for one in bad[:MOST_NAMED]]
    return about


def _named(fault: str) -> dict[str, str]:
    """A fault of one alert under its place; one of the whole body has none."""
    place, _, told = fault.partition(": ")
    is_place = bool(told) and place.startswith("alerts[")
    return {"name": place if is_place else "", "message": told if is_place else fault}


def _shown(door: Door | None) -> str:
    """Where it was; never the path itself, in which a token may stand."""
    return f"{PREFIX}{door.book.id}/{door.intake.id}" if door is not None else PREFIX


async def _send(send: Send, status: int, about: Any, headers: Headers) -> None:
    body = msgspec.json.encode(about)
    form = (
        b"application/json" if status < 400 or "type" not in about else b"application/problem+json"
    )
    fixed = ((b"content-type", form), (b"content-length", b"%d" % len(body)), *ALWAYS)
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": body})
