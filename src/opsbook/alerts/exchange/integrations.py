"""Alertmanager's integrations, and the address that Opsbook reaches the same place by.

One entry of `KINDS` for each: where the address is put together from what the configuration says,
with the secrets in it named and not told. An address is one that Apprise knows, checked by a test
that asks Apprise. Source: the configuration of Alertmanager 0.25, and 0.28 for Microsoft Teams.

What an integration says about how messages look is not carried over: Opsbook writes its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from opsbook.alerts.exchange.reading import At
from opsbook.book.positions import Path

TEMPLATE: Final = "{{"


@dataclass(frozen=True, slots=True)
class Address:
    """Where messages go. `form` is the address with secrets in braces; `plain` where it has none.

    `same` tells two addresses apart without being shown to anybody, since secrets are in it. `what`
    is in the name of the secret, where the integration's own name says too little of it.
    """

    title: str
    form: str
    at: Path
    plain: str = ""
    same: tuple[str, ...] = ()
    what: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """An integration: whether it tells of ends by default, what it knows, how it is addressed."""

    name: str
    resolved: bool
    used: frozenset[str]
    looks: frozenset[str]
    address: Callable[[At, At], Address | None]
    pages: bool = False


@dataclass(frozen=True, slots=True)
class _Secret:
    """A secret's name for people, its place, and its value, which is compared and never shown."""

    shown: str
    at: Path
    value: str


def _secret(at: At, top: At, name: str, *, top_name: str = "") -> _Secret | None:
    """A secret from here, from its file, or from the global section; None after a complaint."""
    for where, key in ((at, name), (top, top_name)):
        if key and key in where:
            if key.endswith("_url") and not is_web(where.text(key)):
                where.say("error", key, "is no address of the web", "write https://…")
                return None
            return _Secret(f"{{{key}}}", where.place(key), where.text(key))
        if key and f"{key}_file" in where:
            file = where.text(f"{key}_file")
            return _Secret(f"{{content of {file}}}", where.place(f"{key}_file"), f"file {file}")
    told = f" or {top_name} of the global section" if top_name else ""
    at.say("error", "", f"{name} is missing{told}", f"write {name}:, or {name}_file:")
    return None


def _said(at: At, name: str) -> str:
    """A text that is no template; a template is filled in by an Alertmanager alone."""
    text = at.text(name)
    if TEMPLATE not in text:
        return text
    at.say("missing", name, "is a template, which is not carried over", "write what it comes to")
    return ""


def _slack(at: At, top: At) -> Address | None:
    channel = _said(at, "channel")
    bearer = at.inside("http_config").inside("authorization")
    title = f"Slack {channel}".strip()
    if "credentials" in bearer or "credentials_file" in bearer:
        token = _secret(bearer, top, "credentials")
        if token is None:
            return None
        form = f"slack://{token.shown}/{quote(channel, safe='')}"
        same = ("slack", token.value, channel)
        return Address(title, form, token.at, same=same, what="slack_token")
    url = _secret(at, top, "api_url", top_name="slack_api_url")
    if url is None:
        return None
    form = url.shown + (f"?to={quote(channel, safe='')}" if channel else "")
    return Address(title, form, url.at, same=("slack", url.value, channel))


def _email(at: At, top: At) -> Address | None:
    to = [one.strip() for one in _said(at, "to").split(",") if one.strip()]
    host = at.text("smarthost") or top.text("smtp_smarthost")
    sender = at.text("from") or top.text("smtp_from")
    if "to" not in at or not host or not sender:
        missing = "to" if "to" not in at else "smarthost" if not host else "from"
        more = "" if missing == "to" else f", or smtp_{missing}: in the global section"
        at.say("error", "", f"{missing} is missing", f"write {missing}:{more}")
        return None
    if not host.rpartition(":")[0]:
        here, key = (at, "smarthost") if "smarthost" in at else (top, "smtp_smarthost")
        here.say("error", key, f"{host!r} says no port", "write one such as mail.example.org:587")
        return None
    if not to:
        return None
    tls = at.flag("require_tls", top.flag("smtp_require_tls", True))
    ssl = host.endswith(":465")
    scheme = "mailtos" if tls or ssl else "mailto"
    mode = "&mode=ssl" if ssl else "&mode=starttls" if tls else ""
    about = f"/?from={quote(_bare(sender), safe='@')}&to={','.join(map(_bare, to))}{mode}"
    title = f"Mail to {', '.join(map(_bare, to))}"
    user = at.text("auth_username") or top.text("smtp_auth_username")
    if not user:
        plain = f"{scheme}://{host}{about}"
        return Address(title, plain, at.place("to"), plain, ("email", plain))
    for here, prefix in ((at, ""), (top, "smtp_")):
        if f"{prefix}auth_secret" in here:
            told = "CRAM-MD5 is not carried over; a password is sent over TLS"
            here.say("changed", f"{prefix}auth_secret", told, "set the password of the account")
            break
    known = any(f"{p}auth_password{f}" in w for w, p in ((at, ""), (top, "smtp_"))
                for f in ("", "_file"))  # fmt: skip
    password = _secret(at, top, "auth_password", top_name="smtp_auth_password") if known else (
        _Secret("{the password}", at.place("to"), "")
    )  # fmt: skip
    if password is None:
        return None
    form = f"{scheme}://{quote(user, safe='')}:{password.shown}@{host}{about}"
    return Address(title, form, password.at, same=("email", user, password.value, host, about))


def _bare(address: str) -> str:
    """``a@b`` of ``Name <a@b>``."""
    _, begun, rest = address.partition("<")
    return (rest.partition(">")[0] if begun else address).strip()


def _pagerduty(at: At, top: At) -> Address | None:
    name = "service_key" if any(one.startswith("service_key") for one in at.value) else ""
    key = _secret(at, top, name or "routing_key")
    if key is None:
        return None
    if name:
        told = "is a key of PagerDuty's Events API v1, and Opsbook speaks v2"
        at.say("changed", at_name(key.at), told, "make an integration of Events API v2 there")
    return Address("PagerDuty", f"pagerduty://{key.shown}@events", key.at,
                   same=("pagerduty", key.value))  # fmt: skip


def at_name(path: Path) -> str:
    """The last step of a path."""
    return str(path[-1])


_RESPONDERS: Final[Mapping[str, str]] = {
    "team": "#", "teams": "#", "user": "@", "escalation": "^", "schedule": "*",
}  # fmt: skip


def _opsgenie(at: At, top: At) -> Address | None:
    key = _secret(at, top, "api_key", top_name="opsgenie_api_key")
    if key is None:
        return None
    who = []
    for one in at.each("responders"):
        names = [_said(one, part) for part in ("name", "username", "id") if part in one]
        kind = _RESPONDERS.get(one.text("type").lower(), "@")
        who += [f"/{quote(kind + name, safe='')}" for name in names[:1] if name]
    url = at.text("api_url") or top.text("opsgenie_api_url")
    region = "?region=eu" if ".eu." in url else ""
    form = f"opsgenie://{key.shown}{''.join(who)}{region}"
    return Address("Opsgenie", form, key.at, same=("opsgenie", key.value, *who))


def _victorops(at: At, top: At) -> Address | None:
    key = _secret(at, top, "api_key", top_name="victorops_api_key")
    routing = _said(at, "routing_key")
    if "routing_key" not in at:
        at.say("error", "", "routing_key is missing", "write routing_key:")
    if key is None or not routing:
        return None
    form = f"splunk://{quote(routing, safe='')}@{key.shown}"
    return Address(
        f"Splunk On-Call {routing}", form, key.at, same=("victorops", key.value, routing)
    )


def _pushover(at: At, top: At) -> Address | None:
    user, token = _secret(at, top, "user_key"), _secret(at, top, "token")
    if user is None or token is None:
        return None
    sound = f"?sound={quote(at.text('sound'), safe='')}" if "sound" in at else ""
    form = f"pover://{user.shown}@{token.shown}{sound}"
    return Address("Pushover", form, user.at, same=("pushover", user.value, token.value, sound))


def _telegram(at: At, top: At) -> Address | None:
    token = _secret(at, top, "bot_token")
    chat = at.text("chat_id")
    if not chat:
        at.say("error", "", "chat_id is missing", "write chat_id:")
    if token is None or not chat:
        return None
    form = f"tgram://{token.shown}/{chat}"
    return Address(f"Telegram {chat}", form, token.at, same=("telegram", token.value, chat))


def _discord(at: At, top: At) -> Address | None:
    url = _secret(at, top, "webhook_url")
    if url is None:
        return None
    return Address("Discord", url.shown, url.at, same=("discord", url.value))


def _teams(at: At, top: At) -> Address | None:
    url = _secret(at, top, "webhook_url")
    if url is None:
        return None
    remedy = "set the address of a workflow that posts what it receives; connectors are retired"
    at.say("changed", at_name(url.at), "Opsbook tells Microsoft Teams through a workflow", remedy)
    return Address("Microsoft Teams", url.shown, url.at, same=("msteams", url.value))


def _webex(at: At, top: At) -> Address | None:
    bearer = at.inside("http_config").inside("authorization")
    token = _secret(bearer, top, "credentials")
    room = _said(at, "room_id")
    if "room_id" not in at:
        at.say("error", "", "room_id is missing", "write room_id:")
    if token is None or not room:
        return None
    form = f"webex://{token.shown}/{quote(room, safe='')}"
    return Address("Webex", form, token.at, same=("webex", token.value, room))


def _sns(at: At, top: At) -> Address | None:
    sign = at.inside("sigv4")
    targets = [name for name in ("topic_arn", "target_arn", "phone_number") if name in at]
    if len(targets) != 1:
        at.say("error", "", "should have one of topic_arn, target_arn and phone_number")
        return None
    if targets[0] == "target_arn":
        at.say("missing", "target_arn", "endpoints of single devices are not reached",
               "tell a topic, and subscribe the endpoint to it")  # fmt: skip
        return None
    target = _said(at, targets[0])
    if not target:
        return None
    arn = target.split(":")
    region = sign.text("region") or (arn[3] if len(arn) > 5 else "")
    to = target if targets[0] == "phone_number" else f"%23{arn[-1]}"
    if "secret_key" not in sign:
        told = "signs with the credentials of the machine, which Opsbook does not look for"
        at.say("changed", "", told, "set the two keys of a user who may publish there")
    form = f"sns://{{access_key}}/{{secret_key}}/{region}/{to}"
    place = sign.place("secret_key") if "secret_key" in sign else at.place(targets[0])
    same = ("sns", sign.text("access_key"), sign.text("secret_key"), region, to)
    return Address(f"SNS {arn[-1]}", form, place, same=same)


def _wechat(at: At, top: At) -> Address | None:
    secret = _secret(at, top, "api_secret", top_name="wechat_api_secret")
    corp = at.text("corp_id") or top.text("wechat_api_corp_id")
    agent = _said(at, "agent_id")
    if not corp:
        at.say("error", "", "corp_id is missing", "write corp_id:, or wechat_api_corp_id: globally")
    if "agent_id" not in at:
        at.say("missing", "", "there is no agent_id, and messages come from one",
               "write agent_id:")  # fmt: skip
    if secret is None or not corp or not agent:
        return None
    to = [
        f"/{quote(mark + one, safe='')}"
        for name, mark in (("to_user", "@"), ("to_party", "#"), ("to_tag", "+"))
        for one in _said(at, name).split("|")
        if one
    ]
    form = f"wechat://{quote(corp, safe='')}:{secret.shown}@{agent}{''.join(to) or '/%40all'}"
    return Address("WeChat", form, secret.at, same=("wechat", secret.value, corp, agent, *to))


def is_web(url: str) -> bool:
    """Whether it is an address that a webhook can have."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


def _of(*names: str) -> frozenset[str]:
    return frozenset(names)


_HTTP: Final = "http_config"
KINDS: Final[Mapping[str, Kind]] = {
    "slack_configs": Kind(
        "slack", False, _of("api_url", "api_url_file", "channel", _HTTP),
        _of("username", "color", "title", "title_link", "pretext", "text", "fields",
            "short_fields", "footer", "fallback", "callback_id", "icon_emoji", "icon_url",
            "image_url", "thumb_url", "link_names", "mrkdwn_in", "actions"), _slack,
    ),
    "email_configs": Kind(
        "email", False,
        _of("to", "from", "smarthost", "auth_username", "auth_password", "auth_password_file",
            "auth_secret", "auth_identity", "require_tls"),
        _of("hello", "headers", "html", "text", "tls_config"), _email,
    ),
    "pagerduty_configs": Kind(
        "pagerduty", True,
        _of("routing_key", "routing_key_file", "service_key", "service_key_file", _HTTP),
        _of("url", "client", "client_url", "description", "details", "images", "links", "source",
            "severity", "class", "component", "group"), _pagerduty, pages=True,
    ),
    "opsgenie_configs": Kind(
        "opsgenie", True, _of("api_key", "api_key_file", "api_url", "responders", _HTTP),
        _of("message", "description", "source", "details", "entity", "actions", "tags", "note",
            "priority", "update_alerts"), _opsgenie, pages=True,
    ),
    "victorops_configs": Kind(
        "victorops", True, _of("api_key", "api_key_file", "api_url", "routing_key", _HTTP),
        _of("message_type", "state_message", "entity_display_name", "monitoring_tool",
            "custom_fields"), _victorops, pages=True,
    ),
    "pushover_configs": Kind(
        "pushover", True,
        _of("user_key", "user_key_file", "token", "token_file", "sound", _HTTP),
        _of("title", "message", "url", "url_title", "priority", "retry", "expire", "html"),
        _pushover,
    ),
    "telegram_configs": Kind(
        "telegram", True, _of("bot_token", "bot_token_file", "chat_id", _HTTP),
        _of("api_url", "message", "disable_notifications", "parse_mode"), _telegram,
    ),
    "discord_configs": Kind(
        "discord", True, _of("webhook_url", "webhook_url_file", _HTTP), _of("title", "message"),
        _discord,
    ),
    "msteams_configs": Kind(
        "msteams", True, _of("webhook_url", "webhook_url_file", _HTTP),
        _of("title", "summary", "text"), _teams,
    ),
    "msteamsv2_configs": Kind(
        "msteams", True, _of("webhook_url", "webhook_url_file", _HTTP), _of("title", "text"),
        _teams,
    ),
    "webex_configs": Kind(
        "webex", True, _of("room_id", _HTTP), _of("api_url", "message"), _webex,
    ),
    "sns_configs": Kind(
        "sns", True, _of("topic_arn", "target_arn", "phone_number", "sigv4", _HTTP),
        _of("api_url", "subject", "message", "attributes"), _sns,
    ),
    "wechat_configs": Kind(
        "wechat", False,
        _of("api_secret", "corp_id", "agent_id", "to_user", "to_party", "to_tag", _HTTP),
        _of("api_url", "message", "message_type"), _wechat,
    ),
}  # fmt: skip
WEBHOOKS: Final = "webhook_configs"
WEBHOOK_KEYS: Final = _of("send_resolved", _HTTP, "url", "url_file", "max_alerts")
NEWER: Final = _of(
    "jira_configs", "rocketchat_configs", "mattermost_configs", "incidentio_configs",
)  # fmt: skip
"""Integrations of later versions without a counterpart."""
