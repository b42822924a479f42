"""The parts of an element that read better as a sentence than as a list of their fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from babel.dates import get_day_names, get_month_names
from markupsafe import Markup, escape

from opsbook.book import Book
from opsbook.book.intervals import Span
from opsbook.book.measures import Condition, Traffic
from opsbook.book.refs import Approval, Start
from opsbook.book.sections.capacity import Move
from opsbook.book.sections.checks import Bands
from opsbook.book.sections.elements import Link
from opsbook.book.sections.models import Gate, Phase
from opsbook.book.sections.people import EscalationLevel, Layer, Override
from opsbook.book.sections.routing import Route, TimeRange
from opsbook.book.sections.services import Workload
from opsbook.web import words
from opsbook.web.handbook import facts, names
from opsbook.web.handbook.facts import Reader
from opsbook.web.i18n import Speech

OWNERS = ("people", "teams")


def start(reader: Reader, one: Start) -> Markup:
    """``Renew the certificate (host: shop.example)``."""
    link = reader.named(("runbooks",), one.runbook)
    if not one.params:
        return link
    given = ", ".join(f"{name}: {value}" for name, value in one.params.items())
    return Markup('{} <span class="muted">({})</span>').format(link, given)


def approval(reader: Reader, one: Approval) -> Markup:
    """``Release manager × 2, when …``."""
    told = reader.named(("roles",), one.by)
    if one.need > 1:
        told += Markup(" × {}").format(one.need)
    if one.when:
        told += Markup(' <span class="muted">{}</span>').format(one.when)
    return told


def link(reader: Reader, one: Link) -> Markup:
    """A link where it is a web address, else the path as it is written."""
    title = words.text(reader.speech, one.title)
    if one.url.startswith(("https://", "http://")):
        return Markup('<a href="{}" rel="noreferrer">{}</a>').format(one.url, title)
    return Markup('{} <span class="mono">{}</span>').format(title, one.url)


def bands(reader: Reader, one: Bands) -> Markup:
    """``normal < 200 ms · warning > 250 ms · critical > 1 s``."""
    told = [
        Markup('<span><span class="muted">{}</span> {}</span>').format(
            names.key(reader.speech, key), words.band(reader.speech, band)
        )
        for key, band in (
            ("normal", one.normal),
            ("warning", one.warning),
            ("critical", one.critical),
        )
        if band is not None
    ]
    if one.between != "ok":
        outside = reader.speech.say(
            "outside of normal: %(state)s", state=names.value(reader.speech, one.between)
        )
        told.append(Markup("<span>{}</span>").format(outside))
    return (
        Markup('<span class="meta">{}</span>').format(Markup(" ").join(told)) if told else Markup()
    )


def move(reader: Reader, one: Move) -> Markup:
    """``> 80 % for 5 min: +20%``."""
    when = words.band(reader.speech, one.when)
    if one.for_:
        hold = words.length(reader.speech, one.for_)
        when = reader.speech.say("%(when)s for %(hold)s", when=when, hold=hold)
    return Markup("{}: <b>{}</b>").format(when, one.by)


def gate(reader: Reader, one: Gate) -> Markup:
    """``Answer time < 250 ms for 5 min``."""
    told = reader.named(("checks",), one.check)
    told += Markup(" {}").format(
        words.band(reader.speech, one.band) if one.band is not None else reader.speech.say("is ok")
    )
    if one.for_:
        told += Markup(" {}").format(
            reader.speech.say("held for %(span)s", span=words.length(reader.speech, one.for_))
        )
    return told


def condition(reader: Reader, one: Condition) -> Markup:
    """``average over 10 min > 80 %``."""
    return escape(words.condition(reader.speech, one))


def traffic(reader: Reader, one: Traffic) -> Markup:
    """``Requests a minute >= 50``."""
    told = words.band(reader.speech, one.is_)
    return reader.named(("checks",), one.check) + Markup(" {}").format(told)


def phase(reader: Reader, one: Phase) -> Markup:
    """A day's name, and below it what is done, by which runbook, and what must hold to go on."""
    speech = reader.speech
    lines = [escape(words.text(speech, done)) for done in one.does]
    if one.start is not None:
        lines.append(_labelled(speech.say("Runbook"), start(reader, one.start)))
    if one.approvals:
        yes = Markup(", ").join(approval(reader, by) for by in one.approvals)
        lines.append(_labelled(speech.say("Approvals"), yes))
    lines += [_labelled(speech.say("Goes on when"), gate(reader, each)) for each in one.gates]
    return Markup('<b class="after">{}</b> <b>{}</b>{}').format(
        one.at, words.text(speech, one.title), _below(lines)
    )


def route(reader: Reader, one: Route) -> Markup:
    """``severity=P1: tells the platform team``, and below it the routes for some of its alerts."""
    speech = reader.speech
    labels = ", ".join(
        f"{each.name}={each.value}" if each.op == "=" else str(each) for each in one.conditions
    )
    told = Markup('<b class="mono">{}</b>').format(labels or speech.say("all alerts"))
    rest = facts.facts(reader, one, skip=facts.AROUND | {"match", "matchers", "routes"})
    for fact in rest:
        if not fact.default:
            told += Markup(" ") + _labelled(fact.label, fact.html)
    inner = [route(reader, each) for each in one.routes]
    return Markup('<span class="meta">{}</span>{}').format(told, _below(inner))


def _labelled(label: str, told: Markup) -> Markup:
    return Markup('<span><span class="muted">{}</span> {}</span>').format(label, told)


def _below(lines: Sequence[Markup]) -> Markup:
    items = Markup().join(Markup("<li>{}</li>").format(one) for one in lines)
    return Markup('<ul class="lines below">{}</ul>').format(items) if lines else Markup()


def time_range(reader: Reader, one: TimeRange) -> Markup:
    """``Mon–Fri 09:00-18:00``, with the days of the month, the months and the years around it."""
    speech = reader.speech
    weekdays = get_day_names("abbreviated", locale=speech.language)
    months = get_month_names("wide", locale=speech.language)
    parts = [escape(_dashed(one.years, str))]
    parts.append(escape(_dashed(one.months, lambda month: months[month])))
    if one.days_of_month:
        days = escape(_dashed(one.days_of_month, str))
        parts.append(_labelled(names.key(speech, "days_of_month"), days))
    # Sunday is 0 in a book and 6 there.
    parts.append(escape(_dashed(one.weekdays, lambda day: weekdays[(day - 1) % 7])))
    parts.append(escape(", ".join(map(str, one.times))))
    if one.timezone is not None:
        parts.append(Markup('<span class="muted">{}</span>').format(one.timezone))
    return Markup(" ").join(part for part in parts if part) or escape(speech.say("always"))


def _dashed(spans: Sequence[Span], told: Callable[[int], str]) -> str:
    return ", ".join(
        told(span.first) if span.first == span.last else f"{told(span.first)}–{told(span.last)}"
        for span in spans
    )


def level(reader: Reader, one: EscalationLevel) -> Markup:
    """``15 min: the second on duty``."""
    who = Markup(", ").join(reader.named(OWNERS, name) for name in one.page)
    after = words.length(reader.speech, one.after) if one.after else reader.speech.say("at once")
    return Markup('<b class="after">{}</b> {}').format(after, who)


def layer(reader: Reader, one: Layer) -> Markup:
    """``each 7 d from 2026-01-05 09:00: first, second, third; only weekdays``."""
    say = reader.speech.say
    people = Markup(", ").join(reader.named(("people",), name) for name in one.people)
    told = say(
        "a turn of %(span)s since %(start)s",
        span=words.length(reader.speech, one.shift), start=facts.scalar(reader.speech, one.starts),
    )  # fmt: skip
    if one.only:
        only = say("only %(hours)s", hours=reader.hours(one.only))
        told = f"{told}, {only}"
    return Markup('{} <span class="muted">{}</span>').format(people, told)


def override(reader: Reader, one: Override) -> Markup:
    """``second, 2026-01-31 to 2026-02-02: holiday``."""
    who = reader.named(("people",), one.person)
    span = f"{facts.scalar(reader.speech, one.from_)} – {facts.scalar(reader.speech, one.to)}"
    why = words.text(reader.speech, one.reason)
    return Markup('{} <span class="muted">{}</span> {}').format(who, span, why)


def workload(reader: Reader, one: Workload) -> Markup:
    """``deployment ai/vllm (container server)``."""
    name = f"{one.namespace}/{one.name}" if one.namespace else one.name
    told = Markup('{} <span class="mono">{}</span>').format(
        names.value(reader.speech, one.kind), name
    )
    more = [one.container, one.selector]
    shown = ", ".join(part for part in more if part)
    return told + (
        Markup(' <span class="muted mono">{}</span>').format(shown) if shown else escape("")
    )


PHRASES: Final[Mapping[type, facts.Phrase]] = {
    Approval: approval, Bands: bands, Condition: condition, EscalationLevel: level, Gate: gate,
    Layer: layer, Link: link, Move: move, Override: override, Phase: phase, Route: route,
    Start: start, TimeRange: time_range, Traffic: traffic, Workload: workload,
}  # fmt: skip


def reader(speech: Speech, book: Book) -> Reader:
    """Return a reader of a book who knows every phrase."""
    return Reader(speech, book, PHRASES)
