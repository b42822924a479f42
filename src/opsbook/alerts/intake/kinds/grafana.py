"""What Grafana's alerting sends to a webhook contact point.

Source: Grafana's documentation, "webhook notifier". It is Alertmanager's form with a few fields
more; the version stands at 1 and means nothing. The alerting that Grafana had before version 9 sent
one rule's state instead of alerts, and is answered with what to change.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from opsbook.alerts.intake import cleaning
from opsbook.alerts.intake.kind import (
    Handed,
    Kind,
    Letter,
    Unreadable,
    decoded,
    until_told,
    word,
)
from opsbook.alerts.intake.kinds.webhook import of_alerts, status_of
from opsbook.alerts.intake.posted import Posted

WHERE = ("panelURL", "dashboardURL", "silenceURL", "imageURL")


class Alert(msgspec.Struct, gc=False):
    """One alert of a notification."""

    labels: dict[str, str]
    annotations: dict[str, str] = {}
    status: str = "firing"
    startsAt: datetime | None = None  # noqa: N815
    endsAt: datetime | None = None  # noqa: N815
    generatorURL: str = ""  # noqa: N815
    silenceURL: str = ""  # noqa: N815
    dashboardURL: str = ""  # noqa: N815
    panelURL: str = ""  # noqa: N815
    imageURL: str = ""  # noqa: N815
    valueString: str = ""  # noqa: N815
    values: dict[str, Any] | None = None


class Notification(msgspec.Struct, gc=False):
    """What is sent; the alerts are read one by one."""

    alerts: list[msgspec.Raw] | None = None
    truncatedAlerts: int = 0  # noqa: N815
    ruleName: Any = None  # noqa: N815


def read(letter: Letter) -> Handed:
    """Return the alerts of a notification of Grafana."""
    told = decoded(letter.body, Notification)
    if told.alerts is None:
        old = told.ruleName is not None
        raise Unreadable(
            "This is what Grafana sent before version 9." if old else "There is no list `alerts`.",
            remedy="Use a webhook contact point of Grafana's unified alerting, without a template "
            "of your own for the payload.",
        )
    return of_alerts(letter, told.alerts, told.truncatedAlerts, Alert, posted)


def posted(one: Alert, letter: Letter) -> Posted:
    """Return an alert in the one form; values and addresses become annotations."""
    ends = cleaning.ended(status_of(one.status), one.endsAt, letter.now)
    annotations = dict(one.annotations)
    if values := ", ".join(
        f"{name}={told}" for name, value in (one.values or {}).items() if (told := word(value))
    ):
        annotations.setdefault("values", values)
    elif one.valueString:
        annotations.setdefault("values", one.valueString)
    for name in WHERE:
        if address := getattr(one, name):
            annotations.setdefault(name, address)
    link = one.generatorURL or one.panelURL or one.dashboardURL
    ends = until_told(letter.intake, ends, letter.now)
    return Posted(one.labels, annotations, one.startsAt, ends, link)


KIND = Kind(read)
