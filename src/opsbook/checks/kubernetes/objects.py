"""The fields of Kubernetes' objects that looks need, and no others; what is left out is skipped.

Names are the API's. Whatever a server may leave out has a default, as Go's ``omitempty`` does:
https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.32/
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from msgspec import field


class Part(msgspec.Struct, rename="camel"):
    """A piece of an object."""


class Meta(Part):
    name: str
    namespace: str = ""
    uid: str = ""
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    generation: int = 0


class Condition(Part):
    type: str
    status: str
    reason: str = ""
    last_transition_time: datetime | None = None


class Waiting(Part):
    reason: str = ""


class Ended(Part):
    reason: str = ""


class State(Part):
    waiting: Waiting | None = None
    terminated: Ended | None = None


class Container(Part):
    name: str
    restart_count: int = 0
    state: State = field(default_factory=State)
    last_state: State = field(default_factory=State)


class PodStatus(Part):
    phase: str = ""
    reason: str = ""
    conditions: list[Condition] | None = None
    container_statuses: list[Container] | None = None
    init_container_statuses: list[Container] | None = None


class Pod(Part):
    metadata: Meta
    status: PodStatus = field(default_factory=PodStatus)


class Replicas(Part):
    replicas: int = 1


class WorkloadStatus(Part):
    available_replicas: int = 0
    ready_replicas: int = 0
    number_available: int = 0
    desired_number_scheduled: int = 0
    observed_generation: int = 0
    conditions: list[Condition] | None = None


class Workload(Part):
    """A Deployment, a StatefulSet or a DaemonSet."""

    metadata: Meta
    spec: Replicas = field(default_factory=Replicas)
    status: WorkloadStatus = field(default_factory=WorkloadStatus)


class Served(Part):
    ready: bool | None = None


class Endpoint(Part):
    addresses: list[str] | None = None
    conditions: Served = field(default_factory=Served)


class Slice(Part):
    endpoints: list[Endpoint] | None = None


class NodeSpec(Part):
    unschedulable: bool = False


class NodeStatus(Part):
    conditions: list[Condition] | None = None


class Node(Part):
    metadata: Meta
    spec: NodeSpec = field(default_factory=NodeSpec)
    status: NodeStatus = field(default_factory=NodeStatus)


class Phase(Part):
    phase: str = ""


class Claim(Part):
    metadata: Meta
    status: Phase = field(default_factory=Phase)


class ClaimName(Part):
    name: str
    namespace: str


class Volume(Part):
    pvc_ref: ClaimName | None = None
    used_bytes: int = 0
    capacity_bytes: int = 0
    inodes_used: int = 0
    inodes: int = 0


class PodVolumes(Part):
    volume: list[Volume] | None = None


class Summary(Part):
    """What a kubelet tells of its pods."""

    pods: list[PodVolumes] | None = None


class Conditions(Part):
    conditions: list[Condition] | None = None


class Job(Part):
    metadata: Meta
    status: Conditions = field(default_factory=Conditions)


class CronSpec(Part):
    suspend: bool = False


class CronStatus(Part):
    last_successful_time: datetime | None = None
    last_schedule_time: datetime | None = None


class CronJob(Part):
    metadata: Meta
    spec: CronSpec = field(default_factory=CronSpec)
    status: CronStatus = field(default_factory=CronStatus)


class About(Part):
    kind: str = ""
    name: str = ""


class Series(Part):
    last_observed_time: datetime | None = None


class Event(Part):
    metadata: Meta
    type: str = ""
    reason: str = ""
    message: str = ""
    involved_object: About = field(default_factory=About)
    last_timestamp: datetime | None = None
    event_time: datetime | None = None
    series: Series | None = None

    @property
    def at(self) -> datetime:
        """When it was last seen; newer clients write another field than older ones."""
        series = self.series.last_observed_time if self.series is not None else None
        found = (series, self.last_timestamp, self.event_time, self.metadata.creation_timestamp)
        return max(
            (one for one in found if one is not None), default=datetime.min.replace(tzinfo=UTC)
        )


class Amounts(Part):
    hard: dict[str, str] | None = None
    used: dict[str, str] | None = None


class Quota(Part):
    metadata: Meta
    status: Amounts = field(default_factory=Amounts)


class ScalerSpec(Part):
    max_replicas: int
    min_replicas: int = 1


class ScalerStatus(Part):
    current_replicas: int = 0
    desired_replicas: int = 0
    conditions: list[Condition] | None = None


class Scaler(Part):
    metadata: Meta
    spec: ScalerSpec
    status: ScalerStatus = field(default_factory=ScalerStatus)


class Namespace(Part):
    metadata: Meta


def condition(found: list[Condition] | None, type: str) -> Condition | None:
    """The condition of a type, if the object has it."""
    return next((one for one in found or () if one.type == type), None)
