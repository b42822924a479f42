"""Who is told by a book, as receivers of an alertmanager.yml.

With Opsbook: what opens an incident leads back to an intake of the book, and so does whoever no
integration reaches (a person by the inbox, a team by its rotation). Without it: everybody by their
own addresses, and whoever has none is named. Secrets are files beside the configuration, or a mark
where Alertmanager 0.25 reads no file; which of them to set is told.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

from opsbook.alerts.exchange.findings import Finding, Level, Setting
from opsbook.alerts.exchange.layout import Noted
from opsbook.alerts.pipeline.routing import Listener, Node
from opsbook.book import Book
from opsbook.book.positions import Path, dotted
from opsbook.book.sections.people import SECRET, Contact
from opsbook.book.sections.webhooks import Webhook
from opsbook.book.texts import Text

SECRETS: Final = "secrets"
"""The folder beside alertmanager.yml that secrets are read from, each under its variable's name."""
UNSET_URL: Final = "https://opsbook.invalid/set/"
UNSET: Final = "set-this"
INTAKE: Final = "/in/{book}/{intake}"

_SCHEMES: Final[Mapping[str, str]] = {
    "slack": "slack", "discord": "discord", "tgram": "telegram", "pagerduty": "pagerduty",
    "opsgenie": "opsgenie", "splunk": "victorops", "victorops": "victorops", "pover": "pushover",
    "webex": "webex", "wxteams": "webex", "mailto": "email", "mailtos": "email",
}  # fmt: skip
_HOSTS: Final[Mapping[str, str]] = {
    "hooks.slack.com": "slack", "discord.com": "discord", "discordapp.com": "discord",
}  # fmt: skip
_NAMED: Final = ("slack", "discord", "telegram", "pagerduty", "opsgenie", "victorops", "pushover",
                 "webex")  # fmt: skip

_MAIL: Final = frozenset({"email", "mail", "mailto", "mailtos", "smtp"})
SLACK_API: Final = "https://slack.com/api/chat.postMessage"

Definition = tuple[str, str, tuple[Listener, ...]]


@dataclass(slots=True)
class Out:
    """What is being written: the book, how Opsbook is reached (or not any more), what was found."""

    book: Book
    url: str
    alone: bool
    findings: list[Finding] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    names: dict[Definition, str] = field(default_factory=dict)

    def say(self, level: Level, path: Path, message: str, remedy: str = "") -> None:
        """Note a finding at a place of the book."""
        mark = self.book.positions.key(path)
        place = (mark.file, mark.line, mark.column) if mark else ("book.yaml", 1, 1)
        self.findings.append(Finding(*place, level, f"{dotted(path)}: {message}", remedy))

    def name(self, node: Node, written: str | None) -> str:
        """The receiver of a route: the name that Opsbook has for it, made unique."""
        definition = (written or "", node.as_, node.listeners)
        if definition not in self.names:
            name, taken = node.receiver, set(self.names.values())
            while name in taken:
                name += ","
            self.names[definition] = name
        return self.names[definition]

    def secret(self, reference: str, form: str, path: Path) -> str:
        """The file that a secret is read from; what belongs in it is told."""
        if reference.startswith("file:"):
            return reference.removeprefix("file:")
        file = f"{SECRETS}/{reference.removeprefix('env:')}"
        mark = self.book.positions.key(path)
        self.settings.append(
            Setting(file, form, mark.file if mark else "", mark.line if mark else 0)
        )
        return file


def receivers(out: Out) -> list[Any]:
    """Return every receiver that a route uses, and those of the book that none uses."""
    used = {named for named, _, _ in out.names}
    for id, one in out.book.receivers.items():
        if id not in used:
            silent = set(one.only_firing)
            told = tuple(Listener(each, each not in silent) for each in one.to)
            out.names[(id, one.as_, told)] = id
    return [_receiver(out, definition, name) for definition, name in out.names.items()]


def _receiver(out: Out, definition: Definition, name: str) -> Any:
    named, as_, listeners = definition
    note: dict[str, Any] = {}
    if named:
        note["receiver"] = named
        if (title := out.book.receivers[named].title) is not None:
            note["title"] = spoken(title)
    note |= {"to": [one.id for one in listeners], "as": as_}
    configs: dict[str, list[Any]] = {}
    if as_ == "incident" and not out.alone:
        if silent := [one.id for one in listeners if not one.resolved]:
            note["only_firing"] = silent
        configs["webhook_configs"] = [
            Noted({**_back(out), "send_resolved": True}, {"incident": True})
        ]
    else:
        for one in listeners:
            for key, config, more in _entries(out, one.id):
                config = {**config, "send_resolved": one.resolved}
                configs.setdefault(key, []).append(Noted(config, {"for": one.id, **more}))
    return Noted({"name": name, **configs}, note)


def _back(out: Out) -> dict[str, Any]:
    """A webhook that leads to an intake of this book."""
    intake = next((one for one in out.book.intakes.values() if one.kind == "webhook"), None)
    id = intake.id if intake is not None else "alertmanager"
    path = INTAKE.format(book=quote(out.book.id), intake=quote(id))
    config: dict[str, Any] = {"url": out.url.rstrip("/") + path}
    if intake is None:
        told = "the book has no intake of the kind webhook, which its incidents come back through"
        remedy = "add one: intakes: {alertmanager: {title: …, kind: webhook, token: env:…}}"
        out.say("missing", ("intakes",), told, remedy)
    elif intake.token is not None:
        file = out.secret(intake.token, "the intake's token", ("intakes", id, "token"))
        config["http_config"] = {"authorization": {"credentials_file": file}}
    return config


def _entries(out: Out, id: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """The integrations that one listener is reached by: key, settings, more for the note."""
    more = _who(out.book, id)
    found = list(_direct(out, id))
    if found:
        yield from ((key, config, more) for key, config in found)
    elif not out.alone:
        yield "webhook_configs", _back(out), {**more, "back": True}
    else:
        section = "people" if id in out.book.people else "teams" if id in out.book.teams else (
            "channels"
        )  # fmt: skip
        told = "no integration of Alertmanager reaches it, so that nobody is told there"
        out.say("missing", (section, id), told, "add one to the receiver by hand")


def _who(book: Book, id: str) -> dict[str, Any]:
    """What a listener is here, without the addresses and secrets that stand in the file.

    References are names of places and no secrets. An address that the book has in the open is told
    by its digest, so that one that was put in its place since is not taken for open as well.
    """
    if (hook := book.webhooks.get(id)) is not None:
        found: dict[str, Any] = {"title": spoken(hook.title)}
        if hook.description is not None:
            found["description"] = spoken(hook.description)
        found["address"] = hook.url.secret or digest(hook.url.url or "")
        if hook.loopback:
            found["loopback"] = True
        if hook.secret is not None:
            found["secret"] = hook.secret
        if hook.events != ("alerts",):
            found["events"] = list(hook.events)
        headers = {n: v for n, v in hook.headers.items() if _open(n, v)}
        return {"webhook": found | ({"headers": headers} if headers else {})}
    if (channel := book.channels.get(id)) is not None:
        found = {"title": spoken(channel.title)}
        if channel.description is not None:
            found["description"] = spoken(channel.description)
        if channel.public:
            found["public"] = True
        if channel.to.secret is not None:
            found["to"] = {"secret": channel.to.secret}
        elif mail_of(channel.to.url or "") and not urlsplit(channel.to.url or "").password:
            found["to"] = channel.to.url
        return {"channel": found}
    return {"is": "person" if id in book.people else "team"}


def _open(name: str, value: str) -> bool:
    """Whether a header may stand in a note: not where it lets somebody in by itself."""
    return name.lower() != "authorization" or SECRET.fullmatch(value) is not None


def digest(text: str) -> str:
    """What an address is known by again without being told."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def spoken(text: Text) -> Any:
    """A text as a book writes it: plain, or by language."""
    by = dict(text.by_language)
    return by[""] if set(by) == {""} else by


def _direct(out: Out, id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    book = out.book
    if (hook := book.webhooks.get(id)) is not None:
        yield "webhook_configs", _hook(out, hook)
    elif (channel := book.channels.get(id)) is not None:
        yield from _contact(out, channel.to, ("channels", id, "to"))
    elif (person := book.people.get(id)) is not None:
        for n, contact in enumerate(person.contacts):
            yield from _contact(out, contact, ("people", id, "contacts", n))
    elif (team := book.teams.get(id)) is not None and team.channel is not None:
        yield from _direct(out, team.channel)
    elif team is not None and out.alone:
        if team.rotation is not None:
            told = "Alertmanager knows no rotations; all members are told"
            out.say("changed", ("teams", id, "rotation"), told, "tell a service that has them")
        for member in team.members:
            yield from _direct(out, member)


def _hook(out: Out, hook: Webhook) -> dict[str, Any]:
    path: Path = ("webhooks", hook.id)
    if hook.secret is not None:
        out.say("missing", (*path, "secret"), "Alertmanager signs no webhook",
                "let the receiver know it by its address or a header")  # fmt: skip
    config: dict[str, Any] = {"url": _unset(out, hook.url, "its address", (*path, "url"))}
    for name, value in hook.headers.items():
        if name.lower() == "authorization":
            config["http_config"] = _authorization(out, hook, value)
        else:
            out.say("missing", (*path, "headers"), f"Alertmanager sends no header {name}")
    return config


def _authorization(out: Out, hook: Webhook, value: str) -> dict[str, Any]:
    """Who is let in by a header: Alertmanager wants its kind, and for Basic its two parts.

    A reference says nothing of what it leads to, so its name has to: ``env:BOT_BASIC_AUTH``.
    """
    path: Path = ("webhooks", hook.id, "headers", "Authorization")
    given = SECRET.fullmatch(value) is not None
    own = re.sub(r"\W+", "_", f"{hook.id}_authorization".upper())
    reference = value if given else f"env:{own}"
    words = _words_of(value) if given else [value.partition(" ")[0].lower()]
    if "basic" in words:
        user = f"{UNSET}-{reference.partition(':')[2]}-user"
        told = "Alertmanager wants the user name and the password of Basic authentication apart"
        remedy = f"put the name in place of {user}, and the password alone into the file"
        out.say("changed", path, told, remedy)
        file = out.secret(reference, "the password alone, in plain", path)
        return {"basic_auth": {"username": user, "password_file": file}}
    if "bearer" not in words:
        told = "is sent as a Bearer, since nothing in its name says that it is Basic"
        out.say("changed", path, told, "write basic_auth: in the file if it is")
    file = out.secret(reference, "what follows Bearer", path)
    return {"authorization": {"credentials_file": file}}


def _unset(out: Out, contact: Contact, form: str, path: Path) -> str:
    """An address that Alertmanager reads from no file: itself, or a mark that says what to set."""
    if contact.url is not None:
        return contact.url
    reference = (contact.secret or "").partition(":")[2]
    out.say("changed", path, "Alertmanager 0.25 reads this address from no file",
            f"put it in place of {UNSET_URL}{quote(reference, safe='')}")  # fmt: skip
    mark = out.book.positions.key(path)
    name = f"{UNSET_URL}{quote(reference, safe='')}"
    out.settings.append(Setting(name, form, mark.file if mark else "", mark.line if mark else 0))
    return name


def kind_of(contact: Contact) -> str:
    """Which integration an address belongs to, by its scheme; a secret's by its name.

    A reference says nothing of what it leads to, so its name has to: ``env:SLACK_OPS``.
    """
    if contact.url is not None:
        parts = urlsplit(contact.url)
        return _SCHEMES.get(parts.scheme.lower(), "") or _HOSTS.get(parts.hostname or "", "")
    words = _words_of(contact.secret or "")
    if not _MAIL.isdisjoint(words):
        return "email"
    return next((kind for kind in _NAMED if kind in words), "")


def _words_of(reference: str) -> list[str]:
    return re.split(r"[^a-z]+", reference.lower())


def _contact(out: Out, contact: Contact, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    kind = kind_of(contact)
    if kind == "email":
        mail = _mail(out, contact.url, path) if contact.url else _mail_unseen(out, contact, path)
        if mail:
            yield "email_configs", mail
        return
    if not kind:
        return
    reference = contact.secret or "env:" + re.sub(r"\W+", "_", f"{path[1]}_{kind}".upper())
    rest = urlsplit(contact.url or "")
    config = _config(out, kind, contact, reference, rest.path.strip("/").split("/"), path)
    if kind == "victorops":
        config["routing_key"] = unquote(rest.username or "") or UNSET
    for name, value in config.items():
        if value == UNSET or (name == "chat_id" and value == 1):
            told = f"says nothing that {name} of {kind}_configs could be taken from"
            out.say("changed", path, told, f"set {name} in the file that was written")
    yield f"{kind}_configs", config


def _config(
    out: Out, kind: str, contact: Contact, reference: str, parts: list[str], path: Path
) -> dict[str, Any]:
    match kind:
        case "slack":
            return _slack(out, contact, reference, path)
        case "pagerduty":
            return {"routing_key_file": out.secret(reference, "the integration key", path)}
        case "opsgenie":
            return {"api_key_file": out.secret(reference, "the key of the integration", path)}
        case "victorops":
            return {"api_key_file": out.secret(reference, "the key of the integration", path)}
        case "discord":
            secret = Contact(secret=reference)
            return {"webhook_url": _unset(out, secret, "the address of the webhook", path)}
        case "webex":
            file = out.secret(reference, "the token of the bot", path)
            room = next((one for one in parts if one), UNSET) if contact.url else UNSET
            return {"room_id": room, "http_config": {"authorization": {"credentials_file": file}}}
        case "telegram":
            chats = [int(one) for one in parts if re.fullmatch(r"-?\d+", one)]
            return {"bot_token": _mark(out, reference, "the token of the bot", path),
                    "chat_id": chats[0] if chats else 1}  # fmt: skip
    user = _mark(out, f"{reference}_USER", "the user's key", path)
    return {"user_key": user, "token": _mark(out, f"{reference}_TOKEN", "the application's token",
                                             path)}  # fmt: skip


def _mark(out: Out, reference: str, form: str, path: Path) -> str:
    """A secret in the file itself, which somebody has to put in place of a mark."""
    name = f"{UNSET}-{reference.partition(':')[2]}"
    mark = out.book.positions.key(path)
    out.say("changed", path, "Alertmanager 0.25 reads this secret from no file",
            f"put it in place of {name}")  # fmt: skip
    out.settings.append(Setting(name, form, mark.file if mark else "", mark.line if mark else 0))
    return name


def _slack(out: Out, contact: Contact, reference: str, path: Path) -> dict[str, Any]:
    """An incoming webhook or, where the reference is called a token, a bot; and its channel."""
    channel = _channel(contact.url or "") if contact.url else ""
    if not channel:
        channel = next(iter(re.findall(r"(?<!\S)[#@][^\s#@]+", _title(out, path))), "")
        if channel:
            told = f"the channel {channel} is taken from its title"
            out.say("changed", path, told, "look whether the secret leads there")
        else:
            told = "which channel of Slack it is stands in the secret alone, if anywhere"
            out.say("changed", path, told, "write channel: in the file if it is not the webhook's")
    bot = contact.url is None and "token" in _words_of(reference)
    if bot:
        file = out.secret(reference, "the token of the bot, xoxb-…", path)
        return {"api_url": SLACK_API, "channel": channel or UNSET,
                "http_config": {"authorization": {"credentials_file": file}}}  # fmt: skip
    form = "the address of the incoming webhook, https://hooks.slack.com/…"
    config = {"api_url_file": out.secret(reference, form, path)}
    return config | ({"channel": channel} if channel else {})


def _channel(url: str) -> str:
    """The channel in an address of Slack as Apprise reads it: behind the key, or ``?to=``."""
    if to := parse_qs(urlsplit(url).query).get("to"):
        return to[-1]
    found = re.search(r"/((?:#|%23|@|%40)[^/?]+)", url)
    return unquote(found[1]) if found else ""


def _title(out: Out, path: Path) -> str:
    channel = out.book.channels.get(str(path[1])) if path[0] == "channels" else None
    return " ".join(channel.title.by_language.values()) if channel is not None else ""


def _mail_unseen(out: Out, contact: Contact, path: Path) -> dict[str, Any]:
    """Mail to an address that is a secret as a whole: what is not known is named, to be set."""
    reference = contact.secret or ""
    mark = f"{UNSET}-{reference.partition(':')[2].strip('/')}"
    to = dict.fromkeys(re.findall(r"[^\s,<>()]+@[^\s,<>()]+", _title(out, path)))
    parts = {"to": ", ".join(to) or mark, "from": mark, "auth_username": mark}
    unset = [name for name, value in parts.items() if value == mark]
    told = f"the address is a secret, which {', '.join(unset)} and smarthost are parts of"
    out.say("changed", path, told, f"put them in place of {mark}")
    host = re.sub(r"[^\w.-]+", "-", mark)
    file = out.secret(reference, "the password of the mail account alone", path)
    return {**parts, "smarthost": f"{host}.invalid:587", "require_tls": True,
            "auth_password_file": file}  # fmt: skip


def _mail(out: Out, url: str, path: Path) -> dict[str, Any]:
    config = mail_of(url)
    if config and urlsplit(url).password:
        reference = "env:" + re.sub(r"\W+", "_", f"{path[1]}_email_password".upper())
        config["auth_username"] = unquote(urlsplit(url).username or "")
        config["auth_password_file"] = out.secret(reference, "the password", path)
    return config


def mail_of(url: str) -> dict[str, Any]:
    """The settings of ``mailto://`` and ``mailtos://`` as Apprise reads them, but for a password.

    Empty for an address that is none of these.
    """
    parts = urlsplit(url)
    if parts.scheme.lower() not in {"mailto", "mailtos"}:
        return {}
    said = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    user, host = unquote(parts.username or ""), parts.hostname or ""
    to = said.get("to") or ",".join(unquote(one) for one in parts.path.split("/") if one)
    secure = parts.scheme.lower() == "mailtos"
    ssl = said.get("mode") == "ssl"
    try:
        port = parts.port or (465 if ssl else 587 if secure else 25)
    except ValueError:
        port = 25
    sender = said.get("from") or (user if "@" in user else f"{user or 'opsbook'}@{host}")
    if not host or not (to or user):
        return {}
    return {
        "to": to or sender, "from": sender, "smarthost": f"{said.get('smtp', host)}:{port}",
        "require_tls": secure and not ssl,
    }  # fmt: skip
