"""What the pages share for as long as the server runs; reachable as ``request.app.state.kept``."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import jinja2

from opsbook.access.limits import SignInLimits
from opsbook.audit import Verdict
from opsbook.web.live import Changes, Streams
from opsbook.web.pings import PingLimits
from opsbook.web.served import Served
from opsbook.web.statics import Statics


@dataclass
class Kept:
    """The application, its templates, and the little that lives in memory.

    `verdict` is what the last verification of the audit chain found, and when: it reads every
    entry, so a page shows the last one instead of verifying by being looked at. `by_link` has the
    sessions that a one-time link opened and that may therefore choose a password without the old.
    """

    app: Served
    statics: Statics
    environment: jinja2.Environment
    changes: Changes
    streams: Streams = field(default_factory=Streams)
    limits: SignInLimits = field(default_factory=SignInLimits)
    pings: PingLimits = field(default_factory=PingLimits)
    verdict: tuple[datetime, Verdict] | None = None
    verifying: bool = False
    by_link: dict[str, datetime] = field(default_factory=dict)
