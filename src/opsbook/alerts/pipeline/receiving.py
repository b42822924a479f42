"""Working in what came in: is it new, changed, over, or the same again?

Alertmanager's rules for alerts that are handed in over and over: the younger word counts, the
earliest beginning stays, and an end that was only ours to set (nobody gave one) never outweighs a
real one. What is merely repeated changes a counter and an end, and nobody is told of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from opsbook.alerts.intake.posted import Posted
from opsbook.alerts.intake.severities import mapped, severity_of
from opsbook.alerts.pipeline.model import Alert
from opsbook.book import Book
from opsbook.book.matchers import all_match
from opsbook.book.sections.alerts import Rule
from opsbook.book.sections.intakes import Intake
from opsbook.book.texts import Text

REACH: Final = timedelta(days=3650)
SUMMARIES: Final = ("summary", "message", "title", "description")
NO_INTAKE: Final = Intake(id="intake", kind="alertmanager", title=Text({"": "intake"}))

Effect = Literal["begins", "changes", "goes on", "ends", "nothing"]


@dataclass(frozen=True, slots=True)
class Received:
    """What one alert that was handed in does, and how the alert stands after it."""

    effect: Effect
    alert: Alert


def worked_in(
    book: Book, source: str, posted: Posted, at: datetime, known: Alert | None, name: str
) -> Received:
    """Return what `posted`, handed in at `at`, does to the alert that is known under its `name`."""
    intake = book.intakes.get(source, NO_INTAKE)
    ends_at, timed_out = _said(posted.endsAt, at), False
    starts_at = min(_said(posted.startsAt, at) or ends_at or at, at)
    if ends_at is None:
        ends_at, timed_out = at + intake.resolve_after, True
    as_known = known if posted.key and ends_at <= at else None
    if as_known is not None:
        posted = _in_its_words(as_known, posted)
    if known is not None and not known.over(at) and ends_at > at:
        same = known.annotations == posted.annotations and known.link == posted.generatorURL
        if same:
            return _repeated(known, starts_at, ends_at, at, timed_out=timed_out)
    young = _made(book, intake, source, posted, name, at, starts_at, ends_at, timed_out=timed_out)
    if as_known is not None:  # the words were translated when they came
        young.labels, young.severity = as_known.labels, as_known.severity
    if known is None:
        return Received("nothing" if ends_at <= at else "begins", young)
    _merge(known, young, at)
    if known.over(at):
        effect: Effect = "nothing" if young.over(at) else "begins"
        return Received(effect, young)
    young.id, young.received = known.id, known.received + 1
    return Received("ends" if young.over(at) else "changes", young)


def _in_its_words(known: Alert, end: Posted) -> Posted:
    """An end under a sender's own name: often it says nothing else, so what was said stays true."""
    annotations = {**known.annotations, **end.annotations}
    link = end.generatorURL or known.link
    return Posted(known.labels, annotations, end.startsAt, end.endsAt, link, end.key)


def _said(time: datetime | None, at: datetime) -> datetime | None:
    """A time, in UTC and within reach, unless it is the year 1: how Go writes that there is none.

    Clocks are wrong and years are 9999. No alert begins later than it was handed in, or what is
    counted from there would wait for a day to come; and no time is so far away that there is no
    counting from it.
    """
    if time is None or time.year == 1:
        return None
    earliest, latest = at - REACH, at + REACH
    return earliest if time < earliest else min(time, latest).astimezone(UTC)


def _repeated(
    known: Alert, starts_at: datetime, ends_at: datetime, at: datetime, *, timed_out: bool
) -> Received:
    """The commonest case by far: nothing is new but the end, and one more was counted."""
    if not (known.ends_at is not None and known.ends_at > ends_at and not known.timed_out) or (
        not _overlap(known, starts_at, ends_at)
    ):
        known.ends_at, known.timed_out = ends_at, timed_out
    known.updated_at = at
    known.received += 1
    if starts_at < known.starts_at:
        known.starts_at = starts_at
        return Received("changes", known)
    return Received("goes on", known)


def _overlap(known: Alert, starts_at: datetime, ends_at: datetime) -> bool:
    end = known.ends_at
    if end is None:
        return True
    return known.starts_at < ends_at < end or known.starts_at < starts_at < end


def _merge(old: Alert, young: Alert, at: datetime) -> None:
    """Let the younger one take over what stays true of the older, if they overlap in time.

    Source: ``Alert.Merge`` and the overlap test of Alertmanager's provider.
    """
    if young.ends_at is None or not _overlap(old, young.starts_at, young.ends_at):
        return
    young.starts_at = min(old.starts_at, young.starts_at)
    if old.ends_at is None:
        return
    later = old.ends_at > young.ends_at
    if (young.over(at) and old.over(at) and later) or (
        not young.over(at) and later and not old.timed_out
    ):
        young.ends_at, young.timed_out = old.ends_at, old.timed_out


def _made(
    book: Book, intake: Intake, source: str, posted: Posted, name: str, at: datetime,
    starts_at: datetime, ends_at: datetime, *, timed_out: bool,
) -> Alert:  # fmt: skip
    labels = dict(posted.labels)
    for label, value in intake.labels.items():
        labels.setdefault(label, value)
    if intake.service is not None:
        labels.setdefault("service", intake.service)
    rule = rule_of(book, source, labels)
    if rule is not None:
        labels = {**rule.labels_of(book.id, None), **labels}
        labels |= {"rule": rule.id, "severity": rule.severity}
    elif word := mapped(intake, labels):
        labels["severity"] = word
    if rule is not None and not _has_templates(rule.summary):
        summary = dict(rule.summary.by_language)
    else:
        summary = {"": summary_of(labels, posted.annotations)}
    return Alert(
        id=0, book=book.id, source=source, fingerprint=name, labels=labels,
        annotations=dict(posted.annotations), link=posted.generatorURL.replace("\0", ""),
        starts_at=starts_at,
        ends_at=ends_at, updated_at=at, timed_out=timed_out, received=1,
        rule=rule.id if rule is not None else "",
        severity=rule.severity if rule is not None else severity_of(book, intake, labels),
        revision=str(book.revision), summary=summary,
    )  # fmt: skip


def _has_templates(text: Text) -> bool:
    """Whether it waits for values that only the sender has filled in: as Prometheus's rules do."""
    return any("{{" in one for one in text.by_language.values())


def rule_of(book: Book, source: str, labels: Mapping[str, str]) -> Rule | None:
    """Return the rule of the book that speaks of an alert from outside.

    A rule in PromQL comes back with its own name, and with the book's where Prometheus was given
    the exported rules; otherwise the first rule whose matchers take it.
    """
    if labels.get("book", book.id) == book.id:
        named = book.rules.get(labels.get("rule") or labels.get("alertname", ""))
        if named is not None and named.promql is not None:
            return named
    for rule in book.rules.values():
        if (
            rule.received
            and (rule.intake is None or rule.intake == source)
            and all_match(rule.received, labels)
        ):
            return rule
    return None


def summary_of(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """Return what is wrong in a line, as the sender says it, else what the alert is called."""
    for name in SUMMARIES:
        if said := annotations.get(name, "").strip():
            return said
    return labels.get("alertname", "") or "?"
