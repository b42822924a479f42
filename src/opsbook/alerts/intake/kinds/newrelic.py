"""What New Relic sends to a webhook: the default payloads of workflows, and of policies before.

Source: New Relic's documentation, "Webhook integrations" (issues, told by workflows) and "Customize
your webhook payload" (incidents, told by alert policies). What tells alerts apart is the number of
the issue or incident: its title and its priority change while it goes on.
"""

from __future__ import annotations

from typing import Any, Final

from opsbook.alerts.intake import cleaning
from opsbook.alerts.intake.kind import (
    Handed,
    Kind,
    Letter,
    Unreadable,
    decoded,
    first,
    moment,
    pairs,
    until_told,
)
from opsbook.alerts.intake.posted import Posted

CLOSED: Final = frozenset({"closed", "close", "resolved"})
KNOWN: Final = CLOSED | {"open", "opened", "created", "activated", "acknowledged"}


def read(letter: Letter) -> Handed:
    """Return the alert that New Relic tells of."""
    told = decoded(letter.body, dict[str, Any])
    state = first(told.get("state"), told.get("current_state"))
    if state.lower() not in KNOWN:
        raise Unreadable(
            f"The state is {cleaning.shown(state)}." if state else "There is no state.",
            remedy="Send New Relic's default payload: state, or current_state, says whether it is "
            "open or closed.",
        )
    over = state.lower() in CLOSED
    make = _issue if "current_state" not in told else _incident
    return Handed([cleaning.cleaned(make(letter, told, over=over), letter.now)])


def _issue(letter: Letter, told: dict[str, Any], *, over: bool) -> Posted:
    number = first(told.get("id"), told.get("issueId"))
    condition = _only(told.get("alertConditionNames"))
    title = _only(told.get("title"))
    labels = pairs(
        alertname=condition or title or "New Relic issue", severity=_word(told.get("priority")),
        policy=_only(told.get("alertPolicyNames")), entity=_only(told.get("impactedEntities")),
        issue=number,
    )  # fmt: skip
    annotations = pairs(
        summary=title, description=_listed(told.get("impactedEntities")),
        workflow=told.get("workflowName"), trigger=told.get("trigger"),
    )  # fmt: skip
    starts = moment(told.get("createdAt"))
    ends = moment(told.get("closedAt") or told.get("updatedAt")) if over else None
    return _posted(letter, labels, annotations, starts, ends, told.get("issueUrl"), over, number)


def _incident(letter: Letter, told: dict[str, Any], *, over: bool) -> Posted:
    number = first(told.get("incident_id"))
    targets = told.get("targets")
    target = targets[0] if isinstance(targets, list) and targets else {}
    labels = pairs(
        alertname=first(told.get("condition_name"), told.get("policy_name"), "New Relic incident"),
        severity=_word(told.get("severity")), policy=told.get("policy_name"),
        entity=target.get("name") if isinstance(target, dict) else "",
        account=told.get("account_id"), incident=number,
    )  # fmt: skip
    annotations = pairs(
        summary=told.get("details"), runbook_url=told.get("runbook_url"),
        policy_url=told.get("policy_url"),
    )  # fmt: skip
    at = moment(told.get("timestamp"))
    starts, ends = (None, at) if over else (at, None)
    return _posted(
        letter, labels, annotations, starts, ends, told.get("incident_url"), over, number
    )


def _posted(
    letter: Letter, labels: dict[str, str], annotations: dict[str, str], starts: Any, ends: Any,
    link: Any, over: bool, number: str,
) -> Posted:  # fmt: skip
    ends = cleaning.ended("resolved" if over else "firing", ends, letter.now)
    ends = until_told(letter.intake, ends, letter.now)
    return Posted(labels, annotations, starts, ends, first(link), number and f"newrelic {number}")


def _word(value: Any) -> str:
    return first(value).lower()


def _only(value: Any) -> str:
    """The first of a list, or the value where a template wrote no list."""
    return first(*value) if isinstance(value, list) else first(value)


def _listed(value: Any) -> str:
    return ", ".join(filter(None, map(first, value))) if isinstance(value, list) else first(value)


KIND = Kind(read)
