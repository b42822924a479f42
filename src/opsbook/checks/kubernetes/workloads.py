"""What keeps pods going: deployments, stateful sets, daemon sets, autoscalers, and services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from opsbook.checks.kubernetes.api import Api, NotThere
from opsbook.checks.kubernetes.asked import Asked, counted, found, listed, none_to_count, nothing
from opsbook.checks.kubernetes.objects import Namespace, Scaler, Slice, Workload, condition
from opsbook.checks.model import CannotLook, Reading

Share = Callable[[Workload], tuple[int, int]]
"""How many of a workload's pods are there, and how many should be."""


async def deployments(api: Api, asked: Asked) -> Reading:
    """Available pods in percent of those wanted, of the deployment that has the fewest."""
    return await _least(api, asked, "deployment", lambda one: (
        one.status.available_replicas, one.spec.replicas
    ))  # fmt: skip


async def statefulsets(api: Api, asked: Asked) -> Reading:
    """The same of a stateful set; an older API tells only which are ready."""
    return await _least(api, asked, "statefulset", lambda one: (
        one.status.available_replicas or one.status.ready_replicas, one.spec.replicas
    ))  # fmt: skip


async def daemonsets(api: Api, asked: Asked) -> Reading:
    """Available pods in percent of the nodes that should have one."""
    return await _least(api, asked, "daemonset", lambda one: (
        one.status.number_available, one.status.desired_number_scheduled
    ))  # fmt: skip


async def _least(api: Api, asked: Asked, what: str, share: Share) -> Reading:
    all_of_them = await found(api, asked, "/apis/apps/v1", f"{what}s", Workload)
    if not all_of_them:
        return await nothing(api, asked, what)
    shares = [(one, *share(one)) for one in all_of_them]
    wanted = [one for one in shares if one[2] > 0]
    if not wanted:
        return Reading(100.0, "%", f"{counted(len(shares), what)}, scaled to 0")
    worst, there, should = min(wanted, key=lambda one: one[1] / one[2])
    lacking = sum(there < should for _, there, should in wanted)
    name = asked.shown(worst.metadata.namespace, worst.metadata.name)
    told = f"{name}: {there} of {should} available{_trouble(worst)}"
    if len(shares) > 1:
        told += f"; {lacking} of {counted(len(shares), what)} lack pods"
    return Reading(100 * min(there, should) / should, "%", told)


def _trouble(one: Workload) -> str:
    """What the workload itself says is wrong."""
    going = condition(one.status.conditions, "Progressing")
    if going is not None and going.status == "False":
        return f", and its rollout is stuck ({going.reason})"
    failing = condition(one.status.conditions, "ReplicaFailure")
    if failing is not None and failing.status == "True":
        return f", and its pods cannot be made ({failing.reason})"
    if one.status.observed_generation < one.metadata.generation:
        return ", and a change has not been taken up yet"
    return ""


async def endpoints(api: Api, asked: Asked) -> Reading:
    """How many addresses behind a service are ready; none is critical whatever the bands say.

    Raises:
        CannotLook: the service cannot be asked about.
    """
    name = asked.name or ""
    slices = await api.objects(
        asked.path("/apis/discovery.k8s.io/v1", "endpointslices"),
        Slice,
        {"labelSelector": f"kubernetes.io/service-name={name}"},
    )
    every = [one for part in slices for one in part.endpoints or ()]
    # A slice for each family of addresses counts a pod twice; each has pods of its own otherwise.
    ready = {one for part in every if part.conditions.ready in {None, True}
             for one in part.addresses or ()}  # fmt: skip
    total = {one for part in every for one in part.addresses or ()}
    if not total:
        try:
            await api.one(f"{asked.path('/api/v1', 'services')}/{name}", Namespace)
        except NotThere:
            return Reading(message=f"there is no service {asked.which}", state="critical")
        except CannotLook:  # we may not ask, and it makes no difference
            pass
        return Reading(0.0, "", f"no pod is behind the service {name}", "critical")
    told = f"{len(ready)} of {counted(len(total), 'address', 'addresses')} of {name} ready"
    return Reading(len(ready), "", told, None if ready else "critical")


async def autoscalers(api: Api, asked: Asked) -> Reading:
    """How many autoscalers have made as many pods as they may; those that cannot move not."""
    scalers = await found(api, asked, "/apis/autoscaling/v2", "horizontalpodautoscalers", Scaler)
    if not scalers:
        return await none_to_count(api, asked, "autoscaler")
    movable = [one for one in scalers if one.spec.max_replicas > one.spec.min_replicas]
    full = [one for one in movable if one.status.current_replicas >= one.spec.max_replicas]
    told = f"{len(full)} of {counted(len(scalers), 'autoscaler')} at its maximum"
    if full:
        names = (
            f"{asked.shown(one.metadata.namespace, one.metadata.name)} ({one.spec.max_replicas}"
            + (", wants more)" if _wants_more(one) else ")")
            for one in full
        )
        told += f": {listed(names)}"
    blind = [one for one in scalers if _is_blind(one)]
    if blind:
        names = (asked.shown(one.metadata.namespace, one.metadata.name) for one in blind)
        told += f"; {listed(names)} cannot see what to scale by"
    return Reading(len(full), "", told)


def _wants_more(one: Scaler) -> bool:
    limited = condition(one.status.conditions, "ScalingLimited")
    return limited is not None and limited.status == "True" and limited.reason == "TooManyReplicas"


def _is_blind(one: Scaler) -> bool:
    active = condition(one.status.conditions, "ScalingActive")
    return active is not None and active.status == "False" and active.reason != "ScalingDisabled"


METRICS: Final = {
    "deployments": deployments,
    "statefulsets": statefulsets,
    "daemonsets": daemonsets,
    "endpoints": endpoints,
    "autoscalers": autoscalers,
}
