"""Nodes: whether they are ready, and what they are short of."""

from __future__ import annotations

from typing import Final

from opsbook.checks.kubernetes.api import Api
from opsbook.checks.kubernetes.asked import Asked, chosen, counted, listed
from opsbook.checks.kubernetes.objects import Node, condition
from opsbook.checks.model import Reading

ROLE: Final = "node-role.kubernetes.io"
PRESSURES: Final = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


async def ready(api: Api, asked: Asked) -> Reading:
    """Ready nodes in percent; one that nobody has heard of is not."""
    nodes = await _nodes(api, asked)
    if not nodes:
        return _none(asked)
    down = [one for one in nodes if not _is_ready(one)]
    told = f"{len(nodes) - len(down)} of {counted(len(nodes), 'node')} ready"
    told += f"; not {listed(f'{one.metadata.name} ({_why(one)})' for one in down)}" if down else ""
    closed = sum(one.spec.unschedulable for one in nodes)
    told += f"; {closed} closed to new pods" if closed else ""
    return Reading(100 * (len(nodes) - len(down)) / len(nodes), "%", told)


async def pressure(api: Api, asked: Asked) -> Reading:
    """How many nodes are short of memory, disk, process numbers or a network."""
    nodes = await _nodes(api, asked)
    if not nodes:
        return _none(asked)
    short = {one.metadata.name: _pressures(one) for one in nodes if _pressures(one)}
    told = f"{len(short)} of {counted(len(nodes), 'node')} short of something"
    if short:
        told += ": " + listed(f"{name} ({', '.join(what)})" for name, what in short.items())
    return Reading(len(short), "", told)


async def _nodes(api: Api, asked: Asked) -> list[Node]:
    told = dict(chosen(asked))
    if asked.role:
        role = f"{ROLE}/{asked.role}"
        told["labelSelector"] = f"{told['labelSelector']},{role}" if asked.selector else role
    return await api.objects("/api/v1/nodes", Node, told)


def _none(asked: Asked) -> Reading:
    with_role = f" of the role {asked.role}" if asked.role else ""
    which = f" {asked.name}" if asked.name else f" with {asked.selector}" if asked.selector else ""
    return Reading(message=f"there is no node{which}{with_role}", state="critical")


def _is_ready(node: Node) -> bool:
    said = condition(node.status.conditions, "Ready")
    return said is not None and said.status == "True"


def _why(node: Node) -> str:
    said = condition(node.status.conditions, "Ready")
    return said.reason or said.status if said is not None else "never heard of"


def _pressures(node: Node) -> list[str]:
    found = (condition(node.status.conditions, type) for type in PRESSURES)
    return [one.type for one in found if one is not None and one.status == "True"]


METRICS: Final = {"nodes": ready, "pressure": pressure}
