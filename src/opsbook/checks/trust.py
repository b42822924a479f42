"""Whom a look over TLS trusts, and who it says it is.

Made once for each set of files and made again when one of them has changed, so that an authority
that was renewed counts from the next look on. The machine's own authorities are read once; reading
them takes tens of milliseconds, and they change with the system.
"""

from __future__ import annotations

import functools
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from opsbook.checks.kind import Context
from opsbook.checks.model import CannotLook


@dataclass(frozen=True, slots=True)
class Trust:
    """`ca` is a file of authorities that are trusted instead of the machine's.

    `certificate` and `key` are what is shown to a server that asks who we are; without `key`, it is
    in the same file. `names` is whether a certificate has to be for the name that was asked for.
    """

    verify: bool = True
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    names: bool = True


async def trusting(trust: Trust, context: Context) -> ssl.SSLContext:
    """Return what TLS needs; files are read on a thread.

    Raises:
        CannotLook: a file is missing, or is not what it should be.
    """
    if trust.ca is None and trust.certificate is None:
        return _made(trust, ())
    return await context.blocking(lambda: _fresh(trust))


def _fresh(trust: Trust) -> ssl.SSLContext:
    changed: list[tuple[int, int]] = []
    for path in (trust.ca, trust.certificate, trust.key):
        if path is not None:
            try:
                found = os.stat(path)  # noqa: PTH116
            except OSError as error:
                raise CannotLook(f"{path} cannot be read: {error.strerror}") from None
            changed.append((found.st_ino, found.st_mtime_ns))
    return _made(trust, tuple(changed))


@functools.lru_cache(maxsize=64)
def _made(trust: Trust, changed: tuple[tuple[int, int], ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not trust.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.check_hostname = trust.names
        if trust.ca is None:
            context.load_default_certs()
        else:
            _load(context.load_verify_locations, trust.ca, "holds no certificate")
    if trust.certificate is not None:
        _load(
            lambda path: context.load_cert_chain(path, trust.key, password=_no_password),
            trust.certificate,
            "and its key do not belong together, or are not in PEM form without a password",
        )
    return context


def _load(load: Callable[[str], None], path: str, wrong: str) -> None:
    try:
        load(path)
    except ssl.SSLError:
        raise CannotLook(f"{path} {wrong}") from None
    except (OSError, ValueError) as error:
        raise CannotLook(f"{path} cannot be read: {getattr(error, 'strerror', error)}") from None


def _no_password() -> str:
    """A key with a password would be asked for on the terminal otherwise."""
    return ""
