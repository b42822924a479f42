"""Asking over HTTP: with a bound on time and on size, certificates verified, redirects with care.

`http.client` and not a library: what this needs of HTTP is little, and it starts in a tenth of the
time. Each request has a connection of its own.
"""

from __future__ import annotations

# What Python would load at the first name it looks up, or the first answer in such letters: by then
# it is another user, who may be unable to read the library.
import encodings.cp949
import encodings.euc_kr
import encodings.idna
import encodings.iso8859_15
import encodings.latin_1
import encodings.utf_16  # noqa: F401
import http.client
import socket
import ssl
import time
from urllib.parse import quote, urljoin, urlsplit

from .leaving import Clock, Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_BODY = 2 * 1024 * 1024
MOST_REDIRECTS = 5
PIECE = 64 * 1024
FOLLOWED = {301, 302, 303, 307, 308}
AGENT = "Opsbook"
PORTS = {"http": 80, "https": 443}
CREDENTIALS = {"authorization", "cookie", "proxy-authorization"}


class Place:
    """With whom to speak: scheme, host (IPv6 in brackets) and port."""

    def __init__(self, scheme: str, host: str, port: int | None) -> None:
        self.scheme, self.host, self.port = scheme, host, port or PORTS[scheme]

    def __str__(self) -> str:
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"

    def leads_to(self, other: Place) -> bool:
        """Whether another place is the same service: the same, or its own way to TLS."""
        if self.host.lower() != other.host.lower():
            return False
        if self.scheme == other.scheme:
            return self.port == other.port
        return self.scheme == "http" and (self.port, other.port) == (80, 443)


class Answer:
    """What came back. `whole` is false where the body was longer than MOST_BODY.

    `elsewhere` is where a redirect leads that was not followed, since it leads to somebody else.
    """

    def __init__(self, response: http.client.HTTPResponse, body: bytes, whole: bool) -> None:
        self.status, self.reason = response.status, response.reason
        self.version = "1.0" if response.version == 10 else "1.1"
        self.headers = response.headers
        self.body, self.whole = body, whole
        self.latency = 0.0
        self.elsewhere = ""

    def text(self) -> str:
        """The body in the character set that it says it has."""
        charset = self.headers.get_content_charset() or "utf-8"
        try:
            return self.body.decode(charset, "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")


def ask(
    place: Place, target: str, clock: Clock, *, method: str = "GET", body: bytes | None = None,
    headers: Mapping[str, str], secret: Mapping[str, str], redirects: str = "same",
) -> Answer:  # fmt: skip
    """Send a request and read its answer; GET and HEAD follow redirects.

    `secret` are headers for `place` alone. To another host a redirect is followed only with
    `redirects` "any", and then without anything that lets somebody in.

    Raises:
        Failed: nothing that can be called an answer came.
    """
    began = time.perf_counter()
    sent = dict(headers)
    mine = place
    for _ in range(MOST_REDIRECTS + 1):
        let_in = {**sent, **secret} if place.leads_to(mine) else _harmless(sent)
        answer = _once(mine, target, clock, method, body, let_in)
        answer.latency = time.perf_counter() - began
        where = answer.headers.get("Location")
        if answer.status not in FOLLOWED or not where or method not in {"GET", "HEAD"}:
            return answer
        if redirects == "none":
            return answer
        after, target = _next(mine, target, where)
        if not mine.leads_to(after) and redirects != "any":
            answer.elsewhere = str(after)
            return answer
        mine = after
    raise Failed(f"{place} redirects more than {MOST_REDIRECTS} times")


def _harmless(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in CREDENTIALS}


def _next(place: Place, target: str, where: str) -> tuple[Place, str]:
    try:
        parts = urlsplit(urljoin(f"{place}{target}", where))
        host = parts.hostname or ""
        after = Place(parts.scheme, f"[{host}]" if ":" in host else host, parts.port)
    except (ValueError, KeyError):
        raise Failed(f"{place} redirects to something that is no web address") from None
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=-._~")
    return (
        after,
        f"{path}?{quote(parts.query, safe='/%:@!$&()*+,;=-._~?')}" if parts.query else path,
    )


def _once(
    place: Place, target: str, clock: Clock, method: str, body: bytes | None,
    headers: Mapping[str, str],
) -> Answer:  # fmt: skip
    host = place.host.strip("[]")
    connection = (
        http.client.HTTPSConnection(
            host, place.port, timeout=clock.left(), context=ssl.create_default_context()
        )
        if place.scheme == "https"
        else http.client.HTTPConnection(host, place.port, timeout=clock.left())
    )
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        names = {name.lower() for name in headers}
        for name, value in (("Accept-Encoding", "identity"), ("User-Agent", AGENT)):
            if name.lower() not in names:
                connection.putheader(name, value)
        for name, value in headers.items():
            connection.putheader(name, value.encode())
        if body is not None or method not in {"GET", "HEAD", "OPTIONS", "DELETE", "TRACE"}:
            connection.putheader("Content-Length", str(len(body or b"")))
        connection.putheader("Connection", "close")
        connection.endheaders(body)
        sock = connection.sock  # the connection forgets it once it has a response that closes it
        response = connection.getresponse()
        return Answer(response, *_body(sock, response, clock))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Failed(f"{place}: {_why(error)}") from None
    finally:
        connection.close()


def _body(
    sock: socket.socket, response: http.client.HTTPResponse, clock: Clock
) -> tuple[bytes, bool]:
    """As much of the body as is looked at, and whether that was all. Slow ones run out of time."""
    body = bytearray()
    while len(body) <= MOST_BODY:
        if clock.over:
            raise TimeoutError
        sock.settimeout(clock.left())
        piece = response.read1(PIECE)
        if not piece:
            return bytes(body), True
        body += piece
    return bytes(body[:MOST_BODY]), False


def _why(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not accepted: {error.verify_message}"
        case socket.gaierror():
            return f"the name cannot be looked up: {error.strerror}"
        case TimeoutError():
            return "it did not answer in time"
        case ConnectionRefusedError():
            return "it refuses connections"
        case http.client.RemoteDisconnected() | ConnectionError():
            return "it closed the connection without an answer"
        case http.client.IncompleteRead():
            return "it broke off in the middle of its answer"
        case http.client.HTTPException():
            return f"it does not speak HTTP ({type(error).__name__})"
        case OSError():
            return error.strerror or str(error)
    return str(error)
