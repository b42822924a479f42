"""Work that ends: jobs that failed, cron jobs that have not succeeded for long; and warnings."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Final

from opsbook.base.quantities import format_quantity
from opsbook.checks.kubernetes.api import Api
from opsbook.checks.kubernetes.asked import Asked, counted, found, listed, none_to_count, nothing
from opsbook.checks.kubernetes.objects import CronJob, Event, Job, condition
from opsbook.checks.model import CannotLook, Reading


async def failed(api: Api, asked: Asked) -> Reading:
    """How many jobs failed for good within the window."""
    jobs = await found(api, asked, "/apis/batch/v1", "jobs", Job)
    if not jobs:
        return await none_to_count(api, asked, "job")
    since = asked.now - asked.window
    bad = []
    for one in jobs:
        said = condition(one.status.conditions, "Failed")
        if said is not None and said.status == "True":
            at = said.last_transition_time
            if at is None or at > since:
                bad.append((one, said.reason or "Failed"))
    told = f"{len(bad)} of {counted(len(jobs), 'job')} failed in {_span(asked.window)}"
    if bad:
        names = (
            f"{asked.shown(one.metadata.namespace, one.metadata.name)} ({why})" for one, why in bad
        )
        told += f": {listed(names)}"
    return Reading(len(bad), "", told)


async def cron(api: Api, asked: Asked) -> Reading:
    """The age of the last success, in seconds, of the cron job whose is the oldest.

    One that has never succeeded is as old as it is; one that is suspended is passed over.

    Raises:
        CannotLook: all of them are suspended, or none says when it was made.
    """
    every = await found(api, asked, "/apis/batch/v1", "cronjobs", CronJob)
    if not every:
        return await nothing(api, asked, "cron job")
    ages = []
    for one in every:
        last = one.status.last_successful_time or one.metadata.creation_timestamp
        if not one.spec.suspend and last is not None:
            ages.append(((asked.now - last).total_seconds(), one))
    if not ages:
        raise CannotLook(f"every cron job {asked.which} is suspended")
    age, oldest = max(ages, key=lambda one: one[0])
    name = asked.shown(oldest.metadata.namespace, oldest.metadata.name)
    last = oldest.status.last_successful_time
    told = f"{name}: last success {last:%Y-%m-%d %H:%M} UTC" if last else f"{name} never succeeded"
    told += f"; the oldest of {len(ages)}" if len(ages) > 1 else ""
    return Reading(max(0.0, age), "s", told)


async def warnings(api: Api, asked: Asked) -> Reading:
    """How many different warnings were seen within the window.

    Kubernetes keeps one event for what repeats, and forgets all after an hour.
    """
    told = {"fieldSelector": "type=Warning"}
    events = await api.objects(asked.path("/api/v1", "events"), Event, told)
    since = asked.now - asked.window
    seen = [
        one
        for one in events
        if one.type == "Warning"
        and one.at > since
        and asked.reason in {None, one.reason}
        and asked.name in {None, one.involved_object.name}
    ]
    words = f"{counted(len(seen), 'warning')} in {_span(asked.window)}"
    if not events:
        await none_to_count(api, _nameless(asked), "warning")
    if seen:
        reasons = Counter(one.reason for one in seen)
        words += f": {listed(f'{why} {count}' for why, count in reasons.most_common())}"
        newest = max(seen, key=lambda one: one.at)
        about = newest.involved_object
        words += f"; last {about.kind.lower()} {about.name}: {newest.message[:120]}"
    return Reading(len(seen), "", words)


def _nameless(asked: Asked) -> Asked:
    return Asked(
        asked.now, asked.memory, asked.namespace, None, None, None, None, None,
        asked.window, asked.longer_than,
    )  # fmt: skip


def _span(window: timedelta) -> str:
    return format_quantity(window.total_seconds(), "s")


METRICS: Final = {"jobs": failed, "cronjobs": cron, "events": warnings}
