"""``promql``: one expression, asked of a Prometheus; with ``for=`` again and again until it held.

It holds when it gives samples, as an alert's expression does, and, where the step asserts something
of ``value``, when it gives exactly one and that lies in its bands. A look that does not hold begins
the count again, and so does one without an answer: what was not seen did not hold.
"""

from __future__ import annotations

import json
import math
import operator
import time
from urllib.parse import urlencode

from .leaving import Clock, Failed, as_number, leave_value, say, table
from .web import Answer, Place, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Sample = tuple[dict[str, str], float]

LOOK_EVERY_S = 15.0
LEAST_PAUSE_S = 1.0
LOOK_WITHIN_S = 30.0
MOST_SHOWN = 1000
OK = 200
OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


def go(order: dict[str, Any]) -> None:
    """Look once, or until it has held for as long as it must."""
    clock = Clock(order["allowed"])
    hold = order["hold"]
    if not hold:
        samples = _look(order, clock)
        _tell(order, samples)
        if why := _fault(samples, ()):
            raise Failed(why)
        return
    since: float | None = None
    told = ""
    while True:
        now = time.monotonic()
        try:
            samples = _look(order, clock)
            why = _fault(samples, order["bands"])
        except Failed as error:
            samples, why = [], str(error)
        if why:
            since = None
        elif since is None:
            since = now
        if (line := _line(samples, why)) != told:
            say(f"{time.strftime('%H:%M:%S')} {line}")
            told = line
        if since is not None and now - since >= hold:
            _tell(order, samples)
            return
        left = hold - (now - since) if since is not None else LOOK_EVERY_S
        pause = max(LEAST_PAUSE_S, min(LOOK_EVERY_S, hold / 10, left))
        if clock.left() <= pause:
            held = 0.0 if since is None else now - since
            raise Failed(why or f"it held for {held:.0f} s only, and not for {hold:.0f} s")
        time.sleep(pause)


def _look(order: dict[str, Any], clock: Clock) -> list[Sample]:
    place = Place(order["scheme"], order["host"], order["port"])
    target = f"{order['path']}/api/v1/query?{urlencode({'query': order['query']})}"
    within = Clock(min(LOOK_WITHIN_S, clock.left()))
    return _read(place, ask(place, target, within, headers={}, secret=order["secret"]))


def _read(place: Place, answer: Answer) -> list[Sample]:
    """The samples in an answer of Prometheus' API. A scalar is a sample without labels."""
    try:
        said = json.loads(answer.text())
        if said["status"] != "success":
            raise Failed(f"{place} refuses the expression: {said.get('error', '')}")
        kind, found = said["data"]["resultType"], said["data"]["result"]
        if kind == "scalar":
            return [({}, float(found[1]))]
        if kind == "vector":
            return [(dict(one["metric"]), float(one["value"][1])) for one in found]
    except (ValueError, KeyError, TypeError, IndexError):
        raise Failed(
            f"{place} does not answer as Prometheus does (status {answer.status})"
        ) from None
    raise Failed(f"it gives a {kind}; write an expression that gives numbers at one moment")


def _fault(samples: list[Sample], bands: Any) -> str:
    """Why it does not hold, or nothing."""
    if not samples:
        return "it gives no sample"
    if not bands:
        return ""
    if len(samples) > 1:
        return f"it gives {len(samples)} samples, and value is one; aggregate them"
    value = samples[0][1]
    for op, limit, upto, text in bands:
        holds = limit <= value <= upto if op == ".." else OPERATORS[op](value, limit)
        if math.isnan(value) or not holds:
            return f"value is {as_number(value)}, and must be {text}"
    return ""


def _line(samples: list[Sample], why: str) -> str:
    if why:
        return why
    if len(samples) == 1:
        return f"holds: {_number(samples[0][1])}"
    return f"holds: {len(samples)} samples"


def _tell(order: dict[str, Any], samples: list[Sample]) -> None:
    if len(samples) == 1 and not samples[0][0]:
        say(_number(samples[0][1]))
    elif samples:
        names = sorted({name for labels, _ in samples for name in labels})
        rows = [
            [*(labels.get(name, "") for name in names), _number(value)]
            for labels, value in samples[:MOST_SHOWN]
        ]
        say(table([*names, "value"], rows))
    if len(samples) > MOST_SHOWN:
        say(f"… {len(samples)} samples; the first {MOST_SHOWN} are shown")
    if len(samples) == 1:
        leave_value(order, _number(samples[0][1]).encode())
    else:
        listed = [{**labels, "value": _plain(value)} for labels, value in samples]
        leave_value(order, json.dumps(listed, ensure_ascii=False).encode())


def _number(value: float) -> str:
    return as_number(value) if math.isfinite(value) else str(value)


def _plain(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
