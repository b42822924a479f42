"""An alertmanager.yml as the sections of a book.

What Alertmanager leaves unsaid is said in the book: its defaults are thirty seconds, five minutes
and four hours, all alerts of a route in one group, and UTC; a book's are others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from opsbook.alerts.exchange import intervals, layout, matching, reading, severities
from opsbook.alerts.exchange.findings import Finding, NotReadable, Setting
from opsbook.alerts.exchange.known import Known
from opsbook.alerts.exchange.reading import At
from opsbook.alerts.exchange.receivers_in import Carried, Receivers, Told, slug, unique
from opsbook.alerts.exchange.severities import Words
from opsbook.base.quantities import format_duration
from opsbook.book.fields import ID_PATTERN
from opsbook.book.problems import suggestion
from opsbook.book.sections.routing import (
    DEFAULT_INTERVAL,
    DEFAULT_REPEAT,
    DEFAULT_WAIT,
    EVERY_LABEL,
)

ALL_IN_ONE: Final = "opsbook_all_in_one"
"""A label that no alert has. Alertmanager takes an empty ``group_by`` for one that is left out, so
that a route inside of a grouped one can put all its alerts into one group by this alone."""
AT_ONCE: Final = timedelta(seconds=1)
"""What "at once" becomes where Alertmanager wants an interval above zero."""

_Waits = Mapping[str, timedelta]
_DEFAULTS: Final[_Waits] = {
    "group_wait": DEFAULT_WAIT, "group_interval": DEFAULT_INTERVAL,
    "repeat_interval": DEFAULT_REPEAT,
}  # fmt: skip
"""What a book takes where it groups and says nothing, which is Alertmanager's too."""
_ALONE: Final[_Waits] = {**_DEFAULTS, "group_wait": timedelta(0), "group_interval": AT_ONCE}
"""What its outermost route takes where it does not group."""
_TOP: Final = (
    "global", "route", "inhibit_rules", "receivers", "templates", "mute_time_intervals",
    "time_intervals", "tracing",
)  # fmt: skip
_ROUTE: Final = (
    "receiver", "group_by", "match", "match_re", "matchers", "mute_time_intervals",
    "active_time_intervals", "continue", "routes", "group_wait", "group_interval",
    "repeat_interval",
)  # fmt: skip
_INHIBIT: Final = (
    "name", "source_match", "source_match_re", "source_matchers", "target_match",
    "target_match_re", "target_matchers", "equal",
)  # fmt: skip
_DOOR: Final = ("token", "severities", "severity", "labels", "default")
"""What a note says of the intake that an exported file was the door of."""
_USED_GLOBALS: Final = frozenset({
    "resolve_timeout", "smtp_from", "smtp_smarthost", "smtp_auth_username", "smtp_auth_password",
    "smtp_auth_password_file", "smtp_auth_secret", "smtp_auth_identity", "smtp_require_tls",
    "slack_api_url", "slack_api_url_file", "opsgenie_api_url", "opsgenie_api_key",
    "opsgenie_api_key_file", "victorops_api_key", "victorops_api_key_file", "wechat_api_secret",
    "wechat_api_corp_id",
})  # fmt: skip
_OTHER_GLOBALS: Final = frozenset({
    "http_config", "smtp_hello", "pagerduty_url", "victorops_api_url", "wechat_api_url",
    "telegram_api_url", "webex_api_url", "smtp_tls_config",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Imported:
    """Files of a book by name, what was found on the way, and which secrets somebody has to set."""

    files: Mapping[str, str]
    findings: tuple[Finding, ...]
    settings: tuple[Setting, ...] = ()


def read(
    text: str,
    file: str,
    known: Known | None = None,
    given: Mapping[str, str] | None = None,
) -> Imported:
    """Carry an alertmanager.yml over; `given` says what the words for severities in it are here.

    Raises:
        NotReadable: with everything that Alertmanager itself would refuse.
    """
    sheet, top = reading.opened(text, file)
    if sheet.errors:
        raise NotReadable(sheet.findings)
    known = known or Known()
    carrying = _Carrying(top, known, Words(given or {}, known))
    files = carrying.files()
    if sheet.errors:
        raise NotReadable(sheet.errors)
    return Imported(files, tuple(sorted(set(sheet.findings))), tuple(carrying.receivers.settings))


@dataclass(frozen=True, slots=True)
class _Around:
    """What a route inherits: who is told and how, whether alerts are told alone, and its waits."""

    told: Told
    as_: str
    alone: bool
    waits: _Waits


@dataclass(slots=True)
class _Carrying:
    top: At
    known: Known
    words: Words
    receivers: Receivers = field(init=False)
    used: dict[str, Carried] = field(default_factory=dict)
    times: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.receivers = Receivers(self.top, self.known)

    def files(self) -> dict[str, str]:
        self.top.only(_TOP)
        if "routing" in self.known.sections:
            told = "the book has routing: already, and an alert has one way to go"
            self.top.say("error", "route", told, "carry it over into a folder of its own first")
        intakes = self._globals(self.top.inside("global"))
        self._not_carried()
        times = self._times()
        for at in self.top.each("receivers"):
            self.receivers.read(at)
        routing = self._root()
        named_by_routes = {at.text("receiver") for at in self._routes()}
        for name, carried in self.receivers.by_name.items():
            if carried.id:
                self.used.setdefault(carried.id, carried)
            elif name not in named_by_routes:
                self.used.setdefault(slug(name) or "receiver", carried)
        named = {id: one.written for id, one in self.used.items()}
        inhibitions = self._inhibitions()
        sections = {"routing": routing, "receivers": named, "inhibitions": inhibitions, **times}
        channels = {"channels": self.receivers.channels, "webhooks": self.receivers.webhooks}
        files = {"routing.yaml": sections, "channels.yaml": channels, "intakes.yaml": intakes}
        kept = {
            name: {section: part for section, part in content.items() if part}
            for name, content in files.items()
        }
        return {name: layout.written(content) for name, content in kept.items() if content}

    def _routes(self) -> list[At]:
        found, waiting = [], [self.top.inside("route")]
        while waiting:
            at = waiting.pop()
            found.append(at)
            waiting += at.each("routes")
        return found

    # ---- what is around the routes ------------------------------------------------------------

    def _globals(self, at: At) -> dict[str, Any]:
        for key in at.value:
            if key in _OTHER_GLOBALS and key in at:
                at.say("missing", key, "is not carried over", "Opsbook asks each service directly")
            elif key not in _USED_GLOBALS | _OTHER_GLOBALS:
                at.say("missing", key, "is not known here and is left out",
                       suggestion(key, _USED_GLOBALS))  # fmt: skip
        timeout = at.duration("resolve_timeout")
        if self.known.ids.get("intakes"):
            if timeout is not None and format_duration(timeout) not in self.known.resolve_after:
                told = f"is {format_duration(timeout)} there; here each intake says it for itself"
                at.say("changed", "resolve_timeout", told, "write resolve_after: at the intake")
            for told, remedy in severities.lacking(self.words):
                self.top.sheet.say("changed", (), told, remedy)
            return {}
        given = self.words.given
        noted = at.note.get("intake")
        about: Mapping[str, Any] = noted if isinstance(noted, dict) else {}
        if timeout is None and not given:
            return {}
        intake: dict[str, Any] = {"title": about.get("title", "Prometheus"), "kind": "alertmanager"}
        intake |= {name: about[name] for name in _DOOR if name in about}
        if not about:
            intake["default"] = True
        said = {word: here for word, here in given.items() if word != severities.OTHERWISE}
        if said:
            intake["severities"] = {**intake.get("severities", {}), **said}
        if severities.OTHERWISE in given:
            intake["severity"] = given[severities.OTHERWISE]
        if timeout is not None:
            intake["resolve_after"] = format_duration(timeout)
        id = about.get("id")
        named = isinstance(id, str) and re.fullmatch(ID_PATTERN, id)
        return {"intakes": {id if named else "prometheus": intake}}

    def _not_carried(self) -> None:
        for n, name in self.top.texts_at("templates"):
            told = f"templates[{n}]: {name!r} is not carried over: Opsbook writes its own messages"
            remedy = "say it in the rules' summary: and description:"
            self.top.sheet.say("missing", self.top.place("templates", n), told, remedy)
        if "tracing" in self.top:
            self.top.say("missing", "tracing", "is not carried over")

    def _times(self) -> dict[str, Any]:
        found: dict[str, Any] = {"time_intervals": {}, "hours": {}}
        for section in ("mute_time_intervals", "time_intervals"):
            if section == "mute_time_intervals" and section in self.top:
                told = "is deprecated in Alertmanager since 0.24"
                self.top.say("deprecated", section, told, "write them under time_intervals:")
            for at in self.top.each(section):
                at.only(("name", "time_intervals"))
                name = at.text("name")
                if not name:
                    at.say("error", "", "an interval has no name", "write name:")
                elif name in self.times:
                    at.say("error", "name", f"there is an interval {name!r} already",
                           "rename one of them")  # fmt: skip
                else:
                    self._interval(at, name, found)
        return found

    def _interval(self, at: At, name: str, found: dict[str, Any]) -> None:
        written = intervals.read(at, self.known.timezone)
        title = at.note.get("title")
        about = {} if title is None else {"title": title}
        hours = at.note.get("hours")
        if isinstance(hours, str) and re.fullmatch(ID_PATTERN, name):
            if intervals.says(hours, written["ranges"], self.known.timezone):
                self.times[name] = name
                if not self.known.has("hours", name):
                    found["hours"][name] = {**about, "open": hours}
                return
            told = f"is not what its hours were ({hours}); it becomes an interval"
            at.say("changed", "name", told, "remove hours of that name from the book")
        taken = {*self.times.values(), *self.known.ids.get("time_intervals", ())}
        id = unique(slug(name) or "interval", taken)
        if id != name:
            about.setdefault("title", name)
            at.say("changed", "name", f"the interval {name!r} is called {id!r} here")
        self.times[name] = id
        found["time_intervals"][id] = {**about, **written}

    # ---- routes -------------------------------------------------------------------------------

    def _root(self) -> dict[str, Any]:
        at = self.top.inside("route")
        if "route" not in self.top:
            self.top.say("error", "", "there is no route", "write route: with a receiver")
            return {}
        if "receiver" not in at:
            at.say("error", "", "the outermost route names no receiver", "write receiver:")
        for name in ("match", "match_re", "matchers", "mute_time_intervals",
                     "active_time_intervals", "continue"):  # fmt: skip
            if at.value.get(name):
                at.say("error", name, "the outermost route takes every alert, always",
                       f"move {name}: into one of its routes")  # fmt: skip
        found = self._route(at, None)
        nobody = "receiver" not in found and "to" not in found
        if nobody and not found:
            return {}
        if nobody and (carried := self.receivers.by_name.get(at.text("receiver"))) is not None:
            found = {"receiver": self._named(at.text("receiver"), carried), **found}
        return found

    def _route(self, at: At, around: _Around | None) -> dict[str, Any]:
        at.only(_ROUTE)
        found = matching.for_book(matching.gathered(at, "", self.words), "match", "matchers")
        told, as_ = self._receiver(at, around, found)
        if at.flag("continue"):
            found["continue"] = True
        for name, key in (("active_time_intervals", "active"), ("mute_time_intervals", "mute")):
            names = self._named_times(at, name)
            if names:
                found[key] = names[0] if len(names) == 1 else names
        inside = _Around(told, as_, *self._waits(at, around, found))
        if routes := [self._route(one, inside) for one in at.each("routes")]:
            found["routes"] = routes
        return found

    def _named_times(self, at: At, name: str) -> list[str]:
        names = []
        for n, one in at.texts_at(name):
            if one in self.times:
                names.append(self.times[one])
            else:
                told = f"there is no time interval {one!r}"
                at.sheet.say("error", at.place(name, n), told, suggestion(one, self.times))
        return names

    def _receiver(self, at: At, around: _Around | None, found: dict[str, Any]) -> tuple[Told, str]:
        before = (around.told, around.as_) if around is not None else ((), "incident")
        name = at.text("receiver")
        if not name:
            return before
        carried = self.receivers.by_name.get(name)
        if carried is None:
            at.say("error", "receiver", f"there is no receiver {name!r}",
                   suggestion(name, self.receivers.by_name))  # fmt: skip
            return before
        after = (carried.told, carried.as_)
        if carried.id:
            found["receiver"] = carried.id
            return after
        same = carried.told == before[0]
        plain = all(resolved for _, resolved in carried.told) and carried.told
        if not same and not plain:
            # A route by itself can neither tell nobody nor keep an end from somebody.
            found["receiver"] = self._named(name, carried)
            return after
        says = at.note.get("says") or ()
        if not same or ("to" in says and plain):
            found["to"] = [id for id, _ in carried.told]
        if carried.as_ != before[1] or "as" in says:
            found["as"] = carried.as_
        return after

    def _named(self, name: str, carried: Carried) -> str:
        """The id of a receiver that a route would have said by itself, if it could."""
        id = next((id for id, one in self.used.items() if one is carried), "")
        ids = [one.id for one in self.receivers.by_name.values()]
        id = id or unique(slug(name) or "receiver", {*self.used, *ids})
        self.used[id] = carried
        return id

    def _waits(self, at: At, around: _Around | None, found: dict[str, Any]) -> tuple[bool, _Waits]:
        """Write what a route groups by and waits for, and give back what holds inside of it."""
        labels = _grouping(at)
        said = {name: at.duration(name) for name in _DEFAULTS}
        for name in ("group_interval", "repeat_interval"):
            if said[name] == timedelta(0):
                at.say("error", name, "cannot be zero", "write a time such as 5m")
        before = around.waits if around is not None else _DEFAULTS
        settled = {name: before[name] if one is None else one for name, one in said.items()}
        alone = labels == [EVERY_LABEL] or (not labels and around is not None and around.alone)
        if labels or around is None:
            found["group_by"] = [one for one in labels if one != ALL_IN_ONE]
        shown: Mapping[str, timedelta | None] = said
        by_itself: _Waits = {}
        if around is None:
            shown, by_itself = settled, _ALONE if alone else _DEFAULTS
        elif labels and not alone and around.alone:
            shown = settled | {"repeat_interval": said["repeat_interval"]}
            by_itself = {
                name: _DEFAULTS[name]
                for name in ("group_wait", "group_interval")
                if around.waits[name] == _ALONE[name]
            }
        left_out = _left_out(at, shown, by_itself)
        if around is None and alone and "group_by" not in at.note.get("says", ("group_by",)):
            del found["group_by"]
        for name, value in shown.items():
            if value is not None and name not in left_out:
                found[name] = format_duration(value)
        return alone, settled

    # ---- inhibitions --------------------------------------------------------------------------

    def _inhibitions(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for at in self.top.each("inhibit_rules"):
            at.only(_INHIBIT)
            sides: dict[str, Any] = {}
            for prefix, what in (("source_", "while"), ("target_", "mutes")):
                matchers = matching.gathered(at, prefix, self.words)
                sides |= matching.for_book(matchers, what, f"{what}_matchers")
                if not matchers:
                    told = f"says no {prefix}matchers, which means every alert"
                    at.say("changed", "", told, "say which alerts are meant")
                    sides[f"{what}_matchers"] = ['alertname!=""']
            noted = str(
                at.note.get("id") or slug(at.text("name")) or f"inhibition-{len(found) + 1}"
            )
            wanted = noted if re.fullmatch(ID_PATTERN, noted) else f"inhibition-{len(found) + 1}"
            id = unique(wanted, {*found, *self.known.ids.get("inhibitions", ())})
            title = at.note.get("title")
            about = {} if title is None else {"title": title}
            equal = at.texts("equal")
            found[id] = {**about, **sides, **({"equal": equal} if equal else {})}
        return found


def _grouping(at: At) -> list[str]:
    """The labels that a route groups by, with what Alertmanager refuses of them."""
    labels = at.texts("group_by")
    for label in labels:
        if label != EVERY_LABEL and not matching.LABEL.fullmatch(label):
            at.say("error", "group_by", f"{label!r} is no label's name")
    if EVERY_LABEL in labels and len(labels) > 1:
        at.say("error", "group_by", '"..." is every label already', 'write ["..."] alone')
    if len(set(labels)) < len(labels):
        at.say("error", "group_by", "names a label twice", "remove one of them")
    return labels


def _left_out(at: At, shown: Mapping[str, timedelta | None], by_itself: _Waits) -> set[str]:
    """The waits that a book takes by itself: what it did not say, or what only means "at once"."""
    same = {name for name, value in by_itself.items() if shown[name] == value}
    says = at.note.get("says")
    if isinstance(says, list):
        return same - {str(one) for one in says}
    at_once = {"group_wait", "group_interval"}
    return at_once if by_itself is _ALONE and at_once <= same else set()
