"""Telling a listener of a group: rows in the outbox, deliveries of webhooks, or an event.

All of it is written in the transaction that remembers that it was told, so that no crash can make
a second message of it or lose it. Sending is the outbox's and the deliveries' business.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from opsbook import people
from opsbook.alerts.pipeline.grouping import Group
from opsbook.alerts.pipeline.model import RULES, Alert, common, prometheus_fingerprint
from opsbook.alerts.pipeline.routing import INCIDENT, Listener
from opsbook.base import events
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.notify import outbox, webhooks

GROUP_FIRING: Final = "group.firing"
GROUP_RESOLVED: Final = "group.resolved"
LISTED: Final = 5
NEVER: Final = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class News:
    """What there is to tell of a group at one moment, in the order receivers get it."""

    group: Group
    alerts: Sequence[Alert]
    at: datetime
    name: str

    @property
    def firing(self) -> list[Alert]:
        """Those that fire."""
        return [one for one in self.alerts if not one.over(self.at)]

    @property
    def resolved(self) -> list[Alert]:
        """Those that are over."""
        return [one for one in self.alerts if one.over(self.at)]


def tell(
    tx: Transaction, now: datetime, book: Book, listener: Listener, news: News, url: str
) -> None:
    """Write what one listener is told."""
    if listener.id == INCIDENT and news.group.node.as_ == "incident":
        _incident(tx, now, book, news)
    elif listener.id in book.webhooks:
        _webhook(tx, now, book, listener, news, url)
    else:
        _message(tx, now, book, listener, news)


def _incident(tx: Transaction, now: datetime, book: Book, news: News) -> None:
    kind = GROUP_FIRING if news.firing else GROUP_RESOLVED
    worst = worst_of(book, news.firing or news.resolved)
    events.publish(
        tx, now, kind, f"alert:{worst.id}",
        {
            "book": book.id, "revision": worst.revision, "group": news.name,
            "group_key": news.group.key, "receiver": news.group.node.receiver,
            "alert": worst.id, "rule": worst.rule, "severity": worst.severity,
            "at": min(one.starts_at for one in news.firing or news.resolved).isoformat(),
            "firing": [one.id for one in news.firing],
            "resolved": [one.id for one in news.resolved],
        },
    )  # fmt: skip


def over_untold(tx: Transaction, now: datetime, book: str, alerts: Sequence[Alert]) -> None:
    """Tell incidents that alerts are over of which no group of theirs told.

    They were kept quiet when they ended, or their route opens no incident any more, or their book
    does nothing. An incident that nothing would ever end is worse than one that is told so past its
    group.
    """
    first = alerts[0]
    events.publish(
        tx, now, GROUP_RESOLVED, f"alert:{first.id}",
        {
            "book": book, "revision": first.revision, "group": "", "group_key": "",
            "receiver": "", "alert": first.id, "rule": first.rule, "severity": first.severity,
            "at": first.starts_at.isoformat(), "firing": [],
            "resolved": [one.id for one in alerts],
        },
    )  # fmt: skip


def worst_of(book: Book, alerts: Sequence[Alert]) -> Alert:
    """Return the alert of the worst severity; of several, the one that began first."""
    return worst_first(book, alerts)[0]


def worst_first(book: Book, alerts: Sequence[Alert]) -> list[Alert]:
    """Return alerts in the order somebody should read them."""
    weight = {severity: place for place, severity in enumerate(book.severities)}
    return sorted(alerts, key=lambda one: (weight.get(one.severity, 99), one.starts_at, one.id))


def _key(listener: Listener, news: News, now: datetime) -> str:
    """One message for each time that a group is told, however often that is worked through."""
    return f"group:{news.name[:32]}/{int(now.timestamp() * 1000)}/{listener.id}"


def _message(tx: Transaction, now: datetime, book: Book, listener: Listener, news: News) -> None:
    title, body = words(book, news)
    worst = worst_of(book, news.firing or news.resolved)
    told: dict[str, Any] = {
        "cause": f"alerts {news.group.node.receiver}", "key": _key(listener, news, now),
        "thread": f"alert:{worst.id}", "title": title, "body": body,
        "path": f"/alerts/{worst.id}", "urgent": False,
    }  # fmt: skip
    team = book.teams.get(listener.id)
    if listener.id in book.channels:
        outbox.tell(tx, now, book=book, channel_id=listener.id, **told)
    elif team is not None and team.channel is not None:
        outbox.tell(tx, now, book=book, channel_id=team.channel, **told)
    else:
        duty = people.duty(tx, book, now)
        persons = duty.of(listener.id, now)[:1] if team is not None else [listener.id]
        for person in persons:
            each = {**told, "key": f"{told['key']}/{person}"}
            outbox.page(tx, now, book=book, person_id=person, **each)


def words(book: Book, news: News) -> tuple[dict[str, str], dict[str, str]]:
    """Return a message's title and body by language: what, how many, and the first few."""
    alerts = news.firing or news.resolved
    worst = worst_of(book, alerts)
    more = len(alerts) - 1
    title, body = {}, {}
    for language in ("ko", "en"):
        what = _spoken(worst.summary, language)
        if language == "ko":
            state = worst.severity if news.firing else "해소"
            rest = f" 외 {more}건" if more else ""
        else:
            state = worst.severity if news.firing else "Resolved"
            rest = f" and {more} more" if more else ""
        title[language] = f"{state} {what}{rest}"
        lines = [_line(one, language) for one in worst_first(book, alerts)[:LISTED]]
        if more >= LISTED:
            left = len(alerts) - LISTED
            lines.append({"ko": f"외 {left}건", "en": f"and {left} more"}[language])
        if news.firing and news.resolved:
            over = {"ko": f"해소 {len(news.resolved)}건", "en": f"{len(news.resolved)} resolved"}
            lines.append(over[language])
        body[language] = "\n".join(lines)
    return title, body


def _line(one: Alert, language: str) -> str:
    """Return one alert in a line: how bad, what, where, and what is said of it."""
    where = ", ".join(
        one.labels[name] for name in ("service", "instance", "namespace") if name in one.labels
    )
    what = f"{one.severity} {_spoken(one.summary, language)}".strip()
    said = " ".join(one.annotations.get("description", "").split())
    return " · ".join(part for part in (what, where, said) if part)


def _spoken(summary: dict[str, str], language: str) -> str:
    for wanted in (language, "", "en"):
        if summary.get(wanted):
            return summary[wanted]
    return next(iter(summary.values()), "")


def _webhook(
    tx: Transaction, now: datetime, book: Book, listener: Listener, news: News, url: str
) -> None:
    webhooks.queue(
        tx, now, book=book.id, hook=listener.id, event=webhooks.ALERTS, instead=True,
        key=_key(listener, news, now), thread=f"group:{news.name[:32]}",
        body=json.dumps(payload(news, url), ensure_ascii=False, separators=(",", ":")),
    )  # fmt: skip


def payload(news: News, url: str) -> dict[str, Any]:
    """Return a group in the form of Alertmanager's webhook, version 4."""
    group = news.group
    alerts = news.alerts
    return {
        "receiver": group.node.receiver,
        "status": "firing" if news.firing else "resolved",
        "alerts": [_alert(one, url, firing=not one.over(news.at)) for one in alerts],
        "groupLabels": group.labels,
        "commonLabels": common(one.labels for one in alerts),
        "commonAnnotations": common(one.annotations for one in alerts),
        "externalURL": url,
        "version": "4",
        "groupKey": group.key,
        "truncatedAlerts": 0,
    }


def _alert(one: Alert, url: str, *, firing: bool) -> dict[str, Any]:
    return {
        "status": "firing" if firing else "resolved",
        "labels": one.labels,
        "annotations": one.annotations,
        "startsAt": moment(one.starts_at),
        "endsAt": NEVER if firing or one.ends_at is None else moment(one.ends_at),
        "generatorURL": page_of(one, url),
        "fingerprint": prometheus_fingerprint(one.labels),
    }


def page_of(one: Alert, url: str) -> str:
    """Return where an alert comes from: as its sender says, or its page here if it is ours."""
    if one.link or one.source != RULES or not one.id:
        return one.link
    return f"{url.rstrip('/')}/alerts/{one.id}"


def moment(at: datetime) -> str:
    """Return a time as Alertmanager writes it: RFC 3339 in UTC."""
    told = at.astimezone(UTC).isoformat(timespec="microseconds")
    return told.replace("+00:00", "Z")
