"""``http``: one request. Tells the status, how long it took, and the body.

Latency is the time from asking to the last byte of the answer: name, connection, TLS, redirects and
body together, since that is what somebody waits for.
"""

from __future__ import annotations

from .leaving import Clock, Failed, leave_facts, leave_value, say
from .web import MOST_BODY, Place, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LEAST_BAD = 400


def go(order: dict[str, Any]) -> None:
    """Ask, tell, and fail where the status says so and nobody else judges it."""
    place = Place(order["scheme"], order["host"], order["port"])
    body = order["body"].encode() if order["body"] else None
    answer = ask(
        place, order["target"], Clock(order["allowed"]), method=order["method"], body=body,
        headers=dict(order["headers"]), secret=order["secret"], redirects=order["redirects"],
    )  # fmt: skip
    took = round(answer.latency * 1000, 1)
    text = answer.text()
    say(f"HTTP/{answer.version} {answer.status} {answer.reason} · {took:g} ms".rstrip())
    where = answer.headers.get("Location")
    if where and not text:
        say(f"Location: {where.split('?')[0]}")
    if text:
        say(f"\n{text}")
    if not answer.whole:
        say(f"… the body is longer than {MOST_BODY // 1024**2} MiB; the rest was not read")
    leave_value(order, text.encode())
    leave_facts(order, status=str(answer.status), latency=f"{took:g}ms")
    if order["judged"]:
        return
    if answer.status >= LEAST_BAD:
        raise Failed(f"the status is {answer.status}")
    if answer.elsewhere:
        raise Failed(
            f"it redirects to {answer.elsewhere}, which is somebody else; write redirects=any to "
            "follow it, or redirects=none to take it as the answer"
        )
