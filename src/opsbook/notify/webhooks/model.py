"""What a delivery says, how it is signed, and when it is tried again: values in, values out."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from opsbook.base import secrets
from opsbook.base.errors import OpsbookError
from opsbook.book.sections.webhooks import SECRET_FORM, Webhook

TEST: Final = "webhook.test"
ALERTS: Final = "alerts"
"""A group of alerts as it stands: the newest takes the place of those that still wait."""
PAUSES: Final = tuple(timedelta(seconds=one) for one in (5, 30, 120, 600, 1800, 3600))
GIVE_UP: Final = timedelta(hours=24)
KEPT: Final = timedelta(days=30)


def next_try(created: datetime, attempts: int, now: datetime) -> datetime | None:
    """Return when a delivery is tried again after its ``attempts``-th failure; ``None`` gives up.

    5 s, 30 s, 2 min, 10 min, 30 min, then every hour, the last time a day after its event. Slower
    than a page: nobody is waiting to be woken, and a receiver that comes back has to take what was
    kept for it.
    """
    end = created + GIVE_UP
    if now >= end:
        return None
    return min(now + PAUSES[min(attempts, len(PAUSES)) - 1], end)


def identity(key: str, at: datetime) -> str:
    """Return a delivery's id: the same for every attempt, and no other's, ever.

    The time of its cause is part of it, since a database that was made anew counts its events from
    one again, and a receiver may remember for longer.
    """
    return hashlib.sha256(f"{key}\n{at.astimezone(UTC).isoformat()}".encode()).hexdigest()[:32]


def envelope(
    id: str, event: str, at: datetime, sequence: int, book: Mapping[str, Any],
    about: Mapping[str, Any], known: Iterable[str] = (),
) -> str:  # fmt: skip
    """Return a delivery's body; every value in it has the ``known`` secrets hidden.

    Hidden value by value and not in the finished text, so that no secret can break its form.
    """
    hidden = sorted(set(known), key=len, reverse=True)
    told = {
        "id": id,
        "event": event,
        "at": moment(at),
        "sequence": sequence,
        **_masked({"book": book, **about}, hidden),
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def moment(at: datetime) -> str:
    """Return a time as the interface for programs writes it."""
    told = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return told.replace("+00:00", "Z")


def _masked(value: Any, hidden: list[str]) -> Any:
    if isinstance(value, str):
        return secrets.mask(value, hidden)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, Mapping):
        return {str(key): _masked(inner, hidden) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(inner, hidden) for inner in value]
    return value


def signature(secret: str, now: datetime, body: str) -> str:
    """Return the header ``Opsbook-Signature``: when it was signed, and over that and the body.

    The time is signed as well, so that whoever has caught a request cannot send it again next week
    with a new one.
    """
    seconds = int(now.timestamp())
    signed = hmac.new(secret.encode(), f"{seconds}.{body}".encode(), hashlib.sha256)
    return f"t={seconds},v1={signed.hexdigest()}"


def looked_up(value: str) -> str:
    """Return a header's value, from where it is kept if it is a reference.

    Raises:
        SecretMissing: nothing is there.
    """
    return secrets.resolve(value) if re.fullmatch(SECRET_FORM, value) else value


def hook_secrets(hooks: Iterable[Webhook]) -> set[str]:
    """Return what is secret about these hooks and can be found now, to be hidden in texts."""
    found: set[str] = set()
    for hook in hooks:
        for reference in (hook.url.secret, hook.secret, *hook.headers.values()):
            if reference is not None and re.fullmatch(SECRET_FORM, reference):
                with contextlib.suppress(OpsbookError):
                    found.add(secrets.resolve(reference))
    return {one for one in found if one}
