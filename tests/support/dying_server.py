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

import pytest

__test__ = False


def die(*_args: Any, **_kwargs: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def dies_on(original: Callable[..., Any], when: Callable[..., bool]) -> Callable[..., Any]:
    """The function, dying instead of doing its work when ``when`` says so of its arguments."""

    def dying(*args: Any, **kwargs: Any) -> Any:
        if when(*args, **kwargs):
            die()
        return original(*args, **kwargs)

    return dying


def before_incident(patch: pytest.MonkeyPatch) -> None:
    """The alert has fired; its incident is not written yet."""
    from opsbook.incidents import Response

    fired = dies_on(Response.handle, lambda _self, _tx, event, _now: event.kind == "alert.fired")
    patch.setattr(Response, "handle", fired)


def before_page(patch: pytest.MonkeyPatch) -> None:
    """The page is claimed for sending; no channel has been called."""
    from opsbook.notify import outbox

    patch.setattr(outbox.Outbox, "deliver", die)


def before_intent(patch: pytest.MonkeyPatch) -> None:
    """The repair is approved; the intent to run it is not on disk."""
    from opsbook.runs import store

    patch.setattr(
        store, "intend", dies_on(store.intend, lambda *_a, **k: k.get("key") == "restart")
    )


MOMENTS = {
    "before-incident": before_incident,
    "before-page": before_page,
    "before-intent": before_intent,
}


def main() -> None:
    """Patch, then be `opsbook`."""
    moment = sys.argv.pop(1)
    if moment in MOMENTS:
        MOMENTS[moment](pytest.MonkeyPatch())
    from opsbook.cli import main as opsbook

    opsbook()


if __name__ == "__main__":
    main()
