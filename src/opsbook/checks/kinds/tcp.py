"""``tcp``: does a port take connections, and how fast? The value is the time to connect, in ms."""

from __future__ import annotations

from opsbook.book.fields import Part, Port
from opsbook.checks.connect import connect, failed, place
from opsbook.checks.fields import Host
from opsbook.checks.kind import Context, Kind
from opsbook.checks.model import Reading


class Tcp(Part):
    """A host and a port. Nothing is sent: whoever listens sees a connection come and go."""

    host: Host
    port: Port

    @property
    def value_unit(self) -> str:
        """Milliseconds."""
        return "ms"


async def observe(spec: Tcp, context: Context) -> Reading:
    """Connect and close."""
    where = place(spec.host, spec.port)
    try:
        connection, took = await connect(context, spec.host, int(spec.port))
    except OSError as error:
        return failed(error, where)
    connection.close()
    return Reading(took, "ms", f"{where} takes connections")


KIND = Kind("tcp", Tcp, observe, silence="critical")
