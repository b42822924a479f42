"""A web server of our own for tests of requests: it notes what it is asked, and answers as told."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

Reply = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Asked:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    raw_headers: bytes
    body: bytes


@dataclass
class Answering:
    """The server; `reply` is what it answers, for each request anew."""

    port: int
    asked: list[Asked] = field(default_factory=list)
    reply: Callable[[Asked], Reply] = lambda asked: (200, {"Content-Type": "text/plain"}, b"fine")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> Asked:
        return self.asked[-1]

    def prometheus(self, value: Callable[[str], object]) -> None:
        """Answer as Prometheus' API does; `value(query)` gives a number or a list of samples."""

        def reply(asked: Asked) -> Reply:
            parts = urlsplit(asked.target)
            if not parts.path.endswith("/api/v1/query"):
                return 404, {}, b"404 page not found"
            found = value(parse_qs(parts.query)["query"][0])
            if isinstance(found, str):
                said = {"status": "error", "errorType": "bad_data", "error": found}
                return 400, {"Content-Type": "application/json"}, json.dumps(said).encode()
            at = time.time()
            data = (
                {"resultType": "vector", "result": [
                    {"metric": labels, "value": [at, str(number)]} for labels, number in found]}
                if isinstance(found, list)
                else {"resultType": "scalar", "result": [at, str(found)]}
            )  # fmt: skip
            said = {"status": "success", "data": data}
            return 200, {"Content-Type": "application/json"}, json.dumps(said).encode()

        self.reply = reply


@pytest.fixture
def answering() -> Iterator[Answering]:
    """A server on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            asked = Asked(
                self.command, self.path, dict(self.headers.items()), self.headers.as_bytes(),
                self.rfile.read(length),
            )  # fmt: skip
            told.asked.append(asked)
            status, headers, body = told.reply(asked)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told = Answering(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield told
    server.shutdown()
    server.server_close()
