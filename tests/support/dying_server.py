"""`opsbook`, killed by SIGKILL at a named moment: run as a program, by the crash tests.

    python dying_server.py MOMENT up BOOK --data DIR --listen 127.0.0.1:0

Patches the function that the moment stands before, so that death comes exactly there and not a
scheduler's whim earlier or later. Nothing in the product knows of this.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any


def dies(owner: Any, name: str, when: Callable[..., bool]) -> None:
    """Let a function end the process instead of doing its work when `when` says so."""
    original = getattr(owner, name)

    def dying(*args: Any, **more: Any) -> Any:
        if when(*args):
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **more)

    setattr(owner, name, dying)


def between_alert_and_incident() -> None:
    """The alert has fired; its incident is not written yet."""
    from opsbook.incidents import Response

    dies(Response, "handle", lambda _self, _tx, event, _now: event.kind == "group.firing")


def between_claim_and_sending() -> None:
    """The page is claimed for sending; no channel has been called."""
    from opsbook.notify import Outbox

    dies(Outbox, "_attempt", lambda *_: True)


def between_sending_and_record() -> None:
    """The page is out; nobody has written that down."""
    from opsbook.notify import loop

    dies(loop, "_sent", lambda *_: True)


def between_approval_and_run() -> None:
    """Somebody has approved; the run does not know yet."""
    from opsbook.runs import Engine

    dies(Engine, "_answered", lambda _, tx, event, now: event.kind == "approval.decided")


def between_repair_and_record() -> None:
    """The repair has ended, and the journal does not know."""
    from opsbook.runs import outcomes

    dies(outcomes, "enter", lambda _story, key, _result: key == "restart")


def between_repair_and_resolution() -> None:
    """The check holds again and the alert is resolved; the incident is not."""
    from opsbook.incidents import Response

    dies(Response, "handle", lambda _self, _tx, event, _now: event.kind == "group.resolved")


MOMENTS = {
    moment.__name__: moment
    for moment in (
        between_alert_and_incident,
        between_claim_and_sending,
        between_sending_and_record,
        between_approval_and_run,
        between_repair_and_record,
        between_repair_and_resolution,
    )
}


def main() -> None:
    """Patch, then be `opsbook`."""
    moment = sys.argv.pop(1)
    if moment in MOMENTS:
        MOMENTS[moment]()
    from opsbook.cli import main as opsbook

    opsbook()


if __name__ == "__main__":
    main()
