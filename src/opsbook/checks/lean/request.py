"""What is sent: one request, written out once and sent as often as the check looks."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from yarl import URL

from opsbook import __version__

FILLED: Final = frozenset(
    {"connection", "content-length", "expect", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that say how the message is sent, which is decided here and nowhere else."""


@dataclass(frozen=True, slots=True)
class Request:
    """Where to, and every byte of it. `no_body` says that its answer has none (HEAD)."""

    host: str
    port: int
    sent: bytes
    no_body: bool = False

    @classmethod
    def of(
        cls, url: URL, method: str = "GET", headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Request:  # fmt: skip
        """Write a request to `url`; `headers` go before those that are sent anyway.

        A user and a password in the address become basic authentication, unless a header says who
        asks. The body is asked for as it is: a small one cannot become a large one.
        """
        named = {name.lower(): value for name, value in (headers or {}).items()}
        host = url.raw_host or ""
        if url.raw_user is not None and "authorization" not in named:
            named["authorization"] = basic(url.user or "", url.password or "")
        filled = {
            "host": _authority(url, host),
            "user-agent": f"opsbook/{__version__}",
            "accept": "*/*",
            "accept-encoding": "identity",
            **named,
            "connection": "close",
        }
        if body is not None or method in {"POST", "PUT", "PATCH"}:
            filled["content-length"] = str(len(body or b""))
        target = url.raw_path_qs or "/"
        lines = [f"{method} {target} HTTP/1.1", *_written(filled.items()), "", ""]
        sent = "\r\n".join(lines).encode() + (body or b"")
        return cls(host.rstrip("."), url.port or 80, sent, method == "HEAD")


def basic(user: str, password: str) -> str:
    """Return the header of basic authentication (RFC 7617, in UTF-8)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _authority(url: URL, host: str) -> str:
    told = f"[{host}]" if ":" in host else host
    return told if url.is_default_port() else f"{told}:{url.port}"


def _written(headers: Iterable[tuple[str, str]]) -> Iterable[str]:
    """Headers as most programs write them: servers that compare letters were seen."""
    for name, value in headers:
        yield f"{'-'.join(part.capitalize() for part in name.split('-'))}: {value}"
