"""Where a book comes from, as it is written: a folder, or a git remote with branch and subfolder.

``https://host/team/books.git#main:shop``, ``ssh://…``, ``git@host:team/books.git#:shop``,
``file:///srv/books.git``. What stands before ``#`` is for git alone; git's helpers that run
programs (``ext::…``) and unencrypted transports, where anybody on the way decides what runs, are
no addresses.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from opsbook.revisions.errors import InvalidAddress

REMOTE = re.compile(r"(?P<scheme>https|ssh|file)://[^\s#]+|[\w.-]+@[\w.-]+:[^\s#:][^\s#]*")
BRANCH = re.compile(r"[\w][\w./-]*")
PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):[^/@\s]*@")
TOKEN = re.compile(r"(?<=https://)[^/@\s:]+@")


@dataclass(frozen=True, slots=True)
class FolderAddress:
    """A folder on this machine."""

    path: Path

    @property
    def key(self) -> str:
        """The name of this source in the database."""
        return str(self.path.absolute())

    @property
    def origin(self) -> str:
        """What revisions from here say they come from."""
        return f"folder:{self.path.absolute().name}"


@dataclass(frozen=True, slots=True)
class RemoteAddress:
    """A git remote; ``branch`` "" is the remote's own default, ``subfolder`` "" its top."""

    url: str
    branch: str = ""
    subfolder: str = ""

    @property
    def key(self) -> str:
        """The name of this source in the database and to people: without a password."""
        part = f"{self.branch}:{self.subfolder}" if self.subfolder else self.branch
        return masked(self.url) + (f"#{part}" if part else "")

    @property
    def folder(self) -> str:
        """The name of the clone's folder; every subfolder of one branch shares a clone."""
        return hashlib.sha256(f"{masked(self.url)}#{self.branch}".encode()).hexdigest()[:16]


Address = FolderAddress | RemoteAddress


def masked(text: str) -> str:
    """Return a text without the passwords and tokens that URLs in it carry."""
    return TOKEN.sub("…@", PASSWORD.sub(r"\1:…@", text))


def parse(given: Path | str) -> Address:
    """Read what a person wrote as BOOK.

    Raises:
        InvalidAddress: it looks like a remote, and is none we follow.
    """
    if isinstance(given, Path):
        return FolderAddress(given)
    url, _, rest = given.partition("#")
    if REMOTE.fullmatch(url) is None:
        if "://" not in given and "::" not in given:
            return FolderAddress(Path(given))
        raise InvalidAddress(
            f"{masked(given)!r} is no address of a book.",
            remedy="Write a folder, or https://…, ssh://…, git@host:… or file:///… with "
            "#branch:subfolder behind it where needed.",
        )
    branch, _, subfolder = rest.partition(":")
    if branch and (BRANCH.fullmatch(branch) is None or ".." in branch):
        raise InvalidAddress(
            f"{masked(given)!r}: {branch!r} cannot be the name of a branch.",
            remedy="Write #branch:subfolder behind the address.",
        )
    parts = [part for part in subfolder.split("/") if part]
    if any(part.startswith((".", "-")) for part in parts):
        raise InvalidAddress(
            f"{masked(given)!r}: {subfolder!r} cannot be a book's folder.",
            remedy="Name the folder from the top of the repository, without dots before names.",
        )
    return RemoteAddress(url, branch, "/".join(parts))
