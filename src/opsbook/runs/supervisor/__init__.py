"""Steps as processes: started, watched, ended and never lost sight of.

Three kinds of process. The *server* asks. One *spawner*, small and without asyncio, forks. Each
step has a *keeper* of its own, which outlives both: it drains the output, keeps the time, ends the
whole tree and writes the outcome into the step's scratch folder. A server that is killed therefore
loses nothing: it comes back, calls `find`, and is told which of four things is true.

What belongs here: processes, their output, their end. What does not: what a step means, whether it
may run, where its output is stored, what is masked in it. This package knows no run and no
database.

Linux only: pidfd, child subreaper and /proc are the mechanism, not an optimisation. Where the
server runs as a systemd unit, the unit needs `KillMode=process`, else stopping the server kills
the keepers with it (they then end their steps in order and say so in the outcome).

The limit of it: a step that runs as the server's own user may kill its keeper, read its folder or
speak to its socket. Only `StepRequest.user` makes a border of this. What a step may use up is in
`limits`, `space` and `cgroup`, with what is not limited and why.
"""

from opsbook.runs.supervisor.client import Spawner, find
from opsbook.runs.supervisor.model import (
    Finished,
    Found,
    Gone,
    Orphaned,
    Outcome,
    Running,
    SpawnError,
    StepRequest,
)
from opsbook.runs.supervisor.proctree import Proc, kill_tree, tree
from opsbook.runs.supervisor.step import Step

__all__ = [
    "Finished",
    "Found",
    "Gone",
    "Orphaned",
    "Outcome",
    "Proc",
    "Running",
    "SpawnError",
    "Spawner",
    "Step",
    "StepRequest",
    "find",
    "kill_tree",
    "tree",
]
