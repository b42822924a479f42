"""Files that never change under one name: each is served under a name with its content's hash.

A page names ``app.css`` and gets ``/static/app.3f2a1b0c.css``; browsers may keep that for a year,
and a new version is a new name. The files are few and small, so they are read once at start, with
a gzip form beside each; a file added while the server runs is not served, which is meant.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from opsbook.base.errors import NotFound

FOLDER = Path(__file__).parent / "static"
SERVED = {".css", ".js", ".svg", ".png", ".ico", ".webmanifest"}
YEAR = "public, max-age=31536000, immutable"
mimetypes.add_type("application/manifest+json", ".webmanifest")


@dataclass(frozen=True)
class Static:
    """One file: its bytes, the same in gzip, and what it is."""

    body: bytes
    zipped: bytes
    kind: str


class Statics:
    """Every static file by its hashed name."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.names: dict[str, str] = {}
        self.files: dict[str, Static] = {}
        for file in sorted(folder.rglob("*")):
            if file.suffix in SERVED:
                self._take(file.relative_to(folder).as_posix(), file.read_bytes())

    def _take(self, name: str, body: bytes) -> None:
        stem, dot, suffix = name.rpartition(".")
        hashed = f"{stem}.{hashlib.sha256(body).hexdigest()[:10]}{dot}{suffix}"
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        if kind.startswith("text/") or suffix in {"js", "svg", "webmanifest"}:
            kind += "; charset=utf-8"
        self.names[name] = hashed
        self.files[hashed] = Static(body, gzip.compress(body, 9, mtime=0), kind)

    def url(self, name: str) -> str:
        """Return where a file is; an unknown name is a mistake in a template and is raised."""
        return f"/static/{self.names[name]}"

    def answer(self, request: Request, name: str) -> Response:
        """Serve a file under its hashed name.

        Raises:
            NotFound: no file has that name (an old page asked for an old version).
        """
        found = self.files.get(name)
        if found is None:
            raise NotFound(f"There is no file {name!r} here.", remedy="Reload the page.")
        headers = {"Cache-Control": YEAR, "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(found.zipped, media_type=found.kind, headers=headers)
        return Response(found.body, media_type=found.kind, headers=headers)
