"""Where things lie on disk, and who may read them.

The data folder belongs to the server alone: database, keys and tokens are 0600. Steps run as
another user where that is possible; what they may see (their scratch folder, the book's work
folder) must be reachable for that user, which a data folder under somebody's home is not. It then
lies under ``/var/tmp``, in a folder of this server's own, and ``opsbook up`` says so.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from opsbook.base.errors import StartError


@dataclass(frozen=True)
class Places:
    """The folders of one server. ``user`` is (uid, gid) for steps, or ``None`` for our own."""

    data: Path
    steps: Path
    work: Path
    files: Path
    user: tuple[int, int] | None

    @property
    def database(self) -> Path:
        """The embedded database."""
        return self.data / "opsbook.db"

    @property
    def log(self) -> Path:
        """The server's own log."""
        return self.data / "opsbook.log"

    @property
    def audit(self) -> Path:
        """Signing key, certificate and the list of sealed heads."""
        return self.data / "audit"

    @property
    def seal_key(self) -> Path:
        """The key that seals secret values in the database."""
        return self.data / "seal.key"

    @property
    def token(self) -> Path:
        """The token that lets programs of this user on this machine start and read."""
        return self.data / "local.token"

    @property
    def address(self) -> Path:
        """Where the running server listens."""
        return self.data / "server.json"


def default_data() -> Path:
    """Return the data folder used when none is named."""
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "opsbook"


def step_user(name: str = "nobody") -> tuple[int, int] | None:
    """Return (uid, gid) of the user that steps run as when we are root; ``None`` otherwise."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise StartError(
            f"Steps are to run as user {name!r}, and this machine has no such user.",
            remedy="Create it, or name another in OPSBOOK_STEP_USER.",
        ) from None
    return entry.pw_uid, entry.pw_gid


def passable(folder: Path) -> bool:
    """Tell whether any user may walk down to ``folder``."""
    full = folder.resolve()
    return all(one.stat().st_mode & stat.S_IXOTH for one in (full, *full.parents) if one.exists())


def prepare(data: Path, user: tuple[int, int] | None) -> Places:
    """Create the folders, or say which one cannot be written and what to do.

    Raises:
        StartError: the data folder cannot be created or written.
    """
    data = data.expanduser().absolute()
    try:
        data.mkdir(parents=True, exist_ok=True)
        probe = data / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise StartError(
            f"The data folder {data} cannot be written: {error.strerror or error}.",
            remedy="Give this user the right to write there, or name another with --data.",
        ) from error
    shared = data
    if user is not None:
        data.chmod(0o711)
        if not passable(data):
            name = hashlib.sha256(str(data).encode()).hexdigest()[:10]
            shared = _own_folder(Path("/var/tmp") / f"opsbook-{name}")  # noqa: S108
    else:
        data.chmod(0o700)
    steps, work, files = shared / "steps", shared / "work", shared / "files"
    for folder in (steps, work, files):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711)
    return Places(data=data, steps=steps, work=work, files=files, user=user)


def _own_folder(folder: Path) -> Path:
    folder.mkdir(mode=0o711, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise StartError(
            f"{folder} belongs to somebody else (uid {found.st_uid}).",
            remedy="Remove it, or choose a data folder that other users can pass through.",
        )
    folder.chmod(0o711)
    return folder


def write_private(file: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all."""
    partial = file.with_suffix(file.suffix + ".new")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    partial.replace(file)
