"""What an Alertmanager sends to a webhook, version 4 of its form, and whatever is like it.

Source: Alertmanager's documentation, ``webhook_config``. Alerts are told apart by their labels. An
Alertmanager repeats them after hours or days if at all, so they stay until it says that they are
over, unless the book says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from opsbook.alerts.intake import cleaning
from opsbook.alerts.intake.kind import (
    Form,
    Handed,
    Kind,
    Letter,
    Unreadable,
    decoded,
    each,
    until_told,
)
from opsbook.alerts.intake.posted import Posted

OLDEST = 4
STATUSES = frozenset({"firing", "resolved"})


class Alert(msgspec.Struct, gc=False):
    """One alert of a notification."""

    labels: dict[str, str]
    annotations: dict[str, str] = {}
    status: str = "firing"
    startsAt: datetime | None = None  # noqa: N815
    endsAt: datetime | None = None  # noqa: N815
    generatorURL: str = ""  # noqa: N815


class Notification(msgspec.Struct, gc=False):
    """What is sent; the alerts are read one by one."""

    alerts: list[msgspec.Raw]
    version: str = "4"
    truncatedAlerts: int = 0  # noqa: N815


def read(letter: Letter) -> Handed:
    """Return the alerts of a notification of an Alertmanager."""
    told = decoded(letter.body, Notification)
    if not told.version.isascii() or not told.version.isdigit() or int(told.version) < OLDEST:
        raise Unreadable(
            f"The version is {cleaning.shown(told.version)}; {OLDEST} or later is read here.",
            remedy="Let an Alertmanager of version 0.5 or later send it.",
        )
    return of_alerts(letter, told.alerts, told.truncatedAlerts, Alert, posted)


def of_alerts(
    letter: Letter,
    raws: list[msgspec.Raw],
    left_out: int,
    form: type[Form],
    make: Callable[[Form, Letter], Posted],
) -> Handed:
    """Return the alerts of a list, with what is wrong with some, and how many there should be."""
    good, bad = each(raws, form)
    alerts: list[Posted] = []
    for n, one in good:
        try:
            alerts.append(cleaning.cleaned(make(one, letter), letter.now))
        except cleaning.Unfit as error:
            bad.append(f"alerts[{n}]: {error.told}")
    note = f"the sender left out {left_out} alerts of one notification" if left_out > 0 else ""
    return Handed(cleaning.latest(alerts), bad, note)


def posted(one: Alert, letter: Letter) -> Posted:
    """Return an alert in the one form."""
    ends = cleaning.ended(status_of(one.status), one.endsAt, letter.now)
    ends = until_told(letter.intake, ends, letter.now)
    return Posted(one.labels, one.annotations, one.startsAt, ends, one.generatorURL)


def status_of(said: str) -> str:
    """Return whether an alert fires or is resolved.

    A word that is neither is refused: taken for either it would page for what is over, or end what
    goes on, and nobody would look for the reason in the sender's words.
    """
    if said not in STATUSES:
        raise cleaning.Unfit(
            f"its status is {cleaning.shown(said)}", remedy="send firing or resolved"
        )
    return said


KIND = Kind(read)
