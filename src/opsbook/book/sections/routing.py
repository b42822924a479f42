"""``routing``, ``receivers``, ``inhibitions``, ``time_intervals``: who is told of which alerts.

The words and what they do are Alertmanager's, so that a team can carry its configuration over and
back. What is left out of the outermost route is chosen for a small team: every alert is told alone
and at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from opsbook.book.fields import Argument, Duration, Flag, Named, Part, Zone
from opsbook.book.intervals import DaysOfMonth, Months, Times, Weekdays, Years
from opsbook.book.matchers import MOST_MATCHERS, Matchers, MatcherText, equalities
from opsbook.book.refs import ListenerId, ReceiverId, TimesId
from opsbook.book.texts import Text

EVERY_LABEL: Final = "..."
"""In `group_by`: by every label, so that each alert is a group of its own."""

As = Literal["incident", "notify"]


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


# A matcher is at most 4,000 characters long; see `matchers`.
LabelText = Annotated[str, Field(min_length=1, max_length=200)]
ValueText = Annotated[Argument, Field(max_length=2_000)]
Labels = Mapping[LabelText, ValueText]
SeveralTimes = Annotated[tuple[TimesId, ...], BeforeValidator(_listed)]


class TimeRange(Part):
    """A part of the calendar; what is left out does not limit it."""

    times: tuple[Times, ...] = ()
    """Such as "09:00-18:00"; 24:00 is the end of the day."""
    weekdays: tuple[Weekdays, ...] = ()
    """Such as monday or "monday:friday"."""
    days_of_month: tuple[DaysOfMonth, ...] = ()
    """Such as 1, "1:5" or "-3:-1", which are the last three days."""
    months: tuple[Months, ...] = ()
    """Such as may, 5 or "january:march"."""
    years: tuple[Years, ...] = ()
    """Such as 2026 or "2026:2027"."""
    timezone: Zone | None = None
    """The zone it is meant in; the book's if left out."""


class TimeInterval(Named):
    """Times under a name, as Alertmanager has them; it holds in any of its ranges."""

    title: Text | None = None
    """What people call them."""
    ranges: tuple[TimeRange, ...] = Field(min_length=1)
    """The parts of the calendar."""


class Receiver(Named):
    """Who is told, under a name that routes can share."""

    title: Text | None = None
    """What people call it."""
    to: tuple[ListenerId, ...] = ()
    """Persons, teams, channels, webhooks; nobody is told, if left out."""
    as_: As = Field(default="notify", alias="as")
    """Whether it opens an incident and pages, or only tells."""
    only_firing: tuple[ListenerId, ...] = ()
    """Those of them that are not told when it is over."""


class Route(Part):
    """Where alerts go that carry these labels; the first route that matches takes them.

    What a route leaves out is as in the route around it, but for `match`, `matchers`, `continue`,
    `active` and `mute`, which are its own.
    """

    match: Labels = Field(default_factory=dict)
    """Labels that an alert must carry, such as {severity: P1}; all alerts, if left out."""
    matchers: tuple[MatcherText, ...] = Field(default=(), max_length=MOST_MATCHERS)
    """Further conditions on labels, such as 'service=~"api|shop"' or 'team!="web"'."""
    receiver: ReceiverId | None = None
    """Who is told, by name; instead of to and as."""
    to: tuple[ListenerId, ...] = ()
    """Who is told; as the route around it, if left out."""
    as_: As | None = Field(default=None, alias="as")
    """Whether it opens an incident and pages, or only tells."""
    goes_on: Flag = Field(default=False, alias="continue")
    """Whether the routes after this one look at it too."""
    active: SeveralTimes = ()
    """The hours in which it tells; always, if left out."""
    mute: SeveralTimes = ()
    """Hours in which it keeps quiet."""
    group_by: tuple[str, ...] | None = None
    """Labels by which alerts are told together; [] is all in one, ["..."] each alone."""
    group_wait: Duration | None = None
    """How long to wait for more of a group before it is told."""
    group_interval: Duration | None = None
    """How long until what is new in a group is told."""
    repeat_interval: Duration | None = None
    """How long until what goes on is told again."""
    routes: tuple[Route, ...] = ()
    """Routes for some of its alerts."""

    @property
    def conditions(self) -> Matchers:
        """All conditions of this route alone, in a settled order."""
        return (*equalities(self.match), *self.matchers)


class Inhibition(Named):
    """While an alert of one kind fires, those of another are kept quiet."""

    title: Text | None = None
    """Why."""
    while_: Labels = Field(default_factory=dict, alias="while")
    """Labels of the alert that fires."""
    while_matchers: tuple[MatcherText, ...] = Field(default=(), max_length=MOST_MATCHERS)
    """Further conditions on the alert that fires."""
    mutes: Labels = Field(default_factory=dict)
    """Labels of the alerts that are kept quiet."""
    mutes_matchers: tuple[MatcherText, ...] = Field(default=(), max_length=MOST_MATCHERS)
    """Further conditions on the alerts that are kept quiet."""
    equal: tuple[str, ...] = ()
    """Labels that must be the same on both."""

    @property
    def sources(self) -> Matchers:
        """What the alert that fires must match."""
        return (*equalities(self.while_), *self.while_matchers)

    @property
    def targets(self) -> Matchers:
        """What the alerts that are kept quiet match."""
        return (*equalities(self.mutes), *self.mutes_matchers)


DEFAULT_WAIT: Final = timedelta(seconds=30)
DEFAULT_INTERVAL: Final = timedelta(minutes=5)
DEFAULT_REPEAT: Final = timedelta(hours=4)
