"""Finding the running server and talking to it.

On the server's own machine nothing has to be set: the data folder says where it listens and holds
the local token, which may read and start and never approve. From elsewhere ``OPSBOOK_URL`` and
``OPSBOOK_TOKEN`` say both. The local token goes to the server that wrote it and nowhere else.

The client is the standard library's: an HTTP library would take longer to import than most
commands take to run.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from opsbook.base.errors import Invalid, OpsbookError
from opsbook.cli import words
from opsbook.settings import data_folder

API = "/api/v1"
TIMEOUT = 30.0
LONGEST_ANSWER = 64 * 1024 * 1024


class NotRunning(OpsbookError):
    """No Opsbook is running."""


class Answered(OpsbookError):
    """The server refused; ``details["problem"]`` is its answer and ``http`` the status."""

    @property
    def http(self) -> int:
        """The HTTP status of the answer."""
        status: int = self.details["http"]
        return status


class BadRequest(Invalid, Answered):
    """The server did not accept the input."""


@dataclass(frozen=True)
class Server:
    """One server, the token it is spoken to with, and how many seconds an answer may take."""

    url: str
    token: str = field(repr=False)
    patience: float = TIMEOUT

    def get(self, path: str, **query: Any) -> Any:
        """Return the answer to a question; arguments that are None or empty are left out."""
        return self._ask("GET", path + _query(query))

    def get_text(self, path: str, **query: Any) -> str:
        """Return a plain answer."""
        with self._exchange("GET", path + _query(query), accept="text/plain") as answer:
            return answer.read(LONGEST_ANSWER).decode(errors="replace")

    def post(self, path: str, body: Mapping[str, Any], **headers: str) -> Any:
        """Ask for something to be done; None and empty values of ``body`` are left out."""
        sent = {name: value for name, value in body.items() if value not in (None, "")}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._ask("POST", path, json.dumps(sent).encode(), named)

    def send(self, path: str, content: bytes, **headers: str) -> Any:
        """Send a file as it is."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._ask("POST", path, content, named)

    def stream(self, path: str, **query: Any) -> Iterator[tuple[str, Any]]:
        """Yield (event, data) as the server sends them, until it ends the stream."""
        target = path + _query(query)
        with self._exchange("GET", target, accept="text/event-stream", timeout=60.0) as answer:
            event, data = "message", []
            for raw in answer:
                line = raw.decode(errors="replace").rstrip("\r\n")
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if name == "event" and line:
                    event = value
                elif name == "data" and line:
                    data.append(value)
                elif not line:
                    if data:
                        yield event, json.loads("\n".join(data))
                    event, data = "message", []

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> Any:  # fmt: skip
        with self._exchange(method, path, body=body, headers=headers) as answer:
            return json.loads(answer.read(LONGEST_ANSWER))

    def _exchange(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] = {},
        accept: str = "application/json",
        timeout: float | None = None,
    ) -> http.client.HTTPResponse:
        """Send a request and return an answer of status 2xx.

        Raises:
            NotRunning: nobody answers there.
            Answered: the server answered with a problem.
        """
        parts = urlsplit(self.url)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=timeout or self.patience)
        sent = {
            "Accept": accept,
            "Authorization": f"Bearer {self.token}",
            "Connection": "close",
            **({"Content-Type": "application/json"} if body is not None else {}),
            **headers,
        }
        try:
            connection.request(method, parts.path.rstrip("/") + API + path, body, sent)
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NotRunning(
                words.NO_ANSWER.format(url=self.url, why=error or type(error).__name__),
                remedy=words.START_ONE,
            ) from error
        if answer.status >= 300:
            with answer:
                raise _problem(answer.status, answer.read(LONGEST_ANSWER), self.url)
        return answer


def find(data: str | None = None) -> Server:
    """Return the server to talk to; a data folder named on the command line beats the environment.

    Raises:
        NotRunning: no URL is set and the data folder names no running server.
        Invalid: ``OPSBOOK_URL`` cannot be used, or needs a token that is not set.
    """
    token = os.environ.get("OPSBOOK_TOKEN", "")
    url = "" if data else _checked(os.environ.get("OPSBOOK_URL", ""))
    folder = data_folder(data)
    if url and token:
        return Server(url, token)
    here = local_url(folder)
    if url and url != here:
        raise Invalid(words.NO_TOKEN.format(url=url), remedy=words.NO_TOKEN_REMEDY)
    if here is None:
        raise NotRunning(words.NOT_RUNNING.format(data=folder), remedy=words.START_ONE)
    return Server(here, token or _local_token(folder))


def _checked(url: str) -> str:
    """Return an address without the slash at its end; an empty one stays empty."""
    try:
        parts = urlsplit(url)
        good = not url or (parts.scheme in {"http", "https"} and bool(parts.hostname))
        _ = parts.port
    except ValueError:
        good = False
    if not good:
        raise Invalid(words.BAD_URL.format(url=url), remedy=words.BAD_URL_REMEDY)
    return url.rstrip("/")


def local_url(folder: Path) -> str | None:
    """Return where the server of this data folder listens; None when none runs.

    A server that was killed leaves its file behind; the process it names tells.
    """
    try:
        about = json.loads((folder / "server.json").read_text("utf-8"))
        url, pid = str(about["url"]), int(about["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # it runs, as somebody else
    return url.rstrip("/")


def _local_token(folder: Path) -> str:
    file = folder / "local.token"
    try:
        return file.read_text("utf-8").strip()
    except OSError as error:
        raise NotRunning(
            words.TOKEN_UNREADABLE.format(file=file, why=error.strerror), remedy=words.OTHER_USER
        ) from error


def _problem(status: int, body: bytes, url: str) -> Answered:
    try:
        problem = json.loads(body)
        message, remedy = str(problem["detail"]), str(problem.get("remedy") or "")
    except (ValueError, KeyError, TypeError):
        problem, remedy = {}, words.NO_OPSBOOK_REMEDY
        message = words.NO_OPSBOOK.format(url=url, status=status)
    faults = problem.get("problems") or ()
    if faults:  # the sentence before them, and each on a line of its own
        lines = [": ".join(filter(None, (one["name"], one["message"]))) for one in faults]
        message = "\n  ".join([message.partition(":")[0].rstrip(".") + ":", *lines])
    kind = BadRequest if status == 422 else Answered
    return kind(message, remedy=remedy, http=status, problem=problem)


def _query(values: Mapping[str, Any]) -> str:
    given = {name: value for name, value in values.items() if value not in (None, "", (), [])}
    return f"?{urlencode(given, doseq=True, quote_via=quote)}" if given else ""


def part(value: str) -> str:
    """Return a value as one part of a path."""
    return quote(value, safe="")
