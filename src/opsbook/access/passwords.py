"""Passwords: Argon2id, the same time for a name that exists and for one that does not.

The parameters are the second choice of RFC 9106 (section 4), meant for machines where 2 GiB for one
sign-in is too much: 3 passes over 64 MiB with 4 lanes. Two computations at most run at once, so a
flood of sign-ins costs 128 MiB and a queue instead of the machine's memory. All of this is slow on
purpose: call it through ``asyncio.to_thread``.

Refused: rules about digits and signs. They make people write ``Passw0rd!``; length is what counts.
"""

from __future__ import annotations

import contextlib
import threading
import unicodedata
from typing import Final

import argon2

from opsbook.access.errors import WeakPassword

SHORTEST: Final = 10
LONGEST: Final = 1024
_HASHER: Final = argon2.PasswordHasher(
    time_cost=3, memory_cost=64 * 1024, parallelism=4, hash_len=32, salt_len=16
)
_AT_ONCE: Final = threading.BoundedSemaphore(2)

# The hash of 32 random bytes that were thrown away: what an unknown name is compared with. A test
# holds its parameters against the ones above.
_NOBODY: Final = (
    "$argon2id$v=19$m=65536,t=3,p=4$NlQgXcH4Ssg50YOLxXdd1w$dHvELp"
    "ttAsBcFbVSOcdRgHrZwOP9pPZD8oLc1jUACO0"
)


def check(password: str, login: str) -> None:
    """Refuse a password that cannot be used.

    Raises:
        WeakPassword: with everything that is wrong with it at once.
    """
    given = _plain(password)
    faults = []
    if len(given) < SHORTEST:
        faults.append(f"It has {len(given)} characters; {SHORTEST} are the fewest.")
    if len(given) > LONGEST:
        faults.append(f"It has {len(given)} characters; {LONGEST} are the most.")
    if given.casefold() == _plain(login).casefold():
        faults.append("It is the name you sign in with.")
    if len(set(given)) < 4:
        faults.append("It is made of fewer than four different characters.")
    if faults:
        raise WeakPassword(
            " ".join(["The password cannot be used.", *faults]),
            remedy="A short sentence that only you would say is good and easy to keep in mind.",
            problems=[{"name": "password", "message": fault} for fault in faults],
        )


def hash(password: str) -> str:
    """Return what is stored: algorithm, parameters, salt and hash in one text."""
    with _AT_ONCE:
        return _HASHER.hash(_plain(password))


def verify(stored: str | None, password: str) -> bool:
    """Tell whether the password fits; ``None`` (no such account) takes the same time and is no."""
    given = _plain(password)[:LONGEST]
    wrong = (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError)
    with _AT_ONCE, contextlib.suppress(*wrong):
        return _HASHER.verify(stored or _NOBODY, given) and stored is not None
    return False


def stale(stored: str) -> bool:
    """Tell whether a stored hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


def _plain(text: str) -> str:
    """Return the text in one form: macOS and Windows compose Hangul differently (NFD, NFC)."""
    return unicodedata.normalize("NFKC", text).encode("utf-8", "replace").decode("utf-8")
