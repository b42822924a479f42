"""What a server is told from outside: its options, else the environment, else defaults.

Read once, at the border, with everything that is wrong in it; after that the values are trusted.
Only the standard library is used, because every command asks this module where the data folder is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from opsbook.base.errors import Invalid
from opsbook.base.places import default_data
from opsbook.base.quantities import parse_duration

LISTEN = ("127.0.0.1", 8420)
STEP_USER = "nobody"
FETCH_EVERY = timedelta(minutes=1)
LOOK_EVERY = timedelta(seconds=1)
SHORTEST_FETCH = timedelta(seconds=5)
LOOKS = 32
MOST_LOOKS = 1024
REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*::?//|[A-Za-z]+::|[\w.-]+@[\w.-]+:")
LOOPBACK = re.compile(r"127\.\d+\.\d+\.\d+|::1|localhost", re.IGNORECASE)


class InvalidSetting(Invalid):
    """A setting cannot be used as it is."""


@dataclass(frozen=True)
class Settings:
    """One server's settings. Port 0 takes any free one; ``database`` None is a file in ``data``.

    A book is a folder, or the address of a git remote as a text. Folders are looked at every
    ``look_every``, remotes fetched every ``fetch_every``. ``looks`` is how many checks are looked
    at at once. ``step_user`` counts only for a server that runs as root: anybody else cannot become
    another.
    """

    books: tuple[Path | str, ...]
    data: Path
    listen: tuple[str, int] = LISTEN
    database: str | None = None
    step_user: str = STEP_USER
    fetch_every: timedelta = FETCH_EVERY
    looks: int = LOOKS
    look_every: timedelta = LOOK_EVERY

    @classmethod
    def from_env(
        cls,
        books: Iterable[Path | str],
        *,
        data: str | None = None,
        listen: str | None = None,
        database: str | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> Settings:
        """Take what was given, else ``OPSBOOK_DATA``, ``OPSBOOK_LISTEN``, ``OPSBOOK_DATABASE``.

        ``OPSBOOK_FETCH_EVERY`` (``1m``) is how often git remotes are fetched, ``OPSBOOK_LOOKS``
        (``32``) how many checks are looked at at once. An empty variable
        counts as unset, since that is how a Makefile or a unit file passes on what it was not told.

        Raises:
            InvalidSetting: with every setting that cannot be used, its value and its source.
        """
        faults: list[str] = []

        def read(given: str | None, option: str, name: str) -> tuple[str | None, str]:
            if given is not None:
                return given, option
            return environ.get(name) or None, name

        address, source = read(listen, "--listen", "OPSBOOK_LISTEN")
        parsed = LISTEN
        if address is not None:
            try:
                parsed = parse_address(address)
            except ValueError as error:
                faults.append(f"{source}: {address!r} {error}")
        url, source = read(database, "--database", "OPSBOOK_DATABASE")
        if url is not None and (fault := _database_fault(url)):
            faults.append(f"{source}: {fault}")
        fetch_every = FETCH_EVERY
        if text := environ.get("OPSBOOK_FETCH_EVERY"):
            try:
                fetch_every = parse_duration(text)
                if fetch_every < SHORTEST_FETCH:
                    raise ValueError(f"{text!r} is shorter than 5s")
            except ValueError as error:
                faults.append(f"OPSBOOK_FETCH_EVERY: {error}")
        looks = environ.get("OPSBOOK_LOOKS") or str(LOOKS)
        if not re.fullmatch("[0-9]{1,4}", looks) or not 1 <= int(looks) <= MOST_LOOKS:
            faults.append(f"OPSBOOK_LOOKS: {looks!r} is no number from 1 to {MOST_LOOKS}")
        if faults:
            raise InvalidSetting(
                "\n".join(faults), remedy="See `opsbook up --help` for the form of each."
            )
        return cls(
            books=tuple(one_book(book) for book in books),
            fetch_every=fetch_every,
            looks=int(looks),
            data=data_folder(data, environ),
            listen=parsed,
            database=url,
            step_user=environ.get("OPSBOOK_STEP_USER") or STEP_USER,
        )

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return LOOPBACK.fullmatch(self.listen[0]) is not None


def one_book(given: Path | str) -> Path | str:
    """Return what a BOOK is: a folder, or the address of a remote, which no path could hold."""
    text = str(given)
    return text if isinstance(given, str) and REMOTE.match(text) else Path(given)


def data_folder(given: str | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the data folder: as given, else ``OPSBOOK_DATA``, else the user's default one."""
    named = given or environ.get("OPSBOOK_DATA")
    return Path(named).expanduser().absolute() if named else default_data()


def parse_address(text: str) -> tuple[str, int]:
    """Read ``HOST:PORT``, ``[::1]:PORT`` or a port alone (then this machine only).

    Raises:
        ValueError: the end of a sentence that begins with the value.
    """
    bracketed = re.fullmatch(r"\[([0-9A-Fa-f:.%\w]+)\]:(\d{1,5})", text)
    plain = re.fullmatch(r"(?:([^:\s\[\]/@]+):)?(\d{1,5})", text)
    found = bracketed or plain
    if found is None:
        raise ValueError("is no HOST:PORT, such as 127.0.0.1:8420 or [::1]:8420")
    host, port = found[1] or LISTEN[0], int(found[2])
    if port > 65535:
        raise ValueError("has a port above 65535")
    return host, port


def _database_fault(url: str) -> str | None:
    """Say what is wrong with a database URL, without repeating it: it may hold a password."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "this is no URL; write postgresql://HOST/NAME or sqlite:////absolute/path"
    if scheme == "postgresql":
        return None
    if scheme == "sqlite":
        return (
            None if rest.strip("/") else "sqlite:// names no file; write sqlite:////absolute/path"
        )
    return f"{scheme!r} databases are not supported; write postgresql://… or sqlite:////path"
