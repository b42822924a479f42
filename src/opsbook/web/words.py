"""States, values and times in words: the same state looks and reads the same on every page.

A state is a shape, a word and a colour together (LOOK: never colour alone). Shapes and words are
shared with the terminal; the colour is the style sheet's. Numbers carry their unit, times their
distance from now, and the moment itself in the book's zone on hover.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from opsbook.base.quantities import Band, format_quantity
from opsbook.book import Text
from opsbook.book.measures import Condition, Traffic
from opsbook.web.i18n import N_, Speech


@dataclass(frozen=True)
class State:
    """How a state is shown. `tone` is the style sheet's name for the colour."""

    glyph: str
    word: str
    tone: str


CHECK: Final[Mapping[str, State]] = {
    "ok": State("●", N_("ok"), "ok"),
    "warning": State("▲", N_("warning"), "warning"),
    "critical": State("■", N_("critical"), "critical"),
    "nodata": State("◇", N_("no data"), "nodata"),
    "paused": State("‖", N_("paused"), "still"),
    "new": State("○", N_("not looked at yet"), "still"),
}
INCIDENT: Final[Mapping[str, State]] = {
    "open": State("■", N_("unanswered"), "critical"),
    "acknowledged": State("◐", N_("acknowledged"), "running"),
    "resolved": State("●", N_("resolved"), "ok"),
}
ALERT: Final[Mapping[str, State]] = {
    "pending": State("○", N_("about to fire"), "still"),
    "firing": State("■", N_("fires"), "critical"),
    "quiet": State("‖", N_("kept quiet"), "still"),
    "resolved": State("●", N_("over"), "ok"),
    "cleared": State("○", N_("gone before it fired"), "still"),
    "passes": State("●", N_("lets it pass"), "ok"),
    "told": State("◐", N_("hears of it"), "running"),
    "untold": State("▲", N_("not reached"), "warning"),
}
SILENCE: Final[Mapping[str, State]] = {
    "active": State("‖", N_("holds"), "waiting"),
    "pending": State("○", N_("to come"), "still"),
    "expired": State("●", N_("over"), "still"),
}
DOOR: Final[Mapping[str, State]] = {
    "used": State("●", N_("used"), "ok"),
    "unused": State("○", N_("never used"), "still"),
    "refuses": State("▲", N_("refused the last"), "warning"),
}
HEART: Final[Mapping[str, State]] = {
    "told": State("●", N_("told"), "ok"),
    "waits": State("○", N_("not told yet"), "still"),
    "failed": State("▲", N_("not taken"), "warning"),
}
RUN: Final[Mapping[str, State]] = {
    "queued": State("○", N_("queued"), "still"),
    "running": State("◐", N_("running"), "running"),
    "waiting": State("⏳", N_("waiting"), "waiting"),
    "succeeded": State("●", N_("succeeded"), "ok"),
    "failed": State("■", N_("failed"), "critical"),
    "cancelled": State("‖", N_("cancelled"), "still"),
}
STEP: Final[Mapping[str, State]] = {
    "pending": State("○", N_("to come"), "still"),
    "running": State("◐", N_("running"), "running"),
    "waiting": State("⏳", N_("waiting"), "waiting"),
    "succeeded": State("●", N_("done"), "ok"),
    "failed": State("■", N_("failed"), "critical"),
    "skipped": State("‖", N_("skipped"), "still"),
    "interrupted": State("▲", N_("interrupted"), "warning"),
    "cancelled": State("‖", N_("cancelled"), "still"),
}
PAGE: Final[Mapping[str, State]] = {
    "queued": State("○", N_("to be sent"), "still"),
    "sending": State("◐", N_("being sent"), "running"),
    "retry": State("▲", N_("not delivered yet"), "warning"),
    "replaced": State("‖", N_("replaced by a later one"), "still"),
    "sent": State("●", N_("sent"), "ok"),
    "failed": State("■", N_("not delivered"), "critical"),
}
DRAFT: Final[Mapping[str, State]] = {
    "open": State("○", N_("being edited"), "still"),
    "waiting": State("⏳", N_("waits for approval"), "waiting"),
    "writing": State("◐", N_("being written"), "running"),
    "published": State("●", N_("published"), "ok"),
    "discarded": State("‖", N_("discarded"), "still"),
    "conflict": State("▲", N_("clashes with another edit"), "warning"),
}
ACCOUNT: Final[Mapping[str, State]] = {
    "in": State("●", N_("can sign in"), "ok"),
    "invited": State("⏳", N_("invited, not in yet"), "waiting"),
    "late": State("▲", N_("not in yet, the link ran out"), "warning"),
    "disabled": State("‖", N_("disabled"), "still"),
}
FAMILIES: Final = {
    "check": CHECK, "incident": INCIDENT, "run": RUN, "step": STEP, "page": PAGE, "draft": DRAFT,
    "account": ACCOUNT, "alert": ALERT, "silence": SILENCE, "door": DOOR, "heart": HEART,
}  # fmt: skip
UNKNOWN: Final = State("◇", "", "still")


def state(family: str, name: str) -> State:
    """Return how a state is shown; one this version does not know is shown by its own name."""
    return FAMILIES[family].get(name) or State(UNKNOWN.glyph, name, UNKNOWN.tone)


def band(speech: Speech, limit: Band | None) -> str:
    """Return ``> 1 s`` for a band as the book has it."""
    if limit is None:
        return ""
    end = value(speech, limit.limit.value, limit.limit.unit)
    if limit.upto is not None:
        return f"{end} – {value(speech, limit.upto.value, limit.upto.unit)}"
    return f"{limit.op} {end}"


def limit(speech: Speech, band_: Band | None) -> str:
    """Return how far a value may go before it is in a band: ``limit 1 s``, ``at least 30 d``."""
    if band_ is None:
        return ""
    if band_.op in LIMITS and band_.upto is None:
        end = value(speech, band_.limit.value, band_.limit.unit)
        return speech.say(LIMITS[band_.op], value=end)
    return speech.say("bad at %(band)s", band=band(speech, band_))


LIMITS: Final[Mapping[str, str]] = {
    ">": N_("limit %(value)s"), ">=": N_("limit %(value)s"),
    "<": N_("at least %(value)s"), "<=": N_("at least %(value)s"),
    "!=": N_("wanted %(value)s"),
}  # fmt: skip


def value(speech: Speech, number: float | None, unit: str) -> str:
    """Return ``412 ms``, or nothing where there is no value.

    Lengths of time have the visitor's words for their units, as every other time on the page has.
    """
    if number is None:
        return ""
    told = format_quantity(number, unit)
    amount, _, name = told.rpartition(" ")
    return speech.say(TIMES[name], n=amount) if amount and name in TIMES else told


def reader(speech: Speech) -> Callable[[float, str], str]:
    """Return what writes values in the visitor's language, for pictures."""
    return functools.partial(value, speech)


TIMES: Final[Mapping[str, str]] = {
    "s": N_("%(n)s s"), "min": N_("%(n)s min"), "h": N_("%(n)s h"), "d": N_("%(n)s d"),
}  # fmt: skip


def text(speech: Speech, stored: Any) -> str:
    """Return a text of the book, or one stored by language, in the visitor's language."""
    if isinstance(stored, Text):
        return stored.in_language(speech.language)
    if isinstance(stored, Mapping):
        wanted = (speech.language, "", "en")
        found = next((stored[one] for one in wanted if one in stored), None)
        return str(found if found is not None else next(iter(stored.values()), ""))
    return "" if stored is None else str(stored)


def span(speech: Speech, length: timedelta) -> str:
    """Return a length of time as two units at most: ``20 s``, ``12 min``, ``3 h 12 min``, ``2 d``.

    The script in the page counts on with the same rules (`app.js`), so that nothing jumps.
    """
    seconds = max(0, int(length.total_seconds()))
    if seconds < 60:
        return speech.say("%(n)s s", n=seconds)
    minutes = seconds // 60
    if minutes < 60:
        return speech.say("%(n)s min", n=minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        told = speech.say("%(n)s h", n=hours)
        return f"{told} {speech.say('%(n)s min', n=minutes)}" if minutes else told
    days, hours = divmod(hours, 24)
    told = speech.say("%(n)s d", n=days)
    return f"{told} {speech.say('%(n)s h', n=hours)}" if hours and days < 7 else told


def length(speech: Speech, duration: timedelta) -> str:
    """Return a duration of the book in words: ``30 s``, ``1 h 30 min``, ``500 ms``."""
    if duration < timedelta(seconds=1) and duration:
        return format_quantity(duration / timedelta(milliseconds=1), "ms")
    return span(speech, duration)


MEASURE: Final[Mapping[str, str]] = {
    "average": N_("average over %(over)s %(band)s"),
    "minimum": N_("minimum over %(over)s %(band)s"),
    "maximum": N_("maximum over %(over)s %(band)s"),
    "p50": N_("p50 over %(over)s %(band)s"),
    "p95": N_("p95 over %(over)s %(band)s"),
    "sum": N_("sum over %(over)s %(band)s"),
    "count": N_("number of values over %(over)s %(band)s"),
    "rate": N_("rate over %(over)s %(band)s"),
    "increase": N_("increase over %(over)s %(band)s"),
    "change": N_("change over %(over)s %(band)s"),
    "drop": N_("drop against the same hour of %(weeks)s weeks %(band)s"),
}


def condition(speech: Speech, when: Condition, traffic: Traffic | None = None) -> str:
    """Return a rule's condition: a state in words, a band, or what is measured and its band."""
    told = _measured(speech, when)
    if when.at_least is not None:
        told += speech.say(" (with at least %(n)s values)", n=when.at_least)
    if when.usual is not None:
        told += speech.say(" (where %(band)s is usual)", band=band(speech, when.usual))
    if traffic is not None:
        told += speech.say(
            ", while %(check)s is %(band)s", check=traffic.check, band=band(speech, traffic.is_)
        )
    return told


def _measured(speech: Speech, when: Condition) -> str:
    if when.state is not None:
        return speech.say(CHECK[when.state].word)
    if when.last is not None:
        return band(speech, when.last)
    over = length(speech, when.over) if when.over is not None else ""
    limits = band(speech, when.band)
    return speech.say(MEASURE[when.measure], over=over, weeks=when.weeks_back, band=limits)


def fine_span(speech: Speech, length: timedelta) -> str:
    """Return how long something took: tenths below ten seconds, else as `span`."""
    seconds = length.total_seconds()
    return speech.say("%(n)s s", n=f"{seconds:.1f}") if 0 <= seconds < 10 else span(speech, length)


AGO, FOR, LEFT, TO_COME, ANSWER = "ago", "for", "left", "in", "answer"


def moment(
    speech: Speech, at: datetime | None, now: datetime, zone: ZoneInfo, form: str = AGO
) -> Markup:
    """Return a ``<time>`` that says a distance, ticks in the page, and has the moment on hover.

    `form` is ``ago`` ("3 min ago"), ``for`` ("3 min"), ``left`` ("3 min left", "3 min over"),
    ``in`` ("in 3 min") or ``answer`` ("answer within 3 min", "answer 3 min overdue").
    """
    if at is None:
        return Markup("–")
    return Markup('<time datetime="{}" data-tick="{}" title="{}">{}</time>').format(
        at.isoformat(timespec="seconds"), form, exact(at, zone), distance(speech, at, now, form)
    )


def distance(speech: Speech, at: datetime, now: datetime, form: str = AGO) -> str:
    """Return the words of `moment` alone."""
    if form == FOR:
        return span(speech, now - at)
    ahead, past = FORMS[form]
    if form == AGO and abs(now - at) < JUST_NOW:
        return speech.say(NOW)
    if at > now:
        return speech.say(ahead, span=span(speech, at - now))
    return speech.say(past, span=span(speech, now - at))


NOW: Final = N_("just now")
JUST_NOW: Final = timedelta(seconds=3)
FORMS: Final = {
    AGO: (N_("in %(span)s"), N_("%(span)s ago")),
    TO_COME: (N_("in %(span)s"), N_("%(span)s ago")),
    LEFT: (N_("%(span)s left"), N_("%(span)s over")),
    ANSWER: (N_("answer within %(span)s"), N_("answer %(span)s overdue")),
}
UNITS: Final = (N_("%(n)s s"), N_("%(n)s min"), N_("%(n)s h"), N_("%(n)s d"))


def ticking(speech: Speech) -> dict[str, Any]:
    """Return what the script needs to count on in the visitor's language."""
    return {
        "now": speech.catalogue.gettext(NOW),
        "units": [speech.catalogue.gettext(one) for one in UNITS],
        "forms": {
            form: [speech.catalogue.gettext(one) for one in both] for form, both in FORMS.items()
        },
    }


def exact(at: datetime, zone: ZoneInfo) -> str:
    """Return the moment itself in the book's zone: ``2026-11-20 14:02:11 KST``."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def clock_time(speech: Speech, at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """Return a moment for people, as short as the day allows: ``14:02``, ``Nov 20 14:02``."""
    here, today = at.astimezone(zone), now.astimezone(zone)
    if here.date() == today.date():
        return f"{here:%H:%M}"
    date = speech.say("%(month)s/%(day)s", month=here.month, day=here.day)
    year = f"{here.year}/" if here.year != today.year else ""
    return f"{year}{date} {here:%H:%M}"
