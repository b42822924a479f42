"""The address of a PostgreSQL target, taken apart without a driver.

``postgresql://[user@]host[:port]/database[?sslmode=…]``, as libpq reads it, without a password: a
book lies in git. Only settings that say where and how to connect are known; one such as ``options``
would set what the read-only transaction must not let itself be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

VARIABLES: Final[Mapping[str, str]] = {
    "host": "PGHOST",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
"""What an address may set, and the variable in which programs such as psql look for it."""


def address(url: str) -> dict[str, str]:
    """The settings by libpq's names. Raises ValueError with what is wrong, and what to do."""
    example = "write postgresql://host:5432/database"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"is no address of a database; {example}") from None
    if parts.scheme not in {"postgresql", "postgres"} or parts.fragment:
        raise ValueError(f"is no address of a database; {example}")
    if parts.password is not None:
        raise ValueError(
            "carries a password, which every reader of the book can read; put a reference to it "
            "under read: or change:"
        )
    more = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(more.keys() - VARIABLES.keys()):
        raise ValueError(
            f"sets {unknown[0]!r}, which no target may; it may set {', '.join(VARIABLES)}"
        )
    found = {
        "host": unquote(parts.hostname or ""),
        "port": str(port or ""),
        "dbname": unquote(parts.path.removeprefix("/")),
        "user": unquote(parts.username or ""),
    }
    settings = {name: value for name, value in found.items() if value} | more
    if not settings.get("host") or not settings.get("dbname"):
        raise ValueError(f"names no host or no database; {example}")
    return settings
