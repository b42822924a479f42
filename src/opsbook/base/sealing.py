"""Texts sealed with a key that is not in the database: what is stolen with a dump stays closed.

The key is a file in the data folder, of the server's user alone, made at the first start; or it
comes from where ``OPSBOOK_SEAL_KEY`` points, which is how several servers on one database have the
same. It may be several keys, one a line: the first seals, all of them open. So a key is replaced by
putting a new one above it, and taking the old one out once nothing sealed with it is left.

Sealed is what Fernet makes of it (AES-128-CBC and HMAC-SHA256, with a version and a time): an
established form with a key rotation of its own. It does not hide how long a text is.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from opsbook.base import secrets
from opsbook.base.errors import OpsbookError, StartError
from opsbook.base.places import write_private

SETTING: Final = "OPSBOOK_SEAL_KEY"


class OtherKey(OpsbookError):
    """A text was sealed with a key that this server does not have."""


class Sealer:
    """Seals with the first of its keys and opens with any."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = tuple(keys)
        """They are secrets themselves: to be masked, and never to be told."""
        self._fernets = MultiFernet([Fernet(key) for key in keys])
        raw = base64.urlsafe_b64decode(keys[0])
        self._digests = hmac.digest(raw, b"opsbook: digests of sealed texts", "sha256")

    @classmethod
    def of_file(cls, file: Path, environ: Mapping[str, str] = os.environ) -> Sealer:
        """Return this server's sealer: by what ``OPSBOOK_SEAL_KEY`` refers to, else by `file`.

        The file is made where it is missing, and nothing else is: a server without its own key
        starts, and says of each value that was sealed with another that it was.

        Raises:
            StartError: the key cannot be read, is none, or others can read it.
        """
        reference = environ.get(SETTING)
        return cls(_referred(reference) if reference else _kept(file))

    def seal(self, text: str) -> str:
        """Return the text sealed, as one line."""
        return self._fernets.encrypt(text.encode("utf-8", "surrogateescape")).decode()

    def open(self, sealed: str) -> str:
        """Return the text.

        Raises:
            OtherKey: none of the keys is the one it was sealed with, or it was altered.
        """
        try:
            return self._fernets.decrypt(sealed).decode("utf-8", "surrogateescape")
        except InvalidToken:
            raise OtherKey(
                "A sealed value cannot be opened: it was sealed with another key than this "
                "server's, or was altered since.",
                remedy="Give every server that uses this database the same key (the file seal.key "
                f"of the data folder, or {SETTING}); after a key was replaced, keep the old one "
                "on a line below the new one.",
            ) from None

    def digest(self, *texts: str) -> str:
        """Return a digest that only who has the key can make: it gives nothing away to others.

        A plain hash of a secret that people choose is as good as the secret: it can be guessed at.
        The same texts have the same digest until the key is replaced.
        """
        parts = [one.encode("utf-8", "surrogateescape") for one in texts]
        joined = b"".join(hashlib.sha256(part).digest() for part in parts)
        return hmac.digest(self._digests, joined, "sha256").hex()


def _referred(reference: str) -> list[str]:
    try:
        return _keys(secrets.resolve(reference), f"what {SETTING} refers to")
    except secrets.SecretMissing as error:
        raise StartError(f"{SETTING}: {error.message}", remedy=error.remedy) from None


def _kept(file: Path) -> list[str]:
    try:
        about = file.stat()
    except FileNotFoundError:
        write_private(file, Fernet.generate_key().decode() + "\n")
        about = file.stat()
    if about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise StartError(
            f"The key {file}, which secrets are sealed with, can be read by others "
            f"(mode {stat.S_IMODE(about.st_mode):04o}).",
            remedy=f"Run `chmod 600 {file}`; if others may have read it, put a new key above it.",
        )
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(
            f"The key {file} cannot be read: {error}.",
            remedy="Put the file back as it was; without it sealed values are lost.",
        ) from None
    return _keys(text, str(file))


def _keys(text: str, source: str) -> list[str]:
    """The keys in a text; a message names their lines and never what stands there."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    keys = [(number, line) for number, line in lines if line and not line.startswith("#")]
    wrong = [number for number, line in keys if not _is_key(line)]
    if wrong or not keys:
        told = f"line {', '.join(map(str, wrong))} is no key" if wrong else "there is no key"
        raise StartError(
            f"Secrets cannot be sealed with {source}: {told}.",
            remedy="Write each key on a line of its own: 32 bytes in URL-safe base64, as "
            "`openssl rand -base64 32 | tr +/ -_` makes them.",
        )
    return [line for _, line in keys]


def _is_key(line: str) -> bool:
    try:
        Fernet(line)
    except ValueError:
        return False
    return True
