"""Volumes that are claimed, how full they are, and what a namespace may use."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from opsbook.base.quantities import format_quantity
from opsbook.checks.kubernetes.api import Api, NotThere
from opsbook.checks.kubernetes.asked import Asked, counted, found, listed, none_to_count, nothing
from opsbook.checks.kubernetes.objects import Claim, Node, Quota, Summary, Volume
from opsbook.checks.model import CannotLook, Reading

AT_ONCE: Final = 8
_AMOUNT: Final = re.compile(r"([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)([a-zA-Z]*|[eE][+-]?\d+)")
_SIZES: Final = {
    "": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "E": 1e18, **{f"{name}i": 1024.0**n for n, name in enumerate("KMGTPE", start=1)},
}  # fmt: skip


async def claims(api: Api, asked: Asked) -> Reading:
    """How many claims have no volume although they have waited; a lost volume is critical."""
    every = await found(api, asked, "/api/v1", "persistentvolumeclaims", Claim)
    if not every:
        return await none_to_count(api, asked, "claim")
    lost = [one for one in every if one.status.phase == "Lost"]
    waiting = [
        one for one in every if one.status.phase not in {"Bound", "Lost"} and _old(one, asked)
    ]
    told = f"{len(lost) + len(waiting)} of {counted(len(every), 'claim')} without a volume"
    if lost or waiting:
        names = (
            f"{asked.shown(one.metadata.namespace, one.metadata.name)} ({one.status.phase or '?'})"
            for one in (*lost, *waiting)
        )
        told += f": {listed(names)}"
    return Reading(len(lost) + len(waiting), "", told, "critical" if lost else None)


def _old(claim: Claim, asked: Asked) -> bool:
    made = claim.metadata.creation_timestamp
    return made is None or asked.now - made >= asked.longer_than


async def usage(api: Api, asked: Asked) -> Reading:
    """How full the fullest volume is, in percent of its bytes or of its entries, as kubelets say.

    Raises:
        CannotLook: no kubelet says anything, or none of these claims is mounted.
    """
    nodes = await api.objects("/api/v1/nodes", Node)
    gate = asyncio.Semaphore(AT_ONCE)

    async def of(node: str) -> list[Volume] | Exception:
        async with gate:
            try:
                summary = await api.one(f"/api/v1/nodes/{node}/proxy/stats/summary", Summary)
            except (CannotLook, NotThere) as error:
                return error
        return [one for pod in summary.pods or () for one in pod.volume or ()]

    told = await asyncio.gather(*(of(one.metadata.name) for one in nodes))
    failed = [one for one in told if isinstance(one, Exception)]
    if failed and len(failed) == len(told):
        raise CannotLook(f"no kubelet says how full its volumes are: {failed[0]}")
    volumes = {
        (one.pvc_ref.namespace, one.pvc_ref.name): one
        for part in told
        if not isinstance(part, Exception)
        for one in part
        if one.pvc_ref is not None and one.capacity_bytes and _meant(one.pvc_ref, asked)
    }
    silent = f"; {counted(len(failed), 'kubelet')} did not answer" if failed else ""
    if not volumes:
        raise CannotLook(f"no claim {asked.which} is mounted{silent}".replace("  ", " "))
    fullest = max(volumes, key=lambda name: _full(volumes[name]))
    one = volumes[fullest]
    free = format_quantity(max(0, one.capacity_bytes - one.used_bytes), "bytes")
    words = (
        f"{asked.shown(*fullest)}: {free} of {format_quantity(one.capacity_bytes, 'bytes')} free"
    )
    words += f"; the fullest of {len(volumes)}" if len(volumes) > 1 else ""
    return Reading(_full(one), "%", words + silent)


def _meant(claim: object, asked: Asked) -> bool:
    namespace, name = getattr(claim, "namespace", ""), getattr(claim, "name", "")
    return (asked.everywhere or namespace == asked.namespace) and asked.name in {None, name}


def _full(one: Volume) -> float:
    entries = 100 * one.inodes_used / one.inodes if one.inodes else 0.0
    return max(100 * one.used_bytes / one.capacity_bytes, entries)


async def quota(api: Api, asked: Asked) -> Reading:
    """How much of a quota is used, in percent, of the resource that is nearest to its end.

    Raises:
        CannotLook: the quota does not limit that resource.
    """
    quotas = await found(api, asked, "/api/v1", "resourcequotas", Quota)
    if not quotas:
        return await nothing(api, asked, "quota")
    shares: list[tuple[float, str, str, str, str]] = []
    for one in quotas:
        used = one.status.used or {}
        for resource, hard in (one.status.hard or {}).items():
            if asked.resource in {None, resource}:
                name = asked.shown(one.metadata.namespace, one.metadata.name)
                taken = used.get(resource, "0")
                shares.append((_share(taken, hard), name, resource, taken, hard))
    if not shares:
        raise CannotLook(f"no quota {asked.which} limits {asked.resource or 'anything'}")
    share, name, resource, taken, hard = max(shares)
    return Reading(share, "%", f"{name}: {taken} of {hard} {resource}")


def _share(used: str, hard: str) -> float:
    limit = amount(hard)
    if not limit:  # nothing may be used at all
        return 100.0 if amount(used) else 0.0
    return 100 * amount(used) / limit


def amount(text: str) -> float:
    """A quantity as Kubernetes writes it: ``500m``, ``1Gi``, ``2k``, ``1e3``.

    Raises:
        CannotLook: it is none.
    """
    read = _AMOUNT.fullmatch(text)
    if read is not None and read[2] in _SIZES:
        return float(read[1]) * _SIZES[read[2]]
    try:
        return float(text)
    except ValueError:
        raise CannotLook(f"{text!r} is no quantity of Kubernetes") from None


METRICS: Final = {"volumes": claims, "volume_usage": usage, "quota": quota}
