"""What this is: the answer that amtool and Grafana begin with."""

from __future__ import annotations

from typing import Final

from opsbook import __version__
from opsbook.alerts.exchange import alertmanager_out
from opsbook.notify.webhooks.model import moment
from opsbook.web.alertmanager.asking import Answer, Asked

SPOKEN: Final = "0.25.0"
"""The version of Alertmanager whose interface this is; its programs compare it with their own."""


async def get(asked: Asked) -> Answer:
    """Say which version answers, since when, and by which routes, in Alertmanager's own form.

    amtool tests routes against the configuration given here. There is no cluster to speak of: how
    many servers there are is the database's business.
    """
    book = asked.door.book
    written = alertmanager_out.write(book, url=asked.app.url)
    return Answer(
        200,
        {
            "cluster": {"name": "", "peers": [], "status": "disabled"},
            "config": {"original": written.files[alertmanager_out.FILE]},
            "uptime": moment(asked.app.started_at),
            "versionInfo": {
                "branch": f"opsbook {__version__}", "buildDate": "", "buildUser": "",
                "goVersion": "", "revision": str(book.revision), "version": SPOKEN,
            },
        },
    )  # fmt: skip
