"""Intakes and heartbeats: what comes in from outside is let in on purpose, and can be read.

An intake without a secret is open to this machine alone, which is enough for an Alertmanager or a
Grafana that stands beside Opsbook. Those that only ever speak from the internet need one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from opsbook.base.quantities import format_duration
from opsbook.book.positions import Path
from opsbook.book.problems import Problem
from opsbook.book.sections.alerts import LABEL_NAME
from opsbook.book.sections.intakes import Intake
from opsbook.book.sections.webhooks import is_loopback
from opsbook.book.validate.whole import Whole

MAY_BE_OPEN: Final = frozenset({"alertmanager", "webhook", "grafana"})
"""Kinds whose senders often stand on the same machine; without a token they are heard from there
only."""
OURS: Final = {
    "book": "take it out: Opsbook fills it in",
    "rule": "take it out: Opsbook fills it in",
    "check": "take it out: Opsbook fills it in",
    "severity": "write severity:, or severities: for the sender's words",
    "service": "write service: instead",
}
TOPIC_FORM: Final = re.compile(
    r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?"
)
LEAST_PAUSE: Final = timedelta(seconds=10)


def intakes(whole: Whole) -> Iterator[Problem]:
    """Each has what its kind needs and nothing that its kind does not read."""
    given = [id for id, one in whole.sections.intakes.items() if one.default]
    for id, intake in whole.sections.intakes.items():
        path: Path = ("intakes", id)
        yield from _of_kind(whole, path, intake)
        yield from _labels(whole, (*path, "labels"), intake.labels, ours=True)
        if intake.fields is not None:
            yield from _labels(whole, (*path, "fields", "labels"), intake.fields.labels)
        if not intake.resolve_after:
            told = "an alert would be over as soon as it comes in"
            yield whole.problem((*path, "resolve_after"), told, "write a time such as 5m")
        if intake.default and id != given[0]:
            told = f"{given[0]} is the one that answers under /api/v2 already"
            yield whole.at_key((*path, "default"), told, "take default: out of one of the two")


def _of_kind(whole: Whole, path: Path, intake: Intake) -> Iterator[Problem]:
    kind = intake.kind
    if intake.token is None and kind not in MAY_BE_OPEN:
        told = f"anybody on the internet could hand in alerts: {kind} needs a secret"
        yield whole.at_key(path, told, "add token: with env:NAME or file:/path")
    if kind == "json" and intake.fields is None:
        told = "nothing says where in the sender's JSON an alert's name is"
        yield whole.at_key(path, told, "add fields: with name: and what else there is")
    if kind == "cloudwatch" and not intake.topics:
        told = "no topic is taken"
        yield whole.at_key(path, told, "add topics: with the ARNs of the SNS topics")
    for name, wanted in (("fields", "json"), ("topics", "cloudwatch")):
        if getattr(intake, name) and kind != wanted:
            told = f"means nothing for the kind {kind}"
            yield whole.at_key((*path, name), told, f"remove it, or write kind: {wanted}")
    for n, topic in enumerate(intake.topics):
        if not TOPIC_FORM.fullmatch(topic):
            told = f"{topic!r} is not the ARN of an SNS topic"
            remedy = "write one such as arn:aws:sns:ap-northeast-2:123456789012:alarms"
            yield whole.problem((*path, "topics", n), told, remedy)
    if intake.default and kind != "alertmanager":
        told = f"what answers under /api/v2 speaks Alertmanager's language, and not {kind}"
        yield whole.at_key((*path, "default"), told, "take it out, or write kind: alertmanager")


def _labels(
    whole: Whole, path: Path, labels: Iterable[str], *, ours: bool = False
) -> Iterator[Problem]:
    for label in labels:
        if ours and label in OURS:
            told = f"the label {label!r} is not the sender's to set"
            yield whole.at_key((*path, label), told, OURS[label])
        elif not re.match(LABEL_NAME, label):
            told = f"{label!r} is no label's name"
            remedy = "use letters, digits and _, not starting with a digit"
            yield whole.at_key((*path, label), told, remedy)


def heartbeats(whole: Whole) -> Iterator[Problem]:
    """Not so often that it is an attack, and to this machine only where that is meant."""
    for id, one in whole.sections.heartbeats.items():
        path: Path = ("heartbeats", id)
        if one.every < LEAST_PAUSE:
            told = f"{format_duration(one.every)} is too often for a sign of life"
            yield whole.problem((*path, "every"), told, "write 10s or more")
        host = urlsplit(one.url.url or "").hostname
        if host and is_loopback(host) and not one.loopback:
            told = f"{host} is the machine that Opsbook runs on"
            remedy = "add loopback: true if that is meant"
            yield whole.problem((*path, "url"), told, remedy)
