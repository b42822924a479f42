"""The address of a Redis target, taken apart without a driver.

``redis://host[:port][/number]``, ``rediss://…`` over TLS, or ``unix:///path[?db=number]``, as
Redis' own programs read it, without a password: a book lies in git.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

PORT: Final = 6379


@dataclass(frozen=True, slots=True)
class Address:
    """Where a Redis is: a host and a port, or the path of a socket; and the number of a database"""

    host: str = ""
    port: int = PORT
    path: str = ""
    database: int = 0
    tls: bool = False


def address(url: str) -> Address:
    """The parts of an address. Raises ValueError with what is wrong, and what to do."""
    example = "write redis://host:6379, or rediss:// for TLS"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"is no address of a Redis; {example}") from None
    if parts.scheme not in {"redis", "rediss", "unix"} or parts.fragment:
        raise ValueError(f"is no address of a Redis; {example}")
    if parts.password is not None or parts.username:
        raise ValueError(
            "carries a user or a password, which every reader of the book can read; put user: and "
            "a reference to the password under read:"
        )
    more = dict(parse_qsl(parts.query, keep_blank_values=True))
    number = more.pop("db", "") if parts.scheme == "unix" else parts.path.strip("/")
    if more or not re.fullmatch(r"\d{0,5}", number):
        raise ValueError("says more than where it is; after the port only /0 may stand, a database")
    database = int(number or 0)
    if parts.scheme == "unix":
        path = unquote(parts.path)
        if parts.netloc or not path.startswith("/"):
            raise ValueError("names no socket; write unix:///run/redis/redis.sock")
        return Address(path=path, database=database)
    if not parts.hostname:
        raise ValueError(f"names no host; {example}")
    return Address(parts.hostname, port or PORT, "", database, parts.scheme == "rediss")
