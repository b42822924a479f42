"""``promql`` steps: one expression, asked of a Prometheus target by an errand.

``for=`` is the errand's: looking again and again is one step for the engine, whose outcome is
whether it held. So the errand is told which bands ``value`` must lie in; what else is asserted the
core judges afterwards, as for every step.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

from opsbook.base.places import Places
from opsbook.book.queries import http, promql
from opsbook.runs import targets
from opsbook.runs.kinds.errand import errand
from opsbook.runs.kinds.kind import Place
from opsbook.runs.supervisor import StepRequest

MARGIN: Final = timedelta(seconds=2)
"""What is kept of the time to say why it did not hold, before the supervisor ends the errand."""


class Promql:
    """Asks its body as an expression."""

    def request(
        self, place: Place, places: Places, scratch: Path, allowed: timedelta
    ) -> StepRequest:
        """The expression with its variables filled in.

        Raises:
            targets.NotReady: there is no one Prometheus target, or it cannot be used.
        """
        step = place.step
        at = targets.resolve(place.book, step)
        if at.target is None:
            raise targets.NotReady("Nothing says on which prometheus target.")
        try:
            query = promql.filled(step.body, place.variables)
            scheme, host, port, path = http.base(at.target.url or "")
        except ValueError as error:
            raise targets.NotReady(f"The expression cannot be asked: {error}.") from None
        bands = [
            (one.band.op, one.band.limit.value, one.band.upto.value if one.band.upto else None,
             str(one.band))
            for one in step.asserts if one.subject == "value"
        ]  # fmt: skip
        order = {
            "scheme": scheme, "host": host, "port": port, "path": path, "query": query,
            "secret": dict(at.headers), "hold": step.for_.total_seconds(), "bands": bands,
        }  # fmt: skip
        if step.for_:
            order["allowed"] = max(allowed - MARGIN, allowed / 2).total_seconds()
        return errand("promql", place, places, scratch, allowed, order, at.target.environment)
