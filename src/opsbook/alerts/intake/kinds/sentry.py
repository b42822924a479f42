"""What Sentry sends to the webhook of an internal integration.

Source: Sentry's documentation, "Integration platform: webhooks". Each request is signed: the header
`Sentry-Hook-Signature` is an HMAC-SHA256 of the body with the integration's client secret, which is
what the intake's token refers to. `Sentry-Hook-Resource` says what it is about. A metric alert is
ended by Sentry; an issue alert only says that it happened again, and never that it is over.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

import msgspec

from opsbook.alerts.intake import cleaning
from opsbook.alerts.intake.kind import (
    Handed,
    Kind,
    Letter,
    Unreadable,
    decoded,
    first,
    inner,
    moment,
    pairs,
    until_told,
)
from opsbook.alerts.intake.posted import Posted
from opsbook.base import ids

SIGNATURE: Final = "sentry-hook-signature"
RESOURCE: Final = "sentry-hook-resource"
NO_ALERTS: Final = frozenset({"installation", "issue", "error", "comment", "seer"})
"""Resources that an integration may be told of as well, and that are no alerts."""


class Envelope(msgspec.Struct, gc=False):
    """What is sent."""

    action: str
    data: dict[str, Any]


def signed(letter: Letter, secret: str) -> bool:
    """Whether the body was signed with the client secret."""
    wanted = hmac.new(secret.encode(), letter.body, hashlib.sha256).hexdigest()
    return ids.same(letter.headers.get(SIGNATURE, "").strip().lower(), wanted)


def read(letter: Letter) -> Handed:
    """Return the alert that Sentry tells of, if it is one."""
    resource = letter.headers.get(RESOURCE, "")
    if resource in NO_ALERTS:
        return Handed(note=f"{resource} is no alert, and was not taken")
    if resource not in {"event_alert", "metric_alert"}:
        raise Unreadable(
            f"Sentry-Hook-Resource is {cleaning.shown(resource)}.",
            remedy="event_alert and metric_alert are read here.",
        )
    told = decoded(letter.body, Envelope)
    made = _event if resource == "event_alert" else _metric
    return Handed([cleaning.cleaned(made(letter, told), letter.now)])


def _event(letter: Letter, told: Envelope) -> Posted:
    """An issue alert: a rule took notice of an event of an issue."""
    event = inner(told.data, "event")
    issue = first(event.get("issue_id"), event.get("groupID"))
    rule = first(told.data.get("triggered_rule"), inner(told.data, "issue_alert").get("title"))
    title = first(event.get("title"), event.get("message"))
    name = rule or title
    if not name:
        raise Unreadable("The event has no title, and no rule is named.")
    labels = pairs(
        alertname=name, severity=event.get("level"), issue=issue, project=event.get("project"),
        environment=event.get("environment"), platform=event.get("platform"),
    )  # fmt: skip
    annotations = pairs(
        summary=title, culprit=event.get("culprit"), release=event.get("release"),
        event=event.get("event_id"),
    )  # fmt: skip
    link = first(event.get("web_url"), event.get("issue_url"))
    return Posted(labels, annotations, letter.now, None, link, f"issue {issue} {rule}")


def _metric(letter: Letter, told: Envelope) -> Posted:
    """A metric alert: a number went past its threshold, or came back."""
    alert = inner(told.data, "metric_alert")
    rule = inner(alert, "alert_rule")
    name = first(rule.get("name"), alert.get("title"), told.data.get("description_title"))
    if not name:
        raise Unreadable("The metric alert has no name.")
    over = told.action == "resolved"
    projects = alert.get("projects")
    labels = pairs(
        alertname=name, severity="" if over else told.action,
        project=projects[0] if isinstance(projects, list) and len(projects) == 1 else "",
        environment=rule.get("environment"),
    )  # fmt: skip
    annotations = pairs(
        summary=told.data.get("description_title"), description=told.data.get("description_text"),
        query=rule.get("query"), aggregate=rule.get("aggregate"),
    )  # fmt: skip
    number = first(alert.get("identifier"), alert.get("id"))
    starts = moment(first(alert.get("date_started"), alert.get("date_created")))
    ends = moment(first(alert.get("date_closed"))) if over else None
    ends = cleaning.ended("resolved" if over else "firing", ends, letter.now)
    return Posted(
        labels, annotations, starts, until_told(letter.intake, ends, letter.now),
        first(told.data.get("web_url")), f"metric {number or name}",
    )  # fmt: skip


KIND = Kind(read, proof="body", prove=signed)
