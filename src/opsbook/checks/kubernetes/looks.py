"""Every look at a cluster by its name, and the one way to make one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from opsbook.checks.kubernetes import jobs, nodes, pods, storage, workloads
from opsbook.checks.kubernetes.api import Api
from opsbook.checks.kubernetes.asked import Asked
from opsbook.checks.kubernetes.cluster import Cluster, of_account, of_text
from opsbook.checks.model import Reading

Look = Callable[[Api, Asked], Awaitable[Reading]]

METRICS: Final[Mapping[str, Look]] = {
    **jobs.METRICS,
    **nodes.METRICS,
    **pods.METRICS,
    **storage.METRICS,
    **workloads.METRICS,
}

__all__ = ["METRICS", "Api", "Asked", "Cluster", "of_account", "of_text"]
