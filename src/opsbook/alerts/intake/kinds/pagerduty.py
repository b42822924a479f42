"""What programs send to PagerDuty's Events API v2, answered as PagerDuty does.

A program that knows how to speak to PagerDuty needs nothing but another address: its routing key is
the intake's token. Source: PagerDuty's documentation, "Events API v2".

What tells alerts apart is `dedup_key`; an event that ends one has often nothing else. One without
gets a key of our own, which the answer says, as PagerDuty's does. Somebody who acknowledges in
another program has not done so here: that is answered, and changes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, Literal

import msgspec

from opsbook.alerts.intake import cleaning
from opsbook.alerts.intake.kind import (
    Answer,
    Handed,
    Kind,
    Letter,
    Unreadable,
    decoded,
    first,
    inner,
    moment,
    until_told,
    word,
)
from opsbook.alerts.intake.posted import Posted
from opsbook.base import ids

ROUTING: Final = "x-routing-key"
TOLD_APART: Final = ("source", "severity", "component", "group", "class")
"""What of a payload becomes labels."""
LONGEST_KEY: Final = 255
NEEDED: Final = ("summary", "source", "severity")
"""What a payload must have for an event that is to trigger."""


class Keyed(msgspec.Struct, gc=False):
    """Of an event, what shows that it may come in."""

    routing_key: str = ""


class Event(msgspec.Struct, gc=False):
    """What is sent; a payload is wanted for `trigger` alone."""

    event_action: Literal["trigger", "acknowledge", "resolve"]
    dedup_key: str | None = None
    payload: dict[str, Any] | None = None
    links: Any = None
    client: Any = None
    client_url: Any = None


def proven(letter: Letter, key: str) -> bool:
    """Whether the routing key is the intake's token."""
    try:
        given = letter.headers.get(ROUTING) or decoded(letter.body, Keyed).routing_key
    except Unreadable:
        return False
    return ids.same(given, key)


def read(letter: Letter) -> Handed:
    """Return the alert of an event."""
    try:
        event = decoded(letter.body, Event)
    except Unreadable as error:
        if not error.faults:
            raise
        about = decoded(letter.body, Any)
        raise _invalid([*error.faults, *_faults(about)]) from None
    if wrong := _faults(msgspec.to_builtins(event)):
        raise _invalid(wrong)
    key = (event.dedup_key or "").strip()
    if event.event_action == "trigger":
        key = key or secrets.token_hex(16)
        made = _triggered(letter, event, key)
    elif event.event_action == "acknowledge":
        return Handed(said=key)
    else:
        payload = event.payload or {}
        labels = _labels(payload, key)
        ends = cleaning.ended("resolved", moment(payload.get("timestamp")), letter.now)
        made = Posted(labels, {}, None, ends, "", key)
    return Handed([cleaning.cleaned(made, letter.now)], said=key)


def _invalid(wrong: Sequence[str]) -> Unreadable:
    return Unreadable(f"The event is not valid: {'; '.join(wrong)}.", faults=wrong)


def _faults(about: Any) -> list[str]:
    """What is wrong with an event although each of its fields may be of its form."""
    if not isinstance(about, dict):
        return []
    found = []
    action = about.get("event_action")
    key = first(about.get("dedup_key"))
    if len(key) > LONGEST_KEY:
        told = f"dedup_key is longer than {LONGEST_KEY} characters; shorten it"
        found.append(told)
    if action in {"acknowledge", "resolve"} and not key:
        told = f"an event that is to {action} needs a dedup_key; send that of its trigger"
        found.append(told)
    if action == "trigger":
        payload = inner(about, "payload")
        missing = [f"payload.{name}" for name in NEEDED if not first(payload.get(name))]
        if missing:
            found.append(f"an event that is to trigger needs {', '.join(missing)}; send them")
    return found


def _triggered(letter: Letter, event: Event, key: str) -> Posted:
    payload = event.payload or {}
    details = payload.get("custom_details")
    annotations = {"summary": word(payload["summary"])}
    if isinstance(details, Mapping):
        for name, value in details.items():
            annotations.setdefault(str(name), word(value) or _json(value))
    elif details:
        annotations["description"] = word(details) or _json(details)
    if told := first(event.client):
        annotations["client"] = told
    starts = moment(payload.get("timestamp"))
    ends = until_told(letter.intake, None, letter.now)
    return Posted(_labels(payload, key), annotations, starts, ends, _link(event), key)


def _labels(payload: Mapping[str, Any], key: str) -> dict[str, str]:
    """The labels. The summary is a sentence: what the event is about names the alert instead."""
    found = {name: told for name in TOLD_APART if (told := first(payload.get(name)))}
    name = first(payload.get("class"), payload.get("component"), payload.get("source"), key)
    return {"alertname": name, "dedup_key": key, **found}


def _link(event: Event) -> str:
    links = event.links if isinstance(event.links, list) else []
    given = [one.get("href") for one in links if isinstance(one, dict)]
    return first(event.client_url, *given)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode() if value not in (None, "", [], {}) else ""


def taken(handed: Handed) -> Answer:
    """PagerDuty's answer to an event that it took."""
    about = {"status": "success", "message": "Event processed", "dedup_key": handed.said}
    return HTTPStatus.ACCEPTED, about


def refused(errors: Sequence[str]) -> Answer:
    """PagerDuty's answer to an event that it did not."""
    about = {
        "status": "invalid event",
        "message": "Event object is invalid",
        "errors": list(errors),
    }
    return HTTPStatus.BAD_REQUEST, about


KIND = Kind(
    read, proof="body", prove=proven, taken=taken, refused=refused,
    paths=frozenset({"", "v2/enqueue"}),
)  # fmt: skip
