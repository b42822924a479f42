"""alertmanager.yml into a book and back: what amtool says of both files is the same.

Long because what each key becomes is read beside the sample file that has all of them.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apprise
import pytest
import yaml

from opsbook.alerts.exchange import Known, alertmanager_in, alertmanager_out
from opsbook.alerts.exchange.findings import NotReadable
from opsbook.alerts.pipeline import routing
from opsbook.alerts.pipeline.routing import Node
from opsbook.book import Book
from tests.alerts.exchange.broken import BROKEN
from tests.alerts.exchange.tools import FILES, PEOPLE, amtool, every, made, refused, taken_by
from tests.books import shelf

SAMPLE = (FILES / "alertmanager.yml").read_text()
URL = "https://opsbook.example.org"
SECRETS = (
    "pepper-and-salt", "abcdefghijklmnopqrstuvwx", "11111111-2222", "99999999-8888",
    "wechat-secret-of-the-firm", "0123456789abcdef0123", "xoxb-0000", "open-sesame",
    "hidden-in-basic", "uabcdefghijklm", "aabcdefghijklm", "123456789:abc", "aaaaaaaaaaaaaaaa",
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI",
)  # fmt: skip
LABELS = every(
    service=("", "database"), severity=("", "page", "warning"), team=("", "web", "team-X"),
    env=("", "prod"), owner=("", "team-X"), alertname=("", "Watchdog"), all=("", "yes"),
)  # fmt: skip


def carried() -> Book:
    files = alertmanager_in.read(SAMPLE, "alertmanager.yml").files
    return made(*files.values())


def exported(book: Book, folder: Path, **how: Any) -> Path:
    file = folder / "alertmanager.yml"
    file.write_text(alertmanager_out.write(book, url=URL, **how).files[file.name])
    return file


def known(book: Book) -> Known:
    """What the book has besides its routing."""
    sections = ("people", "teams", "channels", "webhooks", "hours", "intakes", "severities")
    raw = {
        name: {id: one.model_dump(mode="json") for id, one in getattr(book, name).items()}
        for name in sections
    }
    return Known.of({**raw, "timezone": book.timezone})


def again(book: Book) -> Book:
    """The book with its routing exported and imported."""
    text = alertmanager_out.write(book, url=URL).files["alertmanager.yml"]
    made = alertmanager_in.read(text, "alertmanager.yml", known(book))
    spoken = ("stays as it is", "is deprecated in Alertmanager")
    assert [one for one in made.findings if not one.message.endswith(spoken)] == []
    read = made_of("".join(made.files.values()))
    return Book.model_construct(**{**dict(book), **read})


def made_of(text: str) -> dict[str, Any]:
    """The sections about routing in a text, validated by themselves."""
    from opsbook.book.model import Sections

    whole = {"id": "x", "title": "x", "timezone": "UTC", **(yaml.safe_load(text) or {})}
    sections = Sections.model_validate(whole)
    names = ("routing", "receivers", "inhibitions", "time_intervals")
    return {name: getattr(sections, name) for name in names}


def nodes(root: Node) -> list[Node]:
    """Every route, with conditions in one order, which is theirs to have."""
    return [replace(one, conditions=tuple(sorted(one.conditions)), nodes=()) for one in root.all()]


def test_amtool_accepts_the_sample_and_what_becomes_of_it(tmp_path: Path) -> None:
    assert "SUCCESS" in amtool("check-config", FILES / "alertmanager.yml")
    said = amtool("check-config", exported(carried(), tmp_path))
    assert "2 inhibit rules" in said
    assert "6 receivers" in said


def test_alerts_go_the_same_ways_in_the_file_that_came_and_in_the_one_that_leaves(
    tmp_path: Path,
) -> None:
    before, after = FILES / "alertmanager.yml", exported(carried(), tmp_path)
    ways = set()
    for labels in LABELS[::3]:
        there = [one.replace(" ", "-") for one in taken_by(before, labels)]
        assert taken_by(after, labels) == there, labels
        ways.add(tuple(there))
    assert len(ways) > 6


def test_opsbook_and_amtool_send_alerts_the_same_ways(tmp_path: Path) -> None:
    book = carried()
    file, root = exported(book, tmp_path), routing.root(book)
    for labels in LABELS[1::5]:
        assert taken_by(file, labels) == [one.receiver for one in root.taken_by(labels)], labels


def resolved(route: Any, around: dict[str, Any]) -> list[dict[str, Any]]:
    """Every route of an alertmanager.yml with what it inherits, read without our own reader."""
    own = {name: route[name] for name in ("receiver", "group_by") if route.get(name)}
    for name in ("group_wait", "group_interval", "repeat_interval"):
        if name in route:
            own[name] = seconds(route[name])
    here = {**around, **own}
    matchers = [f'{name}="{value}"' for name, value in (route.get("match") or {}).items()]
    matchers += [f'{name}=~"{value}"' for name, value in (route.get("match_re") or {}).items()]
    matchers += route.get("matchers") or []
    found = {
        **here,
        "receiver": here["receiver"].replace(" ", "-"),
        "continue": bool(route.get("continue")),
        "mute": route.get("mute_time_intervals"),
        "active": route.get("active_time_intervals"),
        "matchers": sorted(simple(",".join(matchers))),
    }
    return [found, *(one for inner in route.get("routes") or [] for one in resolved(inner, here))]


def simple(text: str) -> list[str]:
    """Matchers of the sample without braces, blanks and quotation marks."""
    plain = text.replace('"', "").replace("{", "").replace("}", "").replace("\\\\", "\\")
    return [one.strip().replace(" = ", "=") for one in plain.split(",") if one]


def seconds(text: str) -> float:
    sizes = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
    import re

    return sum(int(n) * sizes[unit] for n, unit in re.findall(r"(\d+)([wdhms])", text))


def test_every_route_keeps_its_groups_waits_matchers_and_hours(tmp_path: Path) -> None:
    start = {"group_by": [], "group_wait": 30.0, "group_interval": 300.0, "repeat_interval": 14400}
    before = resolved(yaml.safe_load(SAMPLE)["route"], start)
    after = resolved(yaml.safe_load(exported(carried(), tmp_path).read_text())["route"], start)
    assert after == before
    assert len(before) == 7


def test_every_inhibition_and_interval_keeps_what_it_means(tmp_path: Path) -> None:
    after = yaml.safe_load(exported(carried(), tmp_path).read_text())
    assert after["inhibit_rules"] == [
        {
            "source_matchers": ['severity="critical"'],
            "target_matchers": ['severity="warning"'],
            "equal": ["alertname", "cluster"],
        },
        {
            "source_matchers": ['alertname="Down"', 'job=~"node|kube.*"'],
            "target_matchers": ['alertname=~"Slow|Late"'],
        },
    ]
    told = {one["name"]: one["time_intervals"] for one in after["time_intervals"]}
    before = yaml.safe_load(SAMPLE)
    assert told["nights"] == before["mute_time_intervals"][0]["time_intervals"]
    first, second = before["time_intervals"][0]["time_intervals"]
    assert told["office"][0] == first
    second = {**second, "location": "UTC", "years": ["2026:2027", "2030"]}
    assert told["office"][1] == second


def test_no_secret_of_the_file_gets_into_the_book_or_is_told() -> None:
    made = alertmanager_in.read(SAMPLE, "alertmanager.yml")
    told = "".join([*made.files.values(), *map(str, made.findings), *map(str, made.settings)])
    for secret in SECRETS:
        assert secret in SAMPLE
        assert secret not in told


def test_each_secret_is_named_with_what_to_set_and_the_line_it_stands_in() -> None:
    settings = {one.name: one for one in alertmanager_in.read(SAMPLE, "am.yml").settings}
    lines = SAMPLE.splitlines()
    for one in settings.values():
        assert any(secret in lines[one.line - 1] for secret in SECRETS), one
    assert settings["EVERYTHING_TELEGRAM"].form == "tgram://{bot_token}/-1001234567890"
    assert str(settings["PAGER_OPSGENIE"]).endswith("(am.yml:9)")


VALUES = {
    "{slack_api_url}": "https://hooks.slack.com/services/T0AAAAAAA/B0AAAAAAA/abcdefghijklmnopqrstuvwx",
    "{routing_key}": "0123456789abcdef0123456789abcdef",
    "{opsgenie_api_key}": "11111111-2222-3333-4444-555555555555",
    "{victorops_api_key}": "99999999-8888-7777-6666-555555555555",
    "{smtp_auth_password}": "secret",
    "xoxb": "xoxb-0000-1111-shop",
    "{user_key}": "uabcdefghijklmnopqrstuvwxyz012",
    "{token}": "aabcdefghijklmnopqrstuvwxyz012",
    "{bot_token}": "123456789:abcdefghijklmnopqrstuvwxyzABCDEFGHI",
    "{webhook_url}": "https://discord.com/api/webhooks/123456789012345678/" + "a" * 60,
    "{access_key}": "AKIAIOSFODNN7EXAMPLE",
    "{secret_key}": "wJalrXUtnFEMI",
    "{wechat_api_secret}": "secret",
}  # fmt: skip


def test_what_is_to_be_set_becomes_an_address_that_apprise_knows_with_its_targets() -> None:
    shown = {}
    for one in alertmanager_in.read(SAMPLE, "am.yml").settings:
        if one.name in {"SHOP_WEBHOOK", "SHOP_BASIC_AUTH"}:
            continue
        url = one.form
        bearer = "a" * 72 if "WEBEX" in one.name else VALUES["xoxb"]
        for word, value in (*VALUES.items(), ("{credentials}", bearer)):
            url = url.replace(word, value)
        assert "{" not in url, url
        service = apprise.Apprise.instantiate(url)
        assert service is not None, one.form
        shown[one.name] = service.url()
    assert len(shown) == 13
    assert "/alerts/" in shown["DEFAULT_SLACK"]
    assert "/%23ops/%40lead%40example.org" in shown["PAGER_OPSGENIE"]
    assert "team-x%40example.org/lead%40example.org" in shown["TEAM_X_MAILS_EMAIL"]
    assert "mode=starttls" in shown["TEAM_X_MAILS_EMAIL"]
    assert "/%23alarms/" in shown["EVERYTHING_SNS"]
    assert "/-1001234567890/" in shown["EVERYTHING_TELEGRAM"]
    assert "someone" in shown["EVERYTHING_WECHAT"]


def test_who_is_not_told_of_an_end_there_is_not_told_here() -> None:
    receivers = carried().receivers
    assert receivers["default"].only_firing == ()
    assert receivers["shop"].only_firing == ("default-slack", "shop-slack", "shop-webhook-2")
    assert receivers["everything"].only_firing == ("everything-wechat",)


@pytest.mark.parametrize("name", shelf.NAMES)
def test_a_book_that_is_exported_and_imported_again_decides_the_same(name: str) -> None:
    book = shelf.book(name)
    back = again(book)
    assert nodes(routing.root(back)) == nodes(routing.root(book))
    assert back.inhibitions == book.inhibitions
    assert back.time_intervals == book.time_intervals
    assert back.receivers == book.receivers
    assert back.routing == book.routing
    text = alertmanager_out.write(book, url=URL).files["alertmanager.yml"]
    assert alertmanager_out.write(back, url=URL).files["alertmanager.yml"] == text


@pytest.mark.parametrize("name", shelf.NAMES)
@pytest.mark.parametrize("alone", [False, True])
def test_amtool_accepts_every_example_book(name: str, alone: bool, tmp_path: Path) -> None:
    assert "SUCCESS" in amtool("check-config", exported(shelf.book(name), tmp_path, alone=alone))


ODD = """
receivers:
  named: {to: [ops], only_firing: [ops], title: {ko: 이름, en: Name}}
  dev: {to: [dev, ops]}
routing:
  to: [ops]
  routes:
    - {match: {a: "1"}, to: [dev, ops], as: notify}
    - {match: {a: "2"}, receiver: dev, routes: [{match: {b: "1"}, as: incident}]}
    - {match: {a: "3"}, receiver: named, routes: [{match: {b: "1"}, as: incident}]}
    - {match: {a: "4"}, as: notify, group_by: [x], routes: [{matchers: ['b=""'], group_by: []}]}
    - {match: {a: "5"}, to: [dev], as: notify}
    - matchers: ['a="6"', 'a!~"7.*"', 'b=~"x\\"y\\n,{}"']
      group_by: ["..."]
      group_wait: 10s
"""


def test_the_odd_corners_of_a_books_routes_survive_the_way_and_back(tmp_path: Path) -> None:
    book = made(ODD)
    amtool("check-config", exported(book, tmp_path))
    back = again(book)
    assert nodes(routing.root(back)) == nodes(routing.root(book))
    assert back.receivers == book.receivers
    assert again(back).routing == back.routing
    for labels in every(a=("", "1", "2", "3", "4", "5", "6"), b=("", "1")):
        mine = [one.receiver for one in routing.root(book).taken_by(labels)]
        theirs = taken_by(tmp_path / "alertmanager.yml", labels)
        assert theirs == ",".join(mine).split(","), labels


def test_what_is_said_at_once_here_is_said_after_a_second_there(tmp_path: Path) -> None:
    route = yaml.safe_load(exported(made(ODD), tmp_path).read_text())["route"]
    assert route["group_by"] == ["..."]
    assert (route["group_wait"], route["group_interval"]) == ("0s", "1s")
    assert route["routes"][3]["group_wait"] == "30s"
    assert route["routes"][3]["routes"][0]["group_by"] == ["opsbook_all_in_one"]


HOURS = """
hours:
  duty: {open: "weekdays 22:00-06:00; Saturday 10:00-14:00"}
time_intervals:
  quarter: {title: Quarter, ranges: [{months: [march, 6], timezone: UTC}, {weekdays: [sunday]}]}
routing:
  to: [ops]
  routes: [{match: {a: "1"}, active: [duty, quarter]}, {match: {a: "2"}, mute: quarter}]
"""


def test_hours_become_an_interval_that_holds_at_the_same_times(tmp_path: Path) -> None:
    book = made(HOURS)
    text = alertmanager_out.write(book, url=URL).files["alertmanager.yml"]
    plain = "\n".join(line for line in text.splitlines() if "# opsbook:" not in line)
    (file,) = [
        one
        for name, one in alertmanager_in.read(plain, "am.yml", Known.of({})).files.items()
        if name == "routing.yaml"
    ]
    there = made_of(file)["time_intervals"]["duty"]
    here = routing.of_book(book).hours["duty"]
    also = routing.of_book(
        Book.model_construct(**{**dict(book), "hours": {}, "time_intervals": {"duty": there}})
    )
    start = datetime(2026, 3, 6, tzinfo=UTC)
    seen = set()
    for n in range(4 * 24 * 4):
        now = start + timedelta(minutes=15 * n)
        assert here(now) == also.hours["duty"](now), now
        seen.add(here(now))
    assert seen == {True, False}


def test_hours_come_back_as_hours_unless_somebody_has_changed_them() -> None:
    book = made(HOURS)
    text = alertmanager_out.write(book, url=URL).files["alertmanager.yml"]
    others = Known.of(
        {"people": PEOPLE["people"], "teams": PEOPLE["teams"], "timezone": "Asia/Seoul"}
    )
    back = yaml.safe_load(alertmanager_in.read(text, "am.yml", others).files["routing.yaml"])
    assert back["hours"] == {"duty": {"open": "weekdays 22:00-06:00; Saturday 10:00-14:00"}}
    moved = text.replace('"14:00"', '"15:00"')
    changed = alertmanager_in.read(moved, "am.yml", others)
    back = yaml.safe_load(changed.files["routing.yaml"])
    assert "hours" not in back
    assert back["time_intervals"]["duty"]["ranges"][-1]["times"] == ["10:00-15:00"]
    assert [one.level for one in changed.findings] == ["changed"]


CONTACTS = """
channels:
  mail: {title: Mail, to: "mailtos://alerts%40example.org:pw@mail.example.org:465/?to=all@example.org&mode=ssl"}
  chat: {title: Chat, to: {secret: "env:OPS_SLACK_URL"}}
  voice: {title: Voice, to: {secret: "file:/run/secrets/discord"}}
  group: {title: Group, to: "tgram://123456789:abcdefghijklmnopqrstuvwxyzABCDEFGHI/-100987/"}
  other: {title: Other, to: {secret: "env:SOMEWHERE"}}
webhooks:
  bot: {title: Bot, url: "https://bot.example.org/x", secret: "env:BOT", events: [alerts]}
intakes:
  back: {title: Back, kind: webhook, token: "env:BACK_TOKEN"}
routing:
  to: [mail, chat, voice, group, other, bot, dev]
  as: notify
  routes: [{match: {severity: P1}, as: incident}]
"""


def test_addresses_leave_as_the_integrations_they_belong_to(tmp_path: Path) -> None:
    book = made(CONTACTS)
    out = alertmanager_out.write(book, url=URL)
    file = exported(book, tmp_path)
    amtool("check-config", file)
    told, incident = yaml.safe_load(file.read_text())["receivers"]
    assert told["email_configs"] == [
        {
            "send_resolved": True, "to": "all@example.org", "from": "alerts@example.org",
            "smarthost": "mail.example.org:465", "require_tls": False,
            "auth_username": "alerts@example.org",
            "auth_password_file": "secrets/MAIL_EMAIL_PASSWORD",
        }
    ]  # fmt: skip
    assert told["slack_configs"] == [
        {"send_resolved": True, "api_url_file": "secrets/OPS_SLACK_URL"}
    ]
    assert told["discord_configs"][0]["webhook_url"].startswith("https://opsbook.invalid/set/")
    assert told["telegram_configs"][0]["chat_id"] == -100987
    assert "abcdefghijk" not in file.read_text()
    back = [one for one in told["webhook_configs"] if one["url"].startswith(URL)]
    assert len(back) == 2  # one for the secret nobody can tell the kind of, one for the person
    assert incident["webhook_configs"] == [back[0]]
    assert back[0]["http_config"] == {"authorization": {"credentials_file": "secrets/BACK_TOKEN"}}
    assert {one.name for one in out.settings} >= {"secrets/OPS_SLACK_URL", "secrets/BACK_TOKEN"}
    levels = {one.message.partition(":")[0]: one.level for one in out.findings}
    assert levels["webhooks.bot.secret"] == "missing"
    assert levels["channels.voice.to"] == "changed"


def fresh(book: Book, **how: Any) -> tuple[alertmanager_in.Imported, dict[str, Any]]:
    """A book's routing exported, and imported where there is nothing yet."""
    text = alertmanager_out.write(book, url=URL, **how).files["alertmanager.yml"]
    back = alertmanager_in.read(text, "am.yml", Known())
    return back, yaml.safe_load("".join(back.files.values()))


SECTIONS = (
    "routing", "receivers", "inhibitions", "time_intervals", "channels", "webhooks", "intakes",
)  # fmt: skip


def test_what_was_imported_is_the_same_after_an_export_into_a_fresh_folder() -> None:
    before = alertmanager_in.read(SAMPLE, "alertmanager.yml")
    book = made(*before.files.values())
    _, there = fresh(book)
    here = yaml.safe_load("".join(before.files.values()))
    for section in SECTIONS:
        assert there[section] == here[section], section
    names = {one.name for one in fresh(book)[0].settings}
    assert names == {one.name for one in before.settings}


EVERYTHING = """
channels:
  mail: {title: {ko: 메일, en: Mail}, to: "mailtos://mail.example.org:587/?to=a@example.org&from=b@example.org"}
  plain: {title: "Mail to c@example.org", to: {secret: "env:PLAIN_EMAIL"}}
  chat: {title: "Slack #alerts", description: Loud, to: {secret: "env:OPS_SLACK_URL"}, public: true}
  bot: {title: "Slack #bot", to: {secret: "file:/run/secrets/slack-token"}}
  other: {title: Other, to: {secret: "env:SOMEWHERE"}}
webhooks:
  basic:
    {title: Basic, url: "https://a.example.org/x", events: [run.waiting, alerts], secret: "env:SIGN",
     headers: {Authorization: "env:A_BASIC_AUTH", X-Team: shop}}
  bearer: {title: Bearer, url: {secret: "env:B_URL"}, events: [alerts], headers: {Authorization: "env:B_BEARER"}}
  here: {title: Here, url: "http://127.0.0.1:9/x", events: [alerts], loopback: true}
intakes:
  outside:
    {title: {ko: 바깥, en: Outside}, kind: alertmanager, token: "env:OUTSIDE", severity: P3,
     severities: {critical: P1, warning: P3}, labels: {team: shop}, resolve_after: 7m}
receivers:
  all: {to: [mail, plain, chat, bot, other, basic, bearer, here], only_firing: [mail, basic]}
  some: {title: {ko: 몇몇, en: Some}, to: [chat, plain]}
routing:
  receiver: all
  routes: [{match: {severity: P1}, receiver: some}]
"""  # noqa: E501


def test_mail_channels_of_slack_and_basic_auth_are_the_same_in_a_fresh_folder(
    tmp_path: Path,
) -> None:
    book = made(EVERYTHING)
    _, there = fresh(book)
    here = yaml.safe_load(EVERYTHING)
    assert {name: there[name] for name in SECTIONS if name in here} == {
        **{name: here[name] for name in SECTIONS if name in here},
        "routing": there["routing"],
    }
    book_again = made(yaml.safe_dump(there, allow_unicode=True))
    assert nodes(routing.root(book_again)) == nodes(routing.root(book))
    amtool("check-config", exported(book, tmp_path))
    amtool("check-config", exported(book, tmp_path, alone=True))


def test_an_export_says_what_alertmanager_wants_and_the_book_does_not_say() -> None:
    out = alertmanager_out.write(made(EVERYTHING), url=URL, alone=True)
    all_, some = yaml.safe_load(out.files["alertmanager.yml"])["receivers"]
    mail, plain = all_["email_configs"]
    assert (mail["to"], mail["smarthost"]) == ("a@example.org", "mail.example.org:587")
    assert plain["to"] == "c@example.org"
    assert plain["auth_password_file"] == "secrets/PLAIN_EMAIL"
    chat, bot = all_["slack_configs"]
    assert (chat["channel"], chat["api_url_file"]) == ("#alerts", "secrets/OPS_SLACK_URL")
    assert (bot["channel"], bot["api_url"]) == ("#bot", "https://slack.com/api/chat.postMessage")
    basic, bearer, _ = all_["webhook_configs"]
    assert basic["http_config"]["basic_auth"] == {
        "username": "set-this-A_BASIC_AUTH-user", "password_file": "secrets/A_BASIC_AUTH",
    }  # fmt: skip
    assert bearer["http_config"] == {"authorization": {"credentials_file": "secrets/B_BEARER"}}
    assert [one["channel"] for one in some["slack_configs"]] == ["#alerts"]
    told = "\n".join(map(str, out.findings))
    for words in (
        "channels.plain.to: the address is a secret, which from, auth_username and smarthost",
        "channels.chat.to: the channel #alerts is taken from its title",
        "webhooks.basic.headers.Authorization: Alertmanager wants the user name and the password",
        "webhooks.basic.headers: Alertmanager sends no header X-Team",
        "webhooks.basic.secret: Alertmanager signs no webhook",
        "channels.other: no integration of Alertmanager reaches it",
        "intakes.outside.severities: Alertmanager translates no severities, and routes ask for "
        "the book's (critical is P1, warning is P3)",
    ):
        assert words in told, words
    assert "webhooks.bearer.headers" not in told


def test_a_file_that_was_edited_since_is_believed_and_not_its_notes() -> None:
    text = alertmanager_out.write(made(EVERYTHING), url=URL).files["alertmanager.yml"]
    moved = text.replace("a.example.org/x", "a.example.org/y?key=hidden-in-it")
    moved = moved.replace("to: a@example.org", "to: z@example.org")
    back = alertmanager_in.read(moved, "am.yml", Known())
    assert "hidden-in-it" not in "".join(back.files.values())
    channels = yaml.safe_load(back.files["channels.yaml"])
    assert channels["webhooks"]["basic"]["url"] == {"secret": "env:ALL_WEBHOOK"}
    assert "to=z@example.org" in channels["channels"]["mail"]["to"]


def test_persons_and_teams_that_a_fresh_folder_does_not_have_are_named() -> None:
    book = made(CONTACTS, people={
        **PEOPLE["people"], "dev": {"name": "D", "contacts": ["mailto://mail.example.org/?to=d@x.org"]},
    })  # fmt: skip
    back, there = fresh(book)
    assert "dev" in there["channels"]
    told = "\n".join(map(str, back.findings))
    assert "'dev' was a person and is a channel of that name here" in told


def test_a_team_that_leaves_is_told_by_its_own_addresses_and_whom_none_reaches(
    tmp_path: Path,
) -> None:
    book = made(CONTACTS)
    out = alertmanager_out.write(book, url=URL, alone=True)
    assert URL not in out.files["alertmanager.yml"]
    missing = [one.message for one in out.findings if one.level == "missing"]
    assert any(one.startswith("people.dev:") for one in missing)
    assert any(one.startswith("channels.other:") for one in missing)


def test_what_is_added_by_hand_after_the_export_is_told_too() -> None:
    book = made(CONTACTS)
    text = alertmanager_out.write(book, url=URL).files["alertmanager.yml"]
    name = '  - name: "mail,chat,voice,group,other,bot,dev"\n'
    assert name in text
    more = "    pushover_configs:\n      - {user_key: a, token: b}\n"
    changed = f"{text.replace(name, name + more)}\n"
    hand = "receivers:\n  - name: by hand\n    slack_configs:\n      - api_url: https://a.b/c\n"
    changed = changed.replace("receivers:\n", hand)
    back = alertmanager_in.read(changed, "am.yml", known(book))
    read = yaml.safe_load(back.files["routing.yaml"])
    assert len(read["routing"]["to"]) == 8
    assert read["receivers"]["by-hand"]["to"] == ["by-hand-slack"]


@pytest.mark.parametrize("text", BROKEN)
def test_what_amtool_refuses_is_refused_with_its_place_and_what_to_do(
    text: str, tmp_path: Path
) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(text)
    refused("amtool", "check-config", file)
    with pytest.raises(NotReadable) as told:
        alertmanager_in.read(text, "am.yml")
    assert BROKEN[text] in str(told.value)
    assert all(one.line > 0 and one.file == "am.yml" for one in told.value.findings)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = """\
route:
  receiver: gone
  group_wait: soon
  routes:
    - {matchers: [x], receiver: a}
    - {mute_time_intervals: [nights], group_interval: 0s}
receivers:
  - name: a
  - name: a
"""
    with pytest.raises(NotReadable) as told:
        alertmanager_in.read(text, "am.yml")
    assert [one.line for one in told.value.findings] == [2, 3, 5, 6, 6, 9]


def test_anchors_and_merge_keys_are_taken_as_alertmanager_takes_them(tmp_path: Path) -> None:
    text = """\
route:
  receiver: a
  routes:
    - &first
      match: {a: "1", c: "1"}
      group_wait: 7s
      receiver: b
    - <<: *first
      match: {d: "1"}
    - &third
      matchers: [a="3"]
      receiver: b
    - <<: *third
      matchers: [b="3"]
      receiver: c
receivers: [{name: a}, {name: b}, {name: c}]
"""
    file = tmp_path / "alertmanager.yml"
    file.write_text(text)
    back = made(alertmanager_in.read(text, "am.yml").files["routing.yaml"])
    assert back.routing is not None
    assert back.routing.routes[1].group_wait == timedelta(seconds=7)
    after = exported(back, tmp_path)
    file = tmp_path / "before.yml"
    file.write_text(text)
    for labels in every(a=("1", "2", "3"), b=("", "3"), c=("", "1"), d=("", "1")):
        assert taken_by(after, labels) == taken_by(file, labels), labels


def test_a_book_that_routes_already_is_not_given_a_second_way() -> None:
    with pytest.raises(NotReadable, match="has routing: already"):
        alertmanager_in.read(SAMPLE, "am.yml", Known.of({"routing": {"to": ["ops"]}}))


def test_names_that_the_book_has_already_are_not_taken_twice() -> None:
    raw = {"channels": {"default-slack": {}}, "receivers": {"default": {}}, "people": {}}
    back = alertmanager_in.read(SAMPLE, "am.yml", Known.of(raw))
    assert "default-slack-2:" in back.files["channels.yaml"]
    assert yaml.safe_load(back.files["routing.yaml"])["routing"]["receiver"] == "default-2"
