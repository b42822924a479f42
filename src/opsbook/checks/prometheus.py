"""Asking a Prometheus, or what speaks as one: an expression at this moment, and its samples.

The answer's form: https://prometheus.io/docs/prometheus/latest/querying/api/ (instant queries).
Whatever is not that form, or is an error of Prometheus', is `CannotLook`: the server that is asked
is not what is looked at, so nothing that goes wrong with it says anything about that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import aiohttp
import msgspec
from yarl import URL

from opsbook.checks.asking import body, unreachable
from opsbook.checks.connect import place
from opsbook.checks.kind import Context
from opsbook.checks.model import CannotLook
from opsbook.checks.trust import Trust, trusting

MOST_BYTES: Final = 8 * 1024 * 1024
ITS_SHARE: Final = 0.9
"""How much of the look's time Prometheus gets, so that it can still say that it gave up."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value and the labels of its series; a scalar has none."""

    labels: Mapping[str, str]
    value: float

    @property
    def name(self) -> str:
        """The labels as PromQL writes them; empty for none."""
        plain = {name: value for name, value in self.labels.items() if name != "__name__"}
        listed = ", ".join(f'{name}="{value}"' for name, value in sorted(plain.items()))
        metric = self.labels.get("__name__", "")
        return f"{metric}{{{listed}}}" if listed else metric


class _Data(msgspec.Struct):
    resultType: str  # noqa: N815  Prometheus' own word
    result: msgspec.Raw


class _Answer(msgspec.Struct):
    status: str
    data: _Data | None = None
    error: str = ""


class _Series(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str]


_ANSWER: Final = msgspec.json.Decoder(_Answer)
_VECTOR: Final = msgspec.json.Decoder(list[_Series])
_SCALAR: Final = msgspec.json.Decoder(tuple[float, str])


async def samples(
    context: Context,
    base: str,
    query: str,
    headers: Mapping[str, str],
    *,
    ca: str | None = None,
) -> list[Sample]:
    """Return what the expression gives now.

    A redirect is not followed: it would carry the credential elsewhere.

    Raises:
        CannotLook: no answer, or none that gives numbers.
    """
    url = URL(base.rstrip("/") + "/api/v1/query")
    where = place(url.host or "", url.port or "")
    asked = {"query": query, "timeout": f"{context.timeout.total_seconds() * ITS_SHARE:.3f}"}
    trust = await trusting(Trust(ca=ca), context)
    try:
        async with context.http.get(
            url.update_query(asked), headers=headers, ssl=trust, allow_redirects=False
        ) as response:
            return read(await body(response, MOST_BYTES), response.status, where)
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(error, TimeoutError):  # the look's own time is up
            raise
        raise unreachable(error, where) from None


async def fresh(
    context: Context,
    base: str,
    query: str,
    headers: Mapping[str, str],
    newest: timedelta,
    *,
    ca: str | None = None,
) -> tuple[list[Sample], int]:
    """Return the samples of a series that are younger than `newest`, and how many are not.

    Prometheus counts what is up to five minutes old as now. How old it is only ``timestamp()``
    tells, by the clock of Prometheus, and of plain series alone. (Newer ones take a limit with the
    question; older ones, Debian's among them, pass over it without a word.)

    Raises:
        CannotLook: no answer, or none that gives numbers.
    """
    found, ages = await asyncio.gather(
        samples(context, base, query, headers, ca=ca),
        samples(context, base, f"time() - timestamp({query})", headers, ca=ca),
    )
    limit = newest.total_seconds()
    young = {_key(one) for one in ages if one.value <= limit}
    kept = [one for one in found if _key(one) in young]
    return kept, len(found) - len(kept)


def _key(sample: Sample) -> frozenset[tuple[str, str]]:
    return frozenset(one for one in sample.labels.items() if one[0] != "__name__")


def read(answer: bytes, status: int, where: str) -> list[Sample]:
    """Return the samples in an answer.

    Raises:
        CannotLook: it is an error, or no numbers at one moment.
    """
    if status in {401, 403}:
        raise CannotLook(f"{where} does not let us in (status {status}); check the credential")
    try:
        told = _ANSWER.decode(answer)
        if told.status != "success" or told.data is None:
            raise CannotLook(
                f"{where} does not answer the query: {told.error or 'no reason given'}"
            )
        match told.data.resultType:
            case "vector":
                found = _VECTOR.decode(told.data.result)
                return [Sample(one.metric, float(one.value[1])) for one in found]
            case "scalar":
                return [Sample({}, float(_SCALAR.decode(told.data.result)[1]))]
            case kind:
                wanted = "write one that gives numbers at one moment"
                raise CannotLook(f"the query gives a {kind}; {wanted}")
    except (msgspec.DecodeError, ValueError):
        raise CannotLook(f"{where} does not answer as Prometheus does (status {status})") from None
