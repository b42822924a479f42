"""What a server lends to the looks at its checks, beyond a thread and a connection.

Few kinds need any of it: what jobs have reported lies in the database, a schedule runs by the
book's days and zone, and a program of the book runs under the supervisor that steps run under,
which stands above this package and is handed in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from opsbook.base.database import Database
from opsbook.book import Book


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program of a book, to be run once for a look.

    `argv[0]` is a name that the usual PATH finds, an absolute path, or a file of the book under
    ``files/``. `environment` is added to the few variables that every program gets; what
    `secrets` lists is hidden in what comes back.
    """

    book: Book
    check: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    secrets: tuple[str, ...]
    timeout: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How it ended. `status` is its exit status; None where it was ended, and `note` says by what.

    `output` is what it printed on both of its outputs, bounded and masked.
    """

    status: int | None
    output: str
    note: str = ""


Programs = Callable[[Program], Awaitable[Ended]]
"""Runs a program to its end, with nothing of it left behind. Raises OpsbookError if it cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lent:
    """`book` is the running revision that the check is in; `data` the server's own folder."""

    database: Database
    book: Callable[[str], Book]
    data: Path
    programs: Programs | None = None
