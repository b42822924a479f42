"""What this interface takes and gives, as msgspec reads and writes it; names are Alertmanager's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from opsbook.alerts.intake.posted import Posted
from opsbook.alerts.pipeline.model import prometheus_fingerprint
from opsbook.alerts.pipeline.view import Standing
from opsbook.alerts.silences import Silence
from opsbook.base.errors import Invalid
from opsbook.book.matchers import Matcher, MatcherError, Operator, parse_all
from opsbook.notify.webhooks.model import moment

LONGEST_LABELS: Final = 64 * 1024
MOST_LABELS: Final = 128
UNSAID: Final = timedelta(minutes=5)
"""What is given as the end of an alert that fires until it is over: the form wants one."""
MOST_KNOWN: Final = 10_000
_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class InvalidAlert(Invalid):
    """What was sent cannot be taken."""


class MatcherForm(msgspec.Struct):
    """A matcher of a silence."""

    name: str
    value: str
    isRegex: bool  # noqa: N815
    isEqual: bool = True  # noqa: N815

    def matcher(self) -> Matcher:
        """Return it as the rest of the house has it; raises MatcherError."""
        operators: dict[tuple[bool, bool], Operator] = {
            (False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~",
        }  # fmt: skip
        return Matcher(self.name, operators[self.isRegex, self.isEqual], self.value)


class SilenceForm(msgspec.Struct):
    """A silence that somebody asks for."""

    matchers: list[MatcherForm]
    startsAt: datetime  # noqa: N815
    endsAt: datetime  # noqa: N815
    createdBy: str = ""  # noqa: N815
    comment: str = ""
    id: str | None = None


_alerts = msgspec.json.Decoder(list[Posted])
_silence = msgspec.json.Decoder(SilenceForm)


def alerts(body: bytes) -> tuple[list[Posted], list[str], bool]:
    """Return the alerts of a body that can be taken, what is wrong with the others, and whether
    the body can be kept as it came.

    Raises:
        InvalidAlert: it is no list of alerts.
    """
    try:
        found = _alerts.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidAlert(f"The body is no list of alerts: {error}.") from None
    good, bad = [], []
    for n, one in enumerate(found):
        fault = _fault(one)
        if fault:
            bad.append(f"alert {n}: {fault}")
        else:
            good.append(one)
    clean = not bad and all("" not in one.labels.values() for one in good)
    if not clean:
        good = [_without_empty(one) for one in good]
    return good, bad, clean


_known: set[str] = set()


def _fault(one: Posted) -> str:
    if not any(one.labels.values()):
        return "it has no label"
    if len(one.labels) > MOST_LABELS:
        return f"it has more than {MOST_LABELS} labels"
    size = 0
    for what, pairs in (("label", one.labels), ("annotation", one.annotations)):
        for name, value in pairs.items():
            if name not in _known and not _is_name(name):
                return f"{name[:80]!r} is no name of a {what}"
            if "\0" in value:
                return f"the {what} {name} holds a NUL"
            size += len(value)
    if size > LONGEST_LABELS:
        return f"its labels and annotations are longer than {LONGEST_LABELS:,} characters"
    return _time_fault(one.startsAt, one.endsAt)


def _is_name(name: str) -> bool:
    """Whether it is a label's name; the usual ones are remembered, since a look-up is cheaper."""
    if not _NAME.fullmatch(name):
        return False
    if len(_known) < MOST_KNOWN:
        _known.add(name)
    return True


def _time_fault(starts: datetime | None, ends: datetime | None) -> str:
    if (starts is not None and starts.tzinfo is None) or (ends is not None and ends.tzinfo is None):
        return "a time has no zone"
    if starts is not None and ends is not None and starts > ends and ends.year > 1:
        return "start time must be before end time"
    return ""


def _without_empty(one: Posted) -> Posted:
    labels = {name: value for name, value in one.labels.items() if value}
    return Posted(labels, one.annotations, one.startsAt, one.endsAt, one.generatorURL)


def silence(body: bytes) -> tuple[SilenceForm, tuple[Matcher, ...]]:
    """Return what is asked for, and its matchers.

    Raises:
        Invalid: it is no silence, or a matcher is none.
    """
    try:
        found = _silence.decode(body)
        if found.startsAt.tzinfo is None or found.endsAt.tzinfo is None:
            raise Invalid("The times of a silence need a zone.")
        return found, tuple(one.matcher() for one in found.matchers)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"The body is no silence: {error}.") from None
    except MatcherError as error:
        raise Invalid(f"A matcher cannot be used: {error}.") from None


def filters(texts: Iterable[str]) -> tuple[Matcher, ...]:
    """Return the matchers of a query's ``filter``; raises Invalid."""
    try:
        return tuple(one for text in texts for one in parse_all(text))
    except MatcherError as error:
        raise Invalid(f"bad matcher format: {error}") from None


def alert_form(one: Standing, now: datetime) -> dict[str, Any]:
    """Return an alert as ``gettableAlert``."""
    alert = one.alert
    return {
        "annotations": alert.annotations,
        "endsAt": moment(alert.ends_at or now + UNSAID),
        "fingerprint": prometheus_fingerprint(alert.labels),
        "receivers": [{"name": node.receiver} for node in one.nodes],
        "startsAt": moment(alert.starts_at),
        "status": {
            "inhibitedBy": list(one.inhibited_by),
            "silencedBy": list(one.silenced_by),
            "state": one.state,
        },
        "updatedAt": moment(alert.updated_at),
        "generatorURL": alert.link,
        "labels": alert.labels,
    }


def silence_form(one: Silence, now: datetime) -> dict[str, Any]:
    """Return a silence as ``gettableSilence``; of one that recurs, its window now or next."""
    begins, ends = one.span(now)
    return {
        "id": one.uuid,
        "status": {"state": one.state(now)},
        "updatedAt": moment(one.updated_at),
        "comment": one.comment,
        "createdBy": one.created_by,
        "endsAt": moment(ends),
        "matchers": [
            {
                "isEqual": each.is_equal, "isRegex": each.is_regex, "name": each.name,
                "value": each.value,
            }
            for each in one.matchers
        ],
        "startsAt": moment(begins),
    }  # fmt: skip
