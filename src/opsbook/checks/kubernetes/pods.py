"""Pods: how many are ready, and whether they restart."""

from __future__ import annotations

from typing import Final

from opsbook.checks.growth import Growth
from opsbook.checks.kubernetes.api import Api
from opsbook.checks.kubernetes.asked import Asked, counted, found, listed, none_to_count, nothing
from opsbook.checks.kubernetes.objects import Container, Pod, condition
from opsbook.checks.model import Reading

DONE: Final = "Succeeded"


async def ready(api: Api, asked: Asked) -> Reading:
    """Ready pods in percent of those that should be.

    One that has done its work or is being removed need not be ready.
    """
    pods = await found(api, asked, "/api/v1", "pods", Pod)
    meant = [
        one for one in pods if one.status.phase != DONE and one.metadata.deletion_timestamp is None
    ]
    if not meant:
        return await nothing(api, asked, "pod")
    waiting = [one for one in meant if not _is_ready(one)]
    told = f"{len(meant) - len(waiting):,} of {counted(len(meant), 'pod')} ready"
    if waiting:
        names = (f"{asked.shown(*_name(one))} ({_why(one)})" for one in waiting)
        told += f"; not {listed(names)}"
    return Reading(100 * (len(meant) - len(waiting)) / len(meant), "%", told)


async def restarts(api: Api, asked: Asked) -> Reading:
    """How often containers were started again within the window."""
    pods = await found(api, asked, "/api/v1", "pods", Pod)
    if not pods:
        return await none_to_count(api, asked, "pod")
    growth = Growth.of(asked.memory, asked.now)
    counters: dict[str, float] = {}
    named: dict[str, tuple[Pod, Container]] = {}
    for pod in pods:
        for container in _containers(pod):
            key = f"{pod.metadata.uid or _name(pod)}/{container.name}"
            counters[key] = container.restart_count
            named[key] = (pod, container)
    growth.note(counters, asked.now, new=True)
    lately = growth.within(asked.window, asked.now)
    total = sum(lately.values())
    told = counted(round(total), "restart") + growth.since(asked.window, asked.now)
    if lately:
        worst = max(lately, key=lambda key: lately[key])
        if worst in named:
            pod, container = named[worst]
            ended = container.last_state.terminated
            why = f", last ended by {ended.reason}" if ended is not None and ended.reason else ""
            told += f"; most of {asked.shown(*_name(pod))}/{container.name}{why}"
        else:
            told += "; most of a pod that is gone"
    return Reading(total, "", told)


def _name(pod: Pod) -> tuple[str, str]:
    return pod.metadata.namespace, pod.metadata.name


def _is_ready(pod: Pod) -> bool:
    said = condition(pod.status.conditions, "Ready")
    return said is not None and said.status == "True"


def _containers(pod: Pod) -> list[Container]:
    return [*(pod.status.container_statuses or ()), *(pod.status.init_container_statuses or ())]


def _why(pod: Pod) -> str:
    """The reason that helps most: a container's, the scheduler's, the pod's own."""
    for container in _containers(pod):
        waiting, ended = container.state.waiting, container.state.terminated
        if waiting is not None and waiting.reason not in {"", "PodInitializing"}:
            return waiting.reason
        if ended is not None and ended.reason not in {"", "Completed"}:
            return ended.reason
    scheduled = condition(pod.status.conditions, "PodScheduled")
    if scheduled is not None and scheduled.status == "False" and scheduled.reason:
        return scheduled.reason
    return pod.status.reason or pod.status.phase or "not ready"


METRICS: Final = {"pods": ready, "restarts": restarts}
