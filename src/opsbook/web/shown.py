"""``ui`` in the templates: everything a page shows in the same way as every other page.

Functions rather than template macros where a type helps: a wrong state or a time without a zone is
then found by a test of one line instead of on somebody's phone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from opsbook.web import forms, glyphs, words
from opsbook.web.i18n import N_
from opsbook.web.statics import Statics
from opsbook.web.visit import Visit


@dataclass(frozen=True)
class Place:
    """An entry of the navigation. `needs` is the area somebody must be able to read to see it."""

    path: str
    name: str
    icon: str
    key: str
    needs: str = ""


PLACES: Final = (
    Place("/", N_("Today"), "today", "t"),
    Place("/inbox", N_("Inbox"), "inbox", "n"),
    Place("/incidents", N_("Incidents"), "incidents", "i", "incidents"),
    Place("/alerts", N_("Alerts"), "alerts", "l", "alerts"),
    Place("/runs", N_("Runs"), "runs", "r", "runs"),
    Place("/checks", N_("Checks"), "checks", "c", "checks"),
    Place("/book", N_("Book"), "book", "b", "book"),
    Place("/audit", N_("Audit"), "audit", "a", "audit"),
    Place("/accounts", N_("Accounts"), "user", "p", "access"),
)
MORE: Final = Place("/more", N_("More"), "more", "m")
AT_THE_BOTTOM: Final = ("/", "/inbox", "/incidents", "/runs")


@dataclass(frozen=True)
class Shown:
    """The helper of one answer."""

    visit: Visit
    statics: Statics

    @property
    def here(self) -> str:
        """The page's own path with its query, to come back to after a form."""
        return self.visit.here

    def asset(self, name: str) -> str:
        """Return where a static file is."""
        return self.statics.url(name)

    def icon(self, name: str) -> Markup:
        """Return an icon; the word beside it is what it is called."""
        url = self.asset("vendor/lucide.svg")
        return Markup('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>').format(
            url, name
        )

    def places(self, *, narrow: bool = False) -> Iterator[dict[str, Any]]:
        """Yield what the navigation shows to this visitor, with what waits there."""
        visit = self.visit
        allowed = [one for one in PLACES if not one.needs or visit.books(f"{one.needs}:read")]
        shown = [one for one in allowed if one.path in AT_THE_BOTTOM] if narrow else allowed
        here = "/" + visit.request.url.path.split("/")[1]
        for place in [*shown, MORE] if narrow else shown:
            under_more = place is MORE and here not in AT_THE_BOTTOM
            yield {
                "path": place.path,
                "word": visit.speech.say(place.name),
                "icon": place.icon,
                "key": place.key,
                "here": here == place.path or under_more,
                "count": visit.counts.get(place.icon, 0),
            }

    def count(self, item: Mapping[str, Any]) -> Markup:
        """Return how much waits at a place; nothing when nothing does."""
        if not item["count"]:
            return Markup("")
        tone = " critical" if item["icon"] == "incidents" else ""
        told = min(item["count"], 99)
        return Markup('<span class="count{}">{}</span>').format(tone, told)

    def glyph(self, family: str, name: str, tone: str = "") -> Markup:
        """Return a state's shape alone, with its word for screen readers."""
        state = words.state(family, name)
        word = self.visit.speech.say(state.word) if state.word else ""
        return Markup('<span class="state {}">{}<span class="sr">{}</span></span>').format(
            tone or state.tone, glyphs.drawn(state.glyph), word
        )

    def state(self, family: str, name: str, tone: str = "") -> Markup:
        """Return a state as shape and word, in its colour."""
        state = words.state(family, name)
        word = self.visit.speech.say(state.word) if state.word else name
        return Markup('<span class="state {}">{}{}</span>').format(
            tone or state.tone, glyphs.drawn(state.glyph), word
        )

    def word(self, family: str, name: str) -> str:
        """Return a state's word."""
        return self.visit.speech.say(words.state(family, name).word or name)

    def tone(self, family: str, name: str) -> str:
        """Return the style sheet's name for a state's colour."""
        return words.state(family, name).tone

    def value(self, number: float | None, unit: str) -> str:
        """Return a value with its unit; a dash where there is none."""
        return words.value(self.visit.speech, number, unit) or "–"

    def text(self, stored: Any) -> str:
        """Return a text of the book in the visitor's language."""
        return words.text(self.visit.speech, stored)

    def ago(self, at: datetime | None, zone: ZoneInfo) -> Markup:
        """Return "3 min ago"."""
        return words.moment(self.visit.speech, at, self.visit.now, zone, words.AGO)

    def since(self, at: datetime | None, zone: ZoneInfo) -> Markup:
        """Return "3 min", counting up."""
        return words.moment(self.visit.speech, at, self.visit.now, zone, words.FOR)

    def left(self, at: datetime | None, zone: ZoneInfo) -> Markup:
        """Return "3 min left", counting down, and "3 min over" after that."""
        return words.moment(self.visit.speech, at, self.visit.now, zone, words.LEFT)

    def answer(self, at: datetime | None, zone: ZoneInfo) -> Markup:
        """Return "answer within 3 min", and "answer 3 min overdue" after that."""
        return words.moment(self.visit.speech, at, self.visit.now, zone, words.ANSWER)

    def ahead(self, at: datetime | None, zone: ZoneInfo) -> Markup:
        """Return "in 3 min"."""
        return words.moment(self.visit.speech, at, self.visit.now, zone, words.TO_COME)

    def at(self, at: datetime, zone: ZoneInfo) -> Markup:
        """Return a moment as a clock shows it, with the whole of it on hover."""
        said = words.clock_time(self.visit.speech, at, self.visit.now, zone)
        return self._moment(at, zone, said)

    def clock(self, at: datetime, zone: ZoneInfo) -> Markup:
        """Return the time of day with its seconds (the day stands above)."""
        return self._moment(at, zone, f"{at.astimezone(zone):%H:%M:%S}")

    def exact(self, at: datetime, zone: ZoneInfo) -> str:
        """Return a moment in full."""
        return words.exact(at, zone)

    @staticmethod
    def _moment(at: datetime, zone: ZoneInfo, said: str) -> Markup:
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            at.isoformat(timespec="seconds"), words.exact(at, zone), said
        )

    def source(self, book: str, where: str, revision: str = "", *, short: bool = False) -> Markup:
        """Return a link to ``file:line`` of the book; nothing where no place is known."""
        file, _, line = where.rpartition(":")
        if not file:
            return Markup("")
        query = f"?revision={revision}" if revision else ""
        path = f"/book/{quote(book)}/files/{quote(file)}{query}#L{line}"
        said = f"L{line}" if short else where
        return Markup('<a class="source" href="{}" title="{}">{}</a>').format(path, where, said)

    def token(self) -> Markup:
        """Return the hidden field that every form carries."""
        value = forms.masked(self.visit.secret)
        return Markup('<input type="hidden" name="{}" value="{}">').format(forms.FIELD, value)

    def tick_words(self) -> Markup:
        """Return, as an attribute's value, what the script needs to count time in this language."""
        return escape(json.dumps(words.ticking(self.visit.speech), ensure_ascii=False))
