"""``redis``: does it answer, how full is it, do its replicas follow, how long is a queue in it?

A server that refuses, is loading, has no connection left or whose link to its primary is down is
critical. One that does not let us in is missing data, and so is a key that holds no number. A list
that is empty is not there in Redis, so that the length of what is not there is 0.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from opsbook.book import redis
from opsbook.book.fields import Duration, Whole
from opsbook.book.sections.targets import USER_FORM, SecretText
from opsbook.checks.asking import Asks, credential, masked
from opsbook.checks.databases import info
from opsbook.checks.fields import AbsolutePath, complaint
from opsbook.checks.kind import Context, Kind
from opsbook.checks.model import CannotLook, Reading

if TYPE_CHECKING:
    from opsbook.checks.asking import Credential
    from opsbook.checks.databases.redis import Session

UNITS: Final = {
    "ping": "ms",
    "memory": "%",
    "clients": "%",
    "replication_lag": "s",
    "replication_lag_bytes": "bytes",
    "evicted": "",
    "rejected": "",
    "hit_rate": "%",
}
LENGTHS: Final = {
    "none": "",
    "list": "LLEN",
    "set": "SCARD",
    "zset": "ZCARD",
    "hash": "HLEN",
    "stream": "XLEN",
    "string": "STRLEN",
}
MOST_DIGITS: Final = 64


def _address(value: Any) -> Any:
    if isinstance(value, str):
        try:
            redis.address(value)
        except ValueError as error:
            raise complaint(f"it {str(error).replace(' under read:', '')}") from None
    return value


class Redis(Asks):
    """A target or a `url`, and a `metric` or a `key`: its length, or the number in it.

    `window` is for evicted and rejected; `replicas` and `role` for replication: how many there must
    be at least, and which this one is. `ca` is a file with the authority to trust.
    """

    url: Annotated[str, BeforeValidator(_address), Field(max_length=2000)] | None = None
    user: str | None = Field(default=None, pattern=USER_FORM)
    password: SecretText | None = None
    ca: AbsolutePath | None = None
    metric: (
        Literal[
            "ping",
            "memory",
            "clients",
            "replication_lag",
            "replication_lag_bytes",
            "evicted",
            "rejected",
            "hit_rate",
        ]
        | None
    ) = None
    key: str | None = Field(default=None, min_length=1, max_length=1000)
    measure: Literal["length", "value"] = "length"
    window: Duration = timedelta(minutes=15)
    replicas: Whole = Field(default=1, ge=0, le=100)
    role: Literal["primary", "replica"] | None = None

    @property
    def own(self) -> tuple[str, ...]:
        """What a target says itself."""
        return ("user", "password", "ca")

    @property
    def target_kinds(self) -> frozenset[str]:
        """What can be asked."""
        return frozenset({"redis"})

    @property
    def value_unit(self) -> str | None:
        """The unit of a metric, a plain number for a length; of a value, the book says it."""
        if self.metric is not None:
            return UNITS[self.metric]
        return "" if self.measure == "length" else None

    def references(self) -> Iterator[str]:
        """Its password."""
        if self.password is not None:
            yield self.password

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        if (self.metric is None) == (self.key is None):
            raise complaint("it looks at one thing; write metric: or key:, exactly one of them")
        return self


async def observe(spec: Redis, context: Context) -> Reading:
    """Connect, and ask for what the metric needs."""
    let_in = await credential(context, user=spec.user, password=spec.password)
    return await masked(_asked(spec, context, let_in), let_in.secret)


async def _asked(spec: Redis, context: Context, let_in: Credential) -> Reading:
    # The driver takes 7 MB and a tenth of a second, which a server pays whose book asks a Redis.
    from redis import exceptions  # noqa: PLC0415

    from opsbook.checks.databases.redis import Open, Unreachable, meaning  # noqa: PLC0415

    target = context.target
    try:
        address = redis.address((target.url if target is not None else spec.url) or "")
    except ValueError as error:
        raise CannotLook(f"the address {error}") from None
    ca = target.environment.get("SSL_CERT_FILE") if target is not None else spec.ca
    way = Open(context, address, let_in, ca)
    try:
        async with way as session:
            return await (_key(spec, session) if spec.key else _metric(spec, session, context))
    except Unreachable as error:
        return error.reading
    except exceptions.RedisError as error:
        return meaning(error, way.where)


async def _metric(spec: Redis, session: Session, context: Context) -> Reading:
    if spec.metric == "ping":
        began = time.perf_counter()
        answer = await session.ask("PING")
        took = (time.perf_counter() - began) * 1000
        return Reading(took, "ms", f"answers {answer}")
    told = info.parsed(str(await session.ask("INFO")))
    match spec.metric:
        case "memory":
            return info.memory(told)
        case "clients":
            return info.clients(told)
        case "evicted":
            words = "keys evicted"
            return info.grown(told, "evicted_keys", words, context.memory, context.now, spec.window)
        case "rejected":
            words = "connections rejected"
            return info.grown(
                told, "rejected_connections", words, context.memory, context.now, spec.window
            )
        case "hit_rate":
            return info.hit_rate(told, context.memory)
        case _:
            return info.replication(told, UNITS[spec.metric or ""], spec.role, spec.replicas)


async def _key(spec: Redis, session: Session) -> Reading:
    key = spec.key or ""
    kind = str(await session.ask("TYPE", key))
    if spec.measure == "length":
        if kind not in LENGTHS:
            raise CannotLook(f"{key} is a {kind}, whose length this check does not know")
        if kind == "none":
            return Reading(0.0, "", f"{key} is not there, which is a length of 0")
        return Reading(float(await session.ask(LENGTHS[kind], key)), "", f"{key}, a {kind}")
    if kind == "none":
        raise CannotLook(f"{key} is not there")
    if kind != "string":
        raise CannotLook(f"{key} is a {kind}, which is no number; write measure: length")
    text = str(await session.ask("GETRANGE", key, 0, MOST_DIGITS))
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or len(text) > MOST_DIGITS:
        raise CannotLook(f"{key} holds {text[:MOST_DIGITS]!r}, which is no number")
    return Reading(number, "", key)


KIND = Kind("redis", Redis, observe, silence="critical")
