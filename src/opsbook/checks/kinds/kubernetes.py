"""``kubernetes``: is what should run in a cluster there, ready, and not at its limits?

The cluster is a target's (its ``KUBECONFIG`` under ``read``), the check's own ``kubeconfig``, or,
with neither, the one that this server runs in. Shares (pods, deployments, nodes, …) are critical
where nothing is there that should be; counts of what is wrong (restarts, failed jobs, …) are 0
then. Whatever is wrong between us and the API is missing data: it says nothing about what runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from opsbook.book.fields import Duration
from opsbook.book.sections.targets import SecretText
from opsbook.checks import referred
from opsbook.checks.asking import Asks, masked
from opsbook.checks.fields import complaint
from opsbook.checks.kind import Context, Kind
from opsbook.checks.model import Reading

if TYPE_CHECKING:
    from opsbook.checks.kubernetes.cluster import Cluster

VARIABLE: Final = "KUBECONFIG"
NAMESPACE: Final = r"^(\*|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)$"
NAME: Final = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"

UNITS: Final = {
    "pods": "%",
    "restarts": "",
    "deployments": "%",
    "statefulsets": "%",
    "daemonsets": "%",
    "endpoints": "",
    "autoscalers": "",
    "nodes": "%",
    "pressure": "",
    "volumes": "",
    "volume_usage": "%",
    "quota": "%",
    "jobs": "",
    "cronjobs": "s",
    "events": "",
}
ONLY: Final = {
    "role": {"nodes", "pressure"},
    "reason": {"events"},
    "resource": {"quota"},
}
"""Fields that mean something for some of them only."""


class Kubernetes(Asks):
    """A cluster, what to look at (`metric`), and which: `namespace`, `selector`, `name`.

    `role` is a node's, `reason` an event's, `resource` a quota's. `window` is for restarts, jobs
    and events; `longer_than` for volumes. A namespace of ``*`` is all of them; none is the one of
    the kubeconfig.
    """

    placeless: ClassVar[bool] = True

    kubeconfig: SecretText | None = None
    context: str | None = Field(default=None, min_length=1, max_length=253)
    metric: Literal[
        "pods",
        "restarts",
        "deployments",
        "statefulsets",
        "daemonsets",
        "endpoints",
        "autoscalers",
        "nodes",
        "pressure",
        "volumes",
        "volume_usage",
        "quota",
        "jobs",
        "cronjobs",
        "events",
    ]
    namespace: str | None = Field(default=None, pattern=NAMESPACE)
    selector: str | None = Field(default=None, min_length=1, max_length=1000)
    name: str | None = Field(default=None, pattern=NAME)
    role: str | None = Field(default=None, pattern=NAME)
    reason: str | None = Field(default=None, min_length=1, max_length=128)
    resource: str | None = Field(default=None, min_length=1, max_length=253)
    window: Duration = timedelta(minutes=15)
    longer_than: Duration = timedelta(minutes=5)

    @property
    def places(self) -> tuple[str, ...]:
        """Where it may be; with none, it is the cluster around this server."""
        return ("on", "kubeconfig")

    @property
    def target_kinds(self) -> frozenset[str]:
        """What can be asked."""
        return frozenset({"command"})

    @property
    def target_variable(self) -> str:
        """Where such a target says how its cluster is reached."""
        return VARIABLE

    @property
    def value_unit(self) -> str:
        """The unit of each metric."""
        return UNITS[self.metric]

    def references(self) -> Iterator[str]:
        """Its kubeconfig."""
        if self.kubeconfig is not None:
            yield self.kubeconfig

    @model_validator(mode="after")
    def _fields_fit(self) -> Self:
        if self.metric == "endpoints" and self.name is None:
            raise complaint("endpoints are those of one service; write its name:")
        if self.selector is not None and self.metric in {"endpoints", "volume_usage", "events"}:
            raise complaint(f"{self.metric} are not chosen by a selector; write name:, or neither")
        for field, metrics in ONLY.items():
            if getattr(self, field) is not None and self.metric not in metrics:
                told = " or ".join(sorted(metrics))
                raise complaint(f"{field} means nothing for {self.metric}; it is for {told}")
        return self


async def observe(spec: Kubernetes, context: Context) -> Reading:
    """Find the cluster, and look."""
    # lightkube takes 5 MB and a tenth of a second; the first look at a cluster pays for it.
    from opsbook.checks.kubernetes.looks import METRICS, Api, Asked  # noqa: PLC0415

    cluster = await _cluster(spec, context)

    async def looked() -> Reading:
        asked = Asked(
            context.now,
            context.memory,
            spec.namespace or cluster.namespace,
            spec.selector,
            spec.name,
            spec.role,
            spec.reason,
            spec.resource,
            spec.window,
            spec.longer_than,
        )
        async with Api(context, cluster) as api:
            return await METRICS[spec.metric](api, asked)

    return await masked(looked(), cluster.secret)


async def _cluster(spec: Kubernetes, context: Context) -> Cluster:
    from opsbook.checks.kubernetes.looks import of_account, of_text  # noqa: PLC0415  as above

    reference = spec.kubeconfig
    if context.target is not None:
        files = context.target.read.files if context.target.read is not None else {}
        reference = files.get(VARIABLE) or f"file:{context.target.environment.get(VARIABLE, '')}"
    if reference is None:
        return await of_account(context)
    found = await referred.values([reference], context)
    return await of_text(context, found[reference], spec.context)


KIND = Kind("kubernetes", Kubernetes, observe)
