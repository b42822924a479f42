"""The kinds of checks: one module each, and one line here.

What belongs here: looking at one sort of thing and saying what was seen. What does not: timeouts,
bands, storage; see `opsbook.checks.kind`.
"""

from __future__ import annotations

from collections.abc import Mapping

from opsbook.checks.kind import Kind
from opsbook.checks.kinds import file, host, http, log, tcp, tls

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        file.KIND,
        host.KIND,
        http.KIND,
        log.KIND,
        tcp.KIND,
        tls.KIND,
    )
}
