"""``http`` steps: one request, taken apart and filled here, sent by an errand.

What a variable may become in a request is `opsbook.book.queries.http`. An answer of 400 and more
fails the step, unless it asserts something of ``status`` itself. Certificates are always verified;
an authority of one's own is named by the target's ``SSL_CERT_FILE``.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from opsbook.base.places import Places
from opsbook.book.queries import http
from opsbook.runs import targets
from opsbook.runs.kinds.errand import errand
from opsbook.runs.kinds.kind import Place
from opsbook.runs.supervisor import StepRequest


class Http:
    """Sends its body as a request."""

    def request(
        self, place: Place, places: Places, scratch: Path, allowed: timedelta
    ) -> StepRequest:
        """The request with its variables filled in.

        Raises:
            targets.NotReady: a variable cannot stand where it is, or the target cannot be used.
        """
        step = place.step
        at = targets.resolve(place.book, step)
        try:
            made = http.filled(http.parse(step.body), place.variables)
            scheme, host, port, path = made.scheme, made.host, made.port, ""
            if at.target is not None:
                scheme, host, port, path = http.base(at.target.url or "")
            elif not made.scheme:
                raise ValueError("it is a path, and nothing says on which target")
        except ValueError as error:
            raise targets.NotReady(f"The request cannot be sent: {error}.") from None
        order = {
            "method": made.method, "scheme": scheme, "host": host, "port": port,
            "target": path + made.target, "headers": made.headers, "body": made.body,
            "secret": dict(at.headers), "redirects": step.attributes.get("redirects", "same"),
            "judged": any(one.subject == "status" for one in step.asserts),
        }  # fmt: skip
        plain = at.target.environment if at.target is not None else {}
        return errand("http", place, places, scratch, allowed, order, plain)
