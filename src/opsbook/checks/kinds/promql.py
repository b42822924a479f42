"""``promql``: what does an expression give, asked of a Prometheus?

One sample is the value. Of several, `several` says which: the worst by the check's bands (its
labels are in the message), the same with all of them told (``each``), how many there are
(``count``), or none, since there should be one (``one``).

An expression that gives nothing is missing data: most often the series is gone, and a check that
turned green with its exporter's death would be worse than none. Where nothing is what is hoped for
(an alert's expression), the book says so with `empty`. NaN and infinity are no numbers, and missing
data too: a rate of nothing by nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from opsbook.base.quantities import format_quantity
from opsbook.book.fields import Duration
from opsbook.book.sections.targets import Header, SecretText
from opsbook.checks import prometheus
from opsbook.checks.asking import Asks, credential, masked
from opsbook.checks.fields import AbsolutePath, WebAddress, complaint
from opsbook.checks.kind import Context, Kind
from opsbook.checks.model import CannotLook, Reading
from opsbook.checks.prometheus import Sample
from opsbook.checks.worst import ordered

MOST_TOLD: Final = 5
_SERIES: Final = re.compile(
    r"""[A-Za-z_:][\w:]*\s*(\{([^{}"']|"([^"\\]|\\.)*"|'([^'\\]|\\.)*')*\})?"""
)


class Promql(Asks):
    """An expression, who answers it, and what becomes of several samples or none.

    `stale` is how old a sample of a plain series may be that counts. `ca` is a file with the
    authority to trust.
    """

    url: WebAddress | None = None
    headers: Mapping[Header, SecretText] = Field(default_factory=dict)
    ca: AbsolutePath | None = None
    query: str = Field(min_length=1, max_length=10_000)
    several: Literal["worst", "each", "count", "one"] = "worst"
    empty: Literal["nodata", "ok", 0] = "nodata"
    stale: Duration | None = None

    @model_validator(mode="after")
    def _age_is_known(self) -> Self:
        if self.stale is not None and not _SERIES.fullmatch(self.query.strip()):
            raise complaint(
                "stale is only known of plain series; write query: as a name with labels, such as "
                'node_load1{job="web"}, or remove stale:'
            )
        return self

    @property
    def target_kinds(self) -> frozenset[str]:
        """What can be asked."""
        return frozenset({"prometheus"})

    @property
    def own(self) -> tuple[str, ...]:
        """What a target says itself."""
        return ("headers", "ca")

    def references(self) -> Iterator[str]:
        """The values of its headers."""
        yield from self.headers.values()


async def observe(spec: Promql, context: Context) -> Reading:
    """Ask, and make one value of what came back."""
    let_in = await credential(context, spec.headers)
    return await masked(_asked(spec, context, let_in.headers), let_in.secret)


async def _asked(spec: Promql, context: Context, headers: Mapping[str, str]) -> Reading:
    target = context.target
    base = (target.url if target is not None else spec.url) or ""
    ca = target.environment.get("SSL_CERT_FILE") if target is not None else spec.ca
    if spec.stale is None:
        return taken(
            spec, await prometheus.samples(context, base, spec.query, headers, ca=ca), context
        )
    found, old = await prometheus.fresh(context, base, spec.query, headers, spec.stale, ca=ca)
    if old and not found:
        limit = format_quantity(spec.stale.total_seconds(), "s")
        raise CannotLook(f"the newest sample is older than {limit}: nothing scrapes it any longer")
    reading = taken(spec, found, context)
    more = f"; {old} more are older than they may be" if old else ""
    return replace(reading, message=reading.message + more)


def taken(spec: Promql, found: list[Sample], context: Context) -> Reading:
    """The reading that these samples are."""
    if not found:
        return _nothing(spec)
    if spec.several == "count":
        return Reading(len(found), "", _listed([one.name for one in found]))
    if spec.several == "one" and len(found) > 1:
        raise CannotLook(
            f"the query gives {len(found)} samples ({_listed([one.name for one in found])}); "
            "aggregate them, or say with several: what is meant"
        )
    unit = context.unit or ""
    numbers = [one for one in found if math.isfinite(one.value)]
    if not numbers:
        told = f"the value is {found[0].value}" if len(found) == 1 else "no sample is a number"
        raise CannotLook(f"{told}: {_listed([one.name or 'no labels' for one in found])}")
    first, *rest = ordered(numbers, lambda one: one.value, context.bands, unit)
    told = first.name
    if spec.several == "each" and rest:
        told = _listed(
            [f"{one.name}: {format_quantity(one.value, unit)}" for one in (first, *rest)]
        )
    elif rest:
        told = f"{told}, the worst of {len(numbers)}"
    if len(numbers) < len(found):
        told += f"; {len(found) - len(numbers)} of {len(found)} samples are no number"
    return Reading(first.value, unit, told)


def _nothing(spec: Promql) -> Reading:
    told = "the query gives no sample"
    if spec.empty == "ok":
        return Reading(message=told, state="ok")
    if spec.empty == 0:
        return Reading(0.0, "", told)
    raise CannotLook(f"{told}; write empty: ok or empty: 0 if that is fine")


def _listed(names: list[str]) -> str:
    named = [one for one in names if one]
    more = f" and {len(named) - MOST_TOLD} more" if len(named) > MOST_TOLD else ""
    return "; ".join(named[:MOST_TOLD]) + more


KIND = Kind("promql", Promql, observe)
