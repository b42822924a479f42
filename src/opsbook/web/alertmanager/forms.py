"""What this interface takes and gives, as msgspec reads and writes it; names are Alertmanager's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from opsbook.alerts.intake import cleaning
from opsbook.alerts.intake.kind import Unreadable, decoded
from opsbook.alerts.intake.posted import Posted
from opsbook.alerts.pipeline.model import prometheus_fingerprint
from opsbook.alerts.pipeline.telling import page_of
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


class Given(Posted, frozen=True):
    """An alert as it is sent: here a ``key`` is a field that nobody knows.

    It is looked for by its own name alone, since a body that has one cannot be kept as it came.
    """

    key: Any = ""


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


_alerts = msgspec.json.Decoder(list[Given])
_each = msgspec.json.Decoder(list[msgspec.Raw])
_silence = msgspec.json.Decoder(SilenceForm)


def alerts(body: bytes) -> tuple[list[Posted], list[str], bool]:
    """Return the alerts of a body that can be taken, what is wrong with the others, and whether
    the body can be kept as it came.

    Raises:
        InvalidAlert: it is no list of alerts.
    """
    found, wrong = _read(body)
    good: list[Posted] = []
    for n, one in found:
        fault = _fault(one)
        if fault:
            wrong[n] = fault
        else:
            good.append(one)
    bad = [f"alert {n}: {wrong[n]}" for n in sorted(wrong)]
    clean = not bad and not cleaning.may_hide(body)
    clean = clean and all(one.key == "" and "" not in one.labels.values() for one in good)
    if not clean:
        good = [_cleaned(one) for one in good]
    return good, bad, clean


def _read(body: bytes) -> tuple[list[tuple[int, Posted]], dict[int, str]]:
    """Return the alerts of a body by their places, and what is wrong with those that are none.

    Only where one is wrong are they read one by one.

    Raises:
        InvalidAlert: it is no list of alerts.
    """
    try:
        return list(enumerate(_alerts.decode(body))), {}
    except msgspec.ValidationError:
        pass
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidAlert(f"The body is no list of alerts: {_why(error)}.") from None
    try:
        raws = _each.decode(body)
        good: list[tuple[int, Posted]] = []
        wrong: dict[int, str] = {}
        for n, raw in enumerate(raws):
            try:
                good.append((n, decoded(raw, Given)))
            except Unreadable as error:
                wrong[n] = "; ".join(error.faults) or error.message
        return good, wrong
    except msgspec.ValidationError:
        told = "write it as [{…}], with labels in each"
        raise InvalidAlert(f"The body is no list of alerts: {told}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidAlert(f"The body is no list of alerts: {_why(error)}.") from None


def _why(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return "it is no UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


_known: set[str] = set()


def _fault(one: Posted) -> str:
    if not any(one.labels.values()):
        return "it has no label; give it at least one, such as alertname"
    if len(one.labels) > MOST_LABELS:
        return f"it has {len(one.labels)} labels; send at most {MOST_LABELS}"
    size = 0
    for what, pairs in (("label", one.labels), ("annotation", one.annotations)):
        for name, value in pairs.items():
            if name not in _known and not _is_name(name):
                told = f"{name[:80]!r} is no name of a {what}"
                return f"{told}; use letters, digits and _, not starting with a digit"
            size += len(value)
    if size > LONGEST_LABELS:
        told = f"its labels and annotations are longer than {LONGEST_LABELS:,} characters"
        return f"{told}; shorten them"
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
        which = "startsAt" if starts is not None and starts.tzinfo is None else "endsAt"
        at = starts if which == "startsAt" else ends
        return f"{which} {at} has no zone; write it as 2026-01-31T18:00:00Z"
    if starts is not None and ends is not None and starts > ends and ends.year > 1:
        told = f"startsAt is {moment(starts)} and endsAt {moment(ends)}"
        return f"start time must be before end time: {told}"
    return ""


def _cleaned(one: Posted) -> Posted:
    """Return an alert without empty labels, and without signs that nobody sees."""
    labels = {name: cleaning.text(value) for name, value in one.labels.items() if value}
    annotations = {name: cleaning.text(value) for name, value in one.annotations.items()}
    return Posted(labels, annotations, one.startsAt, one.endsAt, one.generatorURL)


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
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"The body is no silence: {_not_a_silence(body) or _why(error)}.") from None
    except MatcherError as error:
        raise Invalid(f"A matcher cannot be used: {error}.") from None


def _not_a_silence(body: bytes) -> str:
    """Return everything in which a body is not of a silence's form; nothing for what is no JSON."""
    try:
        decoded(body, SilenceForm)
    except Unreadable as error:
        return "; ".join(error.faults)
    return ""


def filters(texts: Iterable[str]) -> tuple[Matcher, ...]:
    """Return the matchers of a query's ``filter``; raises Invalid."""
    try:
        return tuple(one for text in texts for one in parse_all(text))
    except MatcherError as error:
        raise Invalid(f"bad matcher format: {error}") from None


def alert_form(one: Standing, now: datetime, url: str) -> dict[str, Any]:
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
        "generatorURL": page_of(alert, url),
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
