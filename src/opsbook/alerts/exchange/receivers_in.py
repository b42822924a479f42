"""Receivers of an alertmanager.yml as a book's: channels, webhooks, and who is told of what.

Every secret becomes a reference to the environment, named after the receiver and the integration;
the file's own value is compared (the same channel under two receivers is one channel) and goes
nowhere. A receiver that Opsbook wrote says in its note who it is here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from opsbook.alerts.exchange import integrations
from opsbook.alerts.exchange.findings import Setting
from opsbook.alerts.exchange.integrations import KINDS, NEWER, WEBHOOK_KEYS, WEBHOOKS, Address, Kind
from opsbook.alerts.exchange.known import Known
from opsbook.alerts.exchange.reading import At
from opsbook.alerts.exchange.receivers_out import digest, mail_of
from opsbook.book.fields import ID_PATTERN
from opsbook.book.problems import suggestion
from opsbook.book.sections.people import SECRET
from opsbook.book.sections.webhooks import is_loopback

Told = tuple[tuple[str, bool], ...]
"""Who is told, and whether also when it is over."""
_LONGEST_ID: Final = 60


@dataclass(frozen=True, slots=True)
class Carried:
    """A receiver as it is here: under an id, or (`id` empty) as who a route itself tells."""

    id: str
    told: Told
    as_: str
    title: Any = None

    @property
    def written(self) -> dict[str, Any]:
        """The receiver as a book writes it."""
        found: dict[str, Any] = {}
        if self.title is not None:
            found["title"] = self.title
        if self.told:
            found["to"] = [id for id, _ in self.told]
        if self.as_ != "notify":
            found["as"] = self.as_
        if silent := [id for id, resolved in self.told if not resolved]:
            found["only_firing"] = silent
        return found


@dataclass(slots=True)
class Receivers:
    """All receivers of a file, by the name they have there, and what they need in the book."""

    top: At
    known: Known
    by_name: dict[str, Carried] = field(default_factory=dict)
    channels: dict[str, Any] = field(default_factory=dict)
    webhooks: dict[str, Any] = field(default_factory=dict)
    settings: list[Setting] = field(default_factory=list)
    _same: dict[tuple[str, ...], str] = field(default_factory=dict)
    _variables: set[str] = field(default_factory=set)
    _ids: set[str] = field(default_factory=set)

    def read(self, at: At) -> None:
        """Take one receiver over."""
        for key in at.value:
            if key in NEWER:
                told = "has no counterpart here and is left out"
                at.say("missing", key, told, "tell it through a webhook, or another channel")
            elif key not in {"name", WEBHOOKS, *KINDS}:
                at.say("error", key, "is no integration of Alertmanager",
                       suggestion(key, (WEBHOOKS, *KINDS)))  # fmt: skip
        name = at.text("name")
        if not name:
            at.say("error", "", "a receiver has no name", "write name:")
            return
        if name in self.by_name:
            at.say("error", "name", f"there is a receiver {name!r} already", "rename one of them")
            return
        found: dict[str, bool] = {}
        for listener, resolved in self._listeners(at, name):
            found[listener] = found.get(listener, False) or resolved
        self.by_name[name] = self._carried(at, name, found)

    def _carried(self, at: At, name: str, found: dict[str, bool]) -> Carried:
        note = at.note
        to = [one for one in _texts(note.get("to")) if re.fullmatch(ID_PATTERN, one)]
        as_ = "incident" if note.get("as") == "incident" else "notify"
        if as_ == "incident":
            silent = set(_texts(note.get("only_firing")))
            found = {**{one: one not in silent for one in to}, **found}
        told = tuple((one, found[one]) for one in dict.fromkeys((*to, *found)) if one in found)
        if "to" in note and "receiver" not in note:
            return Carried("", told, as_)
        if "to" in note and re.fullmatch(ID_PATTERN, str(note["receiver"])):
            self._ids.add(str(note["receiver"]))
            return Carried(str(note["receiver"]), told, as_, note.get("title"))
        id = unique(slug(name) or "receiver", self._ids | self.known.ids.get("receivers", set()))
        self._ids.add(id)
        if id != name:
            told_as = f"the receiver {name!r} is called {id!r} here"
            at.say("changed", "name", told_as, "its old name is its title")
        return Carried(id, told, as_, None if id == name else name)

    def _listeners(self, at: At, name: str) -> Iterator[tuple[str, bool]]:
        for key, kind in KINDS.items():
            for one in at.each(key):
                self._check(one, kind.used, kind.looks)
                resolved = one.flag("send_resolved", kind.resolved)
                address = kind.address(one, self.top.inside("global"))
                noted = one.note.get("for")
                if isinstance(noted, str) and self.known.listens(noted):
                    yield noted, resolved
                elif address is not None:
                    yield self._channel(one, name, kind, address, noted), resolved
                    self._is_no_channel(one, noted)
        for one in at.each(WEBHOOKS):
            one.only(WEBHOOK_KEYS)
            resolved = one.flag("send_resolved", True)
            noted = one.note.get("for")
            if isinstance(noted, str) and self.known.listens(noted):
                yield noted, resolved
            elif "incident" in one.note:
                continue
            elif isinstance(noted, str) and (back := self._restored(one, noted)):
                yield back, resolved
            elif isinstance(noted, str) and "back" in one.note:
                told = f"leads back to Opsbook for {noted!r}, whom this book does not have"
                one.say("missing", "", told, "carry it over into the book with its people")
            elif listener := self._webhook(one, name, noted):
                yield listener, resolved

    def _check(self, at: At, used: Iterable[str], looks: Iterable[str]) -> None:
        """Name what is not carried over; what an integration looks like in one sentence."""
        mine = {"send_resolved", *used}
        shown = [key for key in at.value if key in set(looks)]
        if shown:
            told = f"is not carried over: {', '.join(shown)}; Opsbook writes its own messages"
            at.say("missing", shown[0], told)
        for key in at.value:
            if key not in mine and key not in set(looks):
                at.say("missing", key, "is not known here and is left out", suggestion(key, mine))
        if isinstance(at.value.get("http_config"), dict):
            inner = at.inside("http_config")
            for key in inner.value:
                if key not in {"authorization", "follow_redirects", "enable_http2"}:
                    inner.say(
                        "missing", key, "is not carried over", "connections are made directly"
                    )

    def _channel(self, at: At, name: str, kind: Kind, address: Address, noted: Any) -> str:
        wanted = noted if isinstance(noted, str) and re.fullmatch(ID_PATTERN, noted) else ""
        same = (*address.same, wanted)
        if same in self._same:
            return self._same[same]
        about = _about(at, "channel")
        if kind.pages:
            told = "each message becomes an incident there, and its end is told as another"
            at.say("changed", "", told, "or let Opsbook page: as: incident, and an escalation")
        id = unique(wanted or f"{slug(name) or 'receiver'}-{kind.name}", self._taken)
        self._same[same] = id
        reference = _reference(about.get("to"))
        to: Any = address.plain
        if reference:
            to = self._referred(reference, address.form, at, address)
        elif not address.plain:
            what = address.what or kind.name
            to = self._secret(name, what, address.form, at, address)
        elif _is_mail(at, noted_to := about.get("to")):
            to = noted_to
        self.channels[id] = {**_described(about, address.title), "to": to}
        return id

    def _is_no_channel(self, at: At, noted: Any) -> None:
        if "is" in at.note:
            told = f"{noted!r} was a {at.note['is']} and is a channel of that name here"
            at.say("changed", "", told, f"write people: or teams: with {noted} in it")

    def _restored(self, at: At, noted: str) -> str:
        """A channel that Alertmanager does not reach by itself, as a book had it; else nothing."""
        about = _about(at, "channel")
        reference = _reference(about.get("to"))
        if "back" not in at.note or not reference or not re.fullmatch(ID_PATTERN, noted):
            return ""
        same = ("back", noted)
        if same not in self._same:
            id = self._same[same] = unique(noted, self._taken)
            to = self._referred(reference, "the address that Apprise knows it by", at)
            self.channels[id] = {**_described(about, noted), "to": to}
        return self._same[same]

    @property
    def _taken(self) -> set[str]:
        others = ("people", "teams", "channels", "webhooks")
        known = [one for name in others for one in self.known.ids.get(name, ())]
        return {*known, *self.channels, *self.webhooks}

    def _secret(
        self, name: str, what: str, form: str, at: At, address: Address | None = None
    ) -> dict[str, str]:
        variable = unique(_variable(name, what), self._variables, "_")
        self._variables.add(variable)
        line = at.sheet.line(address.at)[0] if address is not None else at.line()
        self.settings.append(Setting(variable, form, at.sheet.file, line))
        return {"secret": f"env:{variable}"}

    def _referred(
        self, reference: str, form: str, at: At, address: Address | None = None
    ) -> dict[str, str]:
        """A secret under the name that a book had for it."""
        line = at.sheet.line(address.at)[0] if address is not None else at.line()
        name = reference.partition(":")[2]
        self._variables.add(name)
        self.settings.append(Setting(name, form, at.sheet.file, line))
        return {"secret": reference}

    def _webhook(self, at: At, name: str, noted: Any) -> str:
        url = at.text("url")
        if "url_file" in at:
            form, url = f"{{content of {at.text('url_file')}}}", ""
        elif integrations.is_web(url):
            form = "{url}"
        else:
            at.say("error", "url" if "url" in at else "", "is no address of the web",
                   "write url: https://…")  # fmt: skip
            return ""
        wanted = noted if isinstance(noted, str) and re.fullmatch(ID_PATTERN, noted) else ""
        same = ("webhook", url or form, repr(at.value.get("http_config")), wanted)
        if same in self._same:
            return self._same[same]
        about = _about(at, "webhook")
        id = unique(wanted or f"{slug(name) or 'receiver'}-webhook", self._taken)
        self._same[same] = id
        if at.text("max_alerts") not in {"", "0"}:
            at.say("missing", "max_alerts", "is not carried over", "a message has its whole group")
        hook = {**_described(about, f"Webhook of {name}"), **self._led(at, name, url, form, about)}
        if signed := _reference({"secret": about.get("secret")}):
            form = "what the requests are signed with"
            hook["secret"] = self._referred(signed, form, at)["secret"]
        hook["events"] = _texts(about.get("events")) or ["alerts"]
        noted_headers = about.get("headers")
        kept = noted_headers if isinstance(noted_headers, dict) else {}
        if headers := self._headers(at, name, kept):
            hook["headers"] = headers
        self.webhooks[id] = hook
        return id

    def _led(
        self, at: At, name: str, url: str, form: str, about: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The address: as it stands where it plainly holds no secret.

        That is on this machine, or where a book had it in the open and it is the same still.
        """
        loopback = {"loopback": True} if about.get("loopback") is True else {}
        if reference := _reference({"secret": about.get("address")}):
            return {"url": self._referred(reference, form, at), **loopback}
        if url and about.get("address") == digest(url):
            return {"url": url, **loopback}
        parts = urlsplit(url) if url else None
        if parts is not None and is_loopback(parts.hostname or ""):
            if "@" not in parts.netloc and not parts.query:
                return {"url": url, "loopback": True}
            return {"url": self._secret(name, "webhook", form, at), "loopback": True}
        if parts is not None and parts.scheme == "http":
            told = "Opsbook tells others over https alone, and this is http"
            at.say("changed", "url", told, "give the receiver TLS, and set its https address")
        return {"url": self._secret(name, "webhook", form, at)}

    def _headers(self, at: At, name: str, kept: Mapping[Any, Any]) -> dict[str, str]:
        http = at.inside("http_config")
        found = {str(one): str(value) for one, value in kept.items()}
        noted = next((one for one in found if one.lower() == "authorization"), "")
        form, what = "", "authorization"
        bearer, basic = http.inside("authorization"), http.inside("basic_auth")
        if "authorization" in http:
            kind = bearer.text("type") or "Bearer"
            form = f"{kind} {{credentials}}"
            if "credentials_file" in bearer:
                form = f"{kind} {{content of {bearer.text('credentials_file')}}}"
            what = f"{kind}_authorization" if "type" in bearer else what
        elif "basic_auth" in http:
            form, what = "Basic {base64 of username:password}", "basic_auth"
        elif "bearer_token" in http or "bearer_token_file" in http:
            form, what = "Bearer {bearer_token}", "bearer_token"
        if form:
            place = basic if "basic_auth" in http else bearer if "authorization" in http else http
            if reference := _reference({"secret": found.get(noted)}):
                found[noted] = self._referred(reference, form, place)["secret"]
            else:
                found["Authorization"] = self._secret(name, what, form, place)["secret"]
        elif noted:
            del found[noted]
        for key in http.value:
            if key not in {"authorization", "basic_auth", "bearer_token", "bearer_token_file",
                           "follow_redirects", "enable_http2"}:  # fmt: skip
                http.say("missing", key, "is not carried over", "connections are made directly")
        return found


def _about(at: At, what: str) -> Mapping[str, Any]:
    """What a note says of a channel or a webhook of the book it was written from."""
    found = at.note.get(what)
    return found if isinstance(found, dict) else {}


def _described(about: Mapping[str, Any], title: str) -> dict[str, Any]:
    """Title and whatever else an element had that no integration has a word for."""
    found = {"title": about.get("title") or title}
    return found | {name: about[name] for name in ("description", "public") if name in about}


def _reference(value: Any) -> str:
    """``env:NAME`` or ``file:/path`` of ``{secret: …}``; empty where there is none."""
    found = value.get("secret") if isinstance(value, dict) else None
    return found if isinstance(found, str) and SECRET.fullmatch(found) else ""


def _is_mail(at: At, noted: Any) -> bool:
    """Whether a noted address of mail still says what the configuration says."""
    meant = mail_of(noted) if isinstance(noted, str) and not urlsplit(noted).password else {}
    return bool(meant) and all(at.value.get(name) == value for name, value in meant.items())


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def slug(name: str) -> str:
    """A name as an id; an empty text where nothing of it can be one."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-._")[:_LONGEST_ID]


def unique(wanted: str, taken: Iterable[str], joint: str = "-") -> str:
    """The name, or the first of its followers, that is not taken."""
    taken = set(taken)
    n, found = 1, wanted
    while found in taken:
        n += 1
        found = f"{wanted}{joint}{n}"
    return found


def _variable(name: str, what: str) -> str:
    kept = re.sub(r"[^A-Z0-9]+", "_", f"{name}_{what}".upper()).strip("_")
    return kept if re.match(r"[A-Z_]", kept) else f"RECEIVER_{kept}"
