"""``heartbeat``: has a job reported that it is done, by when it should have?

The other way round than every other kind: nothing is asked. A job (a backup, a cron line, a batch
elsewhere) calls its address when it has ended, in the form of Healthchecks, and its silence is what
is noticed. The value is how long its last success ago is, in seconds.

By when it should report is `expect` (so long after its last success) or a `schedule` in the book's
time zone. Late within `grace` is a warning, later than that critical; a failure is critical at once
and until the next success. With `at_most`, a run that has said that it started has that long to
end: longer is critical, and until then a run that began in time is not late. A job that has never
reported is missing data until its first report is overdue by the same rule, counted from when the
check came into the book, and critical from then on.

A success up to a minute before its time counts for that time: clocks differ.

With `alert`, a firing alert from outside that has these labels is a report: a dead man's switch for
whatever sends alerts (Prometheus' Watchdog).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from opsbook.base.database import DatabaseAway, Transaction
from opsbook.base.quantities import QuantityError, format_duration, parse_duration
from opsbook.book.fields import Argument, Duration, Part
from opsbook.book.sections.intakes import SecretText
from opsbook.book.times import ScheduleText
from opsbook.calendar import Schedule
from opsbook.checks import pings, store
from opsbook.checks.fields import complaint
from opsbook.checks.kind import Context, Kind
from opsbook.checks.model import CannotLook, Reading
from opsbook.checks.pings import Standing

EARLY: Final = timedelta(minutes=1)
AWAY: Final = timedelta(minutes=5)
"""Looks that lie further apart have this server's absence between them."""
_EVERY: Final = re.compile(r"(?:every|매)\s+(\S.*)", re.IGNORECASE)


def _period(value: Any) -> timedelta:
    text = value
    if isinstance(text, str) and (found := _EVERY.fullmatch(text.strip())):
        text = found[1]
    try:
        period = parse_duration(text)
    except QuantityError:
        raise complaint(
            f"{value!r} is no period; write one such as every 1d or every 15m, or a schedule: "
            "with a time of day"
        ) from None
    if period < timedelta(seconds=10):
        raise complaint(f"{value!r} is too short a period; write 10s or more")
    return period


def _told_period(value: timedelta) -> str:
    return f"every {format_duration(value)}"


Period = Annotated[
    timedelta,
    BeforeValidator(_period),
    PlainSerializer(_told_period),
    WithJsonSchema(
        {
            "title": "period",
            "type": "string",
            "pattern": r"^\s*(([Ee][Vv][Ee][Rr][Yy]|매)\s+)?\d",
            "description": "How often: a number and a unit, with every before it or without.",
            "examples": ["every 1d", "every 15m"],
        }
    ),
]


class HeartbeatCheck(Part):
    """By when a job has to report, and what lets it in."""

    expect: Period | None = None
    schedule: ScheduleText | None = None
    grace: Duration = timedelta(minutes=10)
    at_most: Duration | None = None
    token: SecretText | None = None
    alert: Mapping[str, Argument] = Field(default_factory=dict, max_length=30)

    @property
    def value_unit(self) -> str:
        """Seconds since the last success."""
        return "s"

    def references(self) -> Iterator[str]:
        """The secrets that it refers to."""
        if self.token is not None:
            yield self.token

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if (self.expect is None) == (self.schedule is None):
            raise complaint(
                "does not say by when the job reports; write exactly one of expect: every 1d and "
                "schedule: every day 03:00"
            )
        return self


@dataclass(frozen=True, slots=True)
class Expected:
    """When a job reports next, by its period or its schedule; `zone` is how times are told."""

    spec: HeartbeatCheck
    schedule: Schedule | None
    zone: ZoneInfo

    def after(self, last: datetime) -> datetime:
        """When the report after `last` is due."""
        if self.schedule is not None:
            return self.schedule.next_after(last + min(EARLY, self.spec.grace / 2))
        return last + (self.spec.expect or timedelta(0))

    def at(self, moment: datetime) -> str:
        """A moment as the clocks of the book's zone show it."""
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M %Z}"


async def observe(spec: HeartbeatCheck, context: Context) -> Reading:
    """Read the job's reports, and judge them."""
    lent = context.lent
    if lent is None:
        raise CannotLook("no reports are kept here")
    book_id, check_id = context.key.split("/", 1)
    book = lent.book(book_id)
    zone = ZoneInfo(book.timezone)
    schedule = Schedule.parse(spec.schedule, zone, book.days) if spec.schedule else None

    def read(tx: Transaction) -> tuple[Standing, datetime | None]:
        status = store.status_of(tx, book_id, check_id)
        job = pings.standing(pings.standing_rows(tx, book_id, check_id))
        return job, status["at"] if status else None

    try:
        job, looked = await lent.database.read(read)
        if job.watched is None:
            await lent.database.write(lambda tx: pings.watch(tx, context.now, book_id, check_id))
            job = replace(job, watched=context.now)
    except DatabaseAway as error:
        raise CannotLook(error.message) from None
    if "away" not in context.memory:
        gone = looked is not None and context.now - looked > AWAY
        context.memory["away"] = (looked, context.now) if gone else None
    reading = judged(Expected(spec, schedule, zone), job, context.now, context.memory["away"])
    deaf = await context.blocking(lambda: _deaf(spec))
    return replace(reading, message=f"{reading.message}; {deaf}") if deaf else reading


def _deaf(spec: HeartbeatCheck) -> str:
    """Why no report can reach it, if none can; an empty text otherwise."""
    try:
        if spec.token is not None:
            pings.token(spec.token)
    except pings.NoToken as error:
        return f"no report is taken: {error}"
    return ""


def judged(
    expected: Expected,
    job: Standing,
    now: datetime,
    away: tuple[datetime, datetime] | None = None,
) -> Reading:
    """Return the reading for how a job stands now.

    `away` is when this server was not there to be told.
    """
    spec = expected.spec
    value = max(0.0, (now - job.succeeded).total_seconds()) if job.succeeded else None
    last = f"last success {expected.at(job.succeeded)}" if job.succeeded else "no success so far"

    def reading(told: str, state: Any = None) -> Reading:
        return Reading(value, "s", told, state)

    if job.failed is not None:
        status = f" with exit status {job.exit_status}" if job.exit_status is not None else ""
        return reading(f"failed{status} {expected.at(job.failed)}; {last}", "critical")
    running = spec.at_most is not None and job.open_since is not None
    if running and now - _of(job.open_since) > _length(spec.at_most):
        told = f"started {expected.at(_of(job.open_since))} and not ended within "
        return reading(f"{told}{format_duration(_length(spec.at_most))}; {last}", "critical")
    counted = max(filter(None, (job.succeeded, job.watched)), default=now)
    due = expected.after(counted)
    if running and _of(job.open_since) <= due + spec.grace:
        return reading(f"runs since {expected.at(_of(job.open_since))}; {last}")
    if now <= due:
        if job.succeeded is None:
            return Reading(message=f"has not reported yet; expected by {expected.at(due)}")
        return reading(f"{last}; the next is expected by {expected.at(due)}")
    gone = ""
    if away is not None and away[0] <= due + spec.grace and due - AWAY <= away[1]:
        gone = f"; this server was away from {expected.at(away[0])} to {expected.at(away[1])}"
    if now <= due + spec.grace:
        if job.succeeded is None:
            return Reading(message=f"has not reported yet; expected by {expected.at(due)}{gone}")
        return reading(f"late: expected by {expected.at(due)}; {last}{gone}", "warning")
    told = "has never reported" if not job.reported else f"overdue; {last}"
    return reading(f"{told}; expected by {expected.at(due)}{gone}", "critical")


def _of(moment: datetime | None) -> datetime:
    if moment is None:
        raise AssertionError("a run that is open has begun; this is a bug")
    return moment


def _length(length: timedelta | None) -> timedelta:
    return length or timedelta(0)


KIND = Kind("heartbeat", HeartbeatCheck, observe)
