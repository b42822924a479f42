"""The kinds of checks: one module each, and one line here.

What belongs here: looking at one sort of thing and saying what was seen. What does not: timeouts,
bands, storage; see `opsbook.checks.kind`.
"""

from __future__ import annotations

from collections.abc import Mapping

from opsbook.checks.kind import Kind
from opsbook.checks.kinds import (
    command,
    dns,
    file,
    gpu,
    heartbeat,
    host,
    http,
    icmp,
    kubernetes,
    log,
    process,
    promql,
    redis,
    sql,
    tcp,
    tls,
)

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        command.KIND,
        dns.KIND,
        file.KIND,
        gpu.KIND,
        heartbeat.KIND,
        host.KIND,
        http.KIND,
        icmp.KIND,
        kubernetes.KIND,
        log.KIND,
        process.KIND,
        promql.KIND,
        redis.KIND,
        sql.KIND,
        tcp.KIND,
        tls.KIND,
    )
}
