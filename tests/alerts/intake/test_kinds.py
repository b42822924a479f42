"""What each sender says becomes an alert; the payloads have the senders' published shapes."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opsbook.alerts.intake.kind import UNTIL_TOLD
from tests.alerts.intake.gate import BOOK, NOW, SECRETS, TOKEN, Gate, firing, notification

AGES = NOW + UNTIL_TOLD


# ---- an Alertmanager ----------------------------------------------------------------------------


async def test_an_alertmanager_hands_in_what_it_tells_others(gate: Gate) -> None:
    answer = await gate.post("webhook", notification(firing()))
    assert (answer.status, answer.json) == (200, {"accepted": 1})
    made = await gate.one("webhook")
    assert made.labels == {"alertname": "HighLoad", "severity": "warning", "job": "node"}
    assert made.annotations == {"summary": "The load is high."}
    assert made.startsAt == datetime(2026, 3, 3, 8, 59, tzinfo=UTC)
    assert made.endsAt == AGES
    assert made.generatorURL == "http://prometheus.example.org/graph?g0.expr=load"
    assert made.key == ""


async def test_what_an_alertmanager_says_is_over_is_over(gate: Gate) -> None:
    over = firing(status="resolved", endsAt="2026-03-03T08:59:30Z")
    late = firing("Late", status="resolved", endsAt="2026-03-03T11:00:00Z")
    none = firing("None", status="resolved")
    await gate.post("webhook", notification(over, late, none, status="resolved"))
    ends = {one.labels["alertname"]: one.endsAt for one in await gate.stored()}
    assert ends == {"HighLoad": NOW - timedelta(seconds=30), "Late": NOW, "None": NOW}


async def test_a_book_that_says_when_an_alert_is_over_is_obeyed(gate: Gate) -> None:
    await gate.publish(BOOK.replace("title: Alertmanager,", "title: A, resolve_after: 10m,"))
    await gate.post("webhook", notification(firing()))
    assert (await gate.one()).endsAt is None


@pytest.mark.parametrize("version", ["4", "5", "12"])
async def test_later_versions_and_unknown_fields_are_read(gate: Gate, version: str) -> None:
    about = notification(firing(mood="bad"), version=version, weather={"rain": [1, 2, {}]})
    assert (await gate.post("webhook", about)).status == 200


@pytest.mark.parametrize("version", ["3", "", "four", "-4"])
async def test_an_older_form_is_refused_by_its_version(gate: Gate, version: str) -> None:
    answer = await gate.post("webhook", notification(firing(), version=version))
    assert answer.status == 400
    assert f"The version is {version!r}" in answer.json["detail"]


async def test_alerts_that_the_sender_left_out_are_noted_at_the_door(gate: Gate) -> None:
    await gate.post("webhook", notification(firing(), truncatedAlerts=7))
    status = await gate.status("webhook")
    assert (status.accepted, status.refused) == (1, 0)
    assert status.error == "the sender left out 7 alerts of one notification"


@pytest.mark.parametrize("door", ["webhook", "grafana"])
@pytest.mark.parametrize("said", ["frring", "", "Firing", "pending"])
async def test_a_status_that_is_none_is_refused_and_takes_no_other_with_it(
    gate: Gate, door: str, said: str
) -> None:
    """Taken for firing it would page for what may be over, and stay for a year."""
    answer = await gate.post(door, notification(firing("A"), firing("B", status=said)))
    assert answer.status == 400
    told = f"its status is {said!r}; send firing or resolved"
    assert answer.json["problems"] == [{"name": "alerts[1]", "message": told}]
    assert (await gate.status(door)).error == f"alerts[1]: {told}"
    assert (await gate.one(door)).labels["alertname"] == "A"


# ---- Grafana ------------------------------------------------------------------------------------


def grafana(**more: Any) -> dict[str, Any]:
    alert = {
        "status": "firing",
        "labels": {"alertname": "Disk fills", "grafana_folder": "Ops", "host name": "db-1"},
        "annotations": {"summary": "90 % are used"},
        "startsAt": "2026-03-03T08:58:10.123456789+09:00", "endsAt": "0001-01-01T00:00:00Z",
        "values": {"B": 91.5, "C": 1}, "valueString": "[ var='B' value=91.5 ]",
        "generatorURL": "https://grafana.example.org/alerting/grafana/abc/view",
        "fingerprint": "c6eadffa33fcdf37", "imageURL": "",
        "silenceURL": "https://grafana.example.org/alerting/silence/new?matcher=x",
        "dashboardURL": "https://grafana.example.org/d/abc",
        "panelURL": "https://grafana.example.org/d/abc?viewPanel=2", **more,
    }  # fmt: skip
    return {
        "receiver": "opsbook", "status": "firing", "orgId": 1, "alerts": [alert],
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
        "externalURL": "https://grafana.example.org/", "version": "1", "groupKey": "{}:{}",
        "truncatedAlerts": 0, "title": "[FIRING:1]", "state": "alerting", "message": "**Firing**",
    }  # fmt: skip


async def test_grafana_hands_in_alerts_with_their_values_and_addresses(gate: Gate) -> None:
    assert (await gate.post("grafana", grafana())).status == 200
    made = await gate.one()
    assert made.labels == {"alertname": "Disk fills", "grafana_folder": "Ops", "host_name": "db-1"}
    assert made.annotations == {
        "summary": "90 % are used", "values": "B=91.5, C=1",
        "panelURL": "https://grafana.example.org/d/abc?viewPanel=2",
        "dashboardURL": "https://grafana.example.org/d/abc",
        "silenceURL": "https://grafana.example.org/alerting/silence/new?matcher=x",
    }  # fmt: skip
    assert made.startsAt == datetime(2026, 3, 2, 23, 58, 10, 123457, UTC)
    assert made.generatorURL.endswith("/abc/view")


async def test_grafana_says_what_is_over(gate: Gate) -> None:
    await gate.post(
        "grafana", grafana(status="resolved", endsAt="2026-03-03T08:59:00Z", values=None)
    )
    made = await gate.one()
    assert made.endsAt == NOW - timedelta(minutes=1)
    assert made.annotations["values"] == "[ var='B' value=91.5 ]"


async def test_the_alerting_that_grafana_had_before_is_told_what_to_change(gate: Gate) -> None:
    old = {"title": "[Alerting] Load", "ruleId": 1, "ruleName": "Load", "state": "alerting"}
    answer = await gate.post("grafana", old)
    assert answer.status == 400
    assert answer.json["detail"] == "This is what Grafana sent before version 9."
    assert "unified alerting" in answer.json["remedy"]


# ---- Sentry -------------------------------------------------------------------------------------


def event(**more: Any) -> dict[str, Any]:
    return {
        "action": "triggered", "actor": {"id": "sentry", "name": "Sentry", "type": "application"},
        "installation": {"uuid": "a8e5d37a-696c-4c54-adb5-b3f28d64c7de"},
        "data": {
            "triggered_rule": "Checkout errors",
            "event": {
                "event_id": "fe628bfa48064c9b97ce7e75a19e6197", "project": 5,
                "issue_id": "1117540176", "level": "error", "culprit": "pay(checkout)",
                "title": "KeyError: 'price'", "platform": "python", "environment": "production",
                "web_url": "https://sentry.example.org/organizations/shop/issues/1117540176/",
                "issue_url": "https://sentry.example.org/api/0/issues/1117540176/",
                "tags": [["level", "error"]], "datetime": "2026-03-03T08:59:58.000000Z", **more,
            },
        },
    }  # fmt: skip


def metric(action: str = "critical", **more: Any) -> dict[str, Any]:
    return {
        "action": action,
        "data": {
            "description_title": f"{action.title()}: Too many errors",
            "description_text": "1000 events in the last 10 minutes",
            "web_url": "https://sentry.example.org/organizations/shop/alerts/rules/details/7/",
            "metric_alert": {
                "id": "4", "identifier": "1", "organization_id": "5", "projects": ["payments"],
                "date_started": "2026-03-03T08:50:00.000000Z", "date_closed": None, "status": 20,
                "alert_rule": {
                    "id": "7", "name": "Too many errors", "aggregate": "count()",
                    "query": "level:error", "environment": None, "status": 0,
                }, **more,
            },
        },
    }  # fmt: skip


async def sentry(
    gate: Gate, resource: str, about: Any, signature: str = "", secret: str = ""
) -> Any:
    body = json.dumps(about).encode()
    secret = secret or SECRETS["SENTRY_SECRET"]
    signed = signature or hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"Sentry-Hook-Resource": resource, "Sentry-Hook-Signature": signed}
    return await gate.post("sentry", body, token="", headers=headers)


async def test_sentry_tells_of_an_issue(gate: Gate) -> None:
    assert (await sentry(gate, "event_alert", event())).status == 200
    made = await gate.one()
    assert made.labels == {
        "alertname": "Checkout errors", "severity": "error", "issue": "1117540176", "project": "5",
        "environment": "production", "platform": "python",
    }  # fmt: skip
    assert made.annotations["summary"] == "KeyError: 'price'"
    assert made.generatorURL.endswith("/organizations/shop/issues/1117540176/")
    assert (made.startsAt, made.endsAt) == (NOW, None)


async def test_sentry_says_of_a_metric_that_it_is_over_and_it_is_the_same_alert(gate: Gate) -> None:
    for action in ("warning", "critical", "resolved"):
        assert (await sentry(gate, "metric_alert", metric(action))).status == 200
    made = await gate.stored()
    assert [one.labels.get("severity") for one in made] == ["warning", "critical", None]
    assert [one.endsAt for one in made] == [AGES, AGES, NOW]
    assert {one.key for one in made} == {"metric 1"}
    assert made[0].startsAt == NOW - timedelta(minutes=10)
    assert made[0].labels["project"] == "payments"


@pytest.mark.parametrize("signature", ["0" * 64, "nonsense", "\xe9"])
async def test_a_signature_that_does_not_fit_is_as_good_as_none(gate: Gate, signature: str) -> None:
    answer = await sentry(gate, "event_alert", event(), signature)
    other = await gate.post("nothing-there", event())
    assert answer == other
    assert answer.status == 401
    assert await gate.rows() == []


async def test_what_is_signed_with_another_secret_or_says_something_else_is_refused(
    gate: Gate,
) -> None:
    assert (await sentry(gate, "event_alert", event(), secret="another")).status == 401
    body = json.dumps(event()).encode()
    good = hmac.new(SECRETS["SENTRY_SECRET"].encode(), body, hashlib.sha256).hexdigest()
    assert (await sentry(gate, "event_alert", event(level="fatal"), good)).status == 401
    assert (await gate.status("sentry")).refused == 2


@pytest.mark.parametrize("resource", ["issue", "installation", "comment", "error"])
async def test_what_else_sentry_tells_is_no_alert(gate: Gate, resource: str) -> None:
    answer = await sentry(gate, resource, {"action": "created", "data": {"issue": {}}})
    assert (answer.status, answer.json) == (200, {"accepted": 0})
    assert (await gate.status("sentry")).error == f"{resource} is no alert, and was not taken"


# ---- New Relic ----------------------------------------------------------------------------------


def issue(**more: Any) -> dict[str, Any]:
    about = {
        "id": "b6a1c8d2-e3f4-4516-9a7b-0c1d2e3f4a5b", "priority": "CRITICAL", "state": "ACTIVATED",
        "issueUrl": "https://radar-api.example.org/accounts/1/issues/0ea2df1c",
        "title": ["Checkout query took too long"], "trigger": "STATE_CHANGE",
        "impactedEntities": ["checkout", "cart"], "totalIncidents": 1, "isCorrelated": False,
        "createdAt": 1772528340000, "updatedAt": 1772528370000, "sources": ["newrelic"],
        "alertPolicyNames": ["Shop"], "alertConditionNames": ["Slow queries"],
        "workflowName": "To Opsbook",
    }  # fmt: skip
    return {**about, **more}


async def test_new_relic_tells_of_an_issue_and_of_its_end(gate: Gate) -> None:
    await gate.post("newrelic", issue())
    await gate.post("newrelic", issue(state="CLOSED", priority="HIGH", title="Over"))
    begun, over = await gate.stored()
    assert begun.labels == {
        "alertname": "Slow queries", "severity": "critical", "policy": "Shop", "entity": "checkout",
        "issue": "b6a1c8d2-e3f4-4516-9a7b-0c1d2e3f4a5b",
    }  # fmt: skip
    assert begun.annotations["summary"] == "Checkout query took too long"
    assert begun.annotations["description"] == "checkout, cart"
    assert begun.startsAt == NOW - timedelta(minutes=1)
    assert (begun.endsAt, over.endsAt) == (AGES, NOW - timedelta(seconds=30))
    assert begun.key == over.key


async def test_new_relics_earlier_payload_is_read(gate: Gate) -> None:
    about = {
        "account_id": 1, "account_name": "shop", "condition_id": 5, "condition_name": "CPU",
        "current_state": "open", "details": "CPU > 90 % for 5 minutes", "event_type": "INCIDENT",
        "incident_id": 1234, "incident_url": "https://alerts.example.org/incidents/1234",
        "policy_name": "Hosts", "severity": "WARNING", "timestamp": 1772528340000,
        "targets": [{"id": "1", "name": "db-1", "type": "Host", "labels": {}}],
    }  # fmt: skip
    await gate.post("newrelic", about)
    await gate.post("newrelic", {**about, "current_state": "closed"})
    begun, over = await gate.stored()
    assert begun.labels == {
        "alertname": "CPU", "severity": "warning", "policy": "Hosts", "entity": "db-1",
        "account": "1", "incident": "1234",
    }  # fmt: skip
    assert begun.key == over.key == "newrelic 1234"
    assert (over.startsAt, over.endsAt) == (None, NOW - timedelta(minutes=1))


@pytest.mark.parametrize("about", [{}, {"state": "upside down"}, {"state": ["CLOSED"]}])
async def test_what_does_not_say_whether_it_is_open_is_refused(gate: Gate, about: Any) -> None:
    assert (await gate.post("newrelic", about)).status == 400


# ---- PagerDuty ----------------------------------------------------------------------------------


def trigger(**more: Any) -> dict[str, Any]:
    about = {
        "routing_key": TOKEN, "event_action": "trigger", "dedup_key": "srv01/HTTP",
        "payload": {
            "summary": "HTTP does not answer on srv01", "source": "srv01", "severity": "critical",
            "timestamp": "2026-03-03T08:59:30.000+0000", "component": "nginx", "group": "web",
            "class": "availability", "custom_details": {"free": 3, "why": {"code": 502}},
        },
        "links": [{"href": "https://wiki.example.org/http", "text": "What to do"}], "images": [],
        "client": "Watcher", "client_url": "https://watcher.example.org/1",
    }  # fmt: skip
    return {**about, **more}


@pytest.mark.parametrize("path", ["pagerduty", "pagerduty/v2/enqueue"])
async def test_a_program_that_speaks_to_pagerduty_is_answered_as_pagerduty_does(
    gate: Gate, path: str
) -> None:
    answer = await gate.post(path, trigger(), token="")
    assert answer.status == 202
    said = {"status": "success", "message": "Event processed", "dedup_key": "srv01/HTTP"}
    assert answer.json == said
    made = await gate.one()
    assert made.labels == {
        "alertname": "availability", "dedup_key": "srv01/HTTP", "source": "srv01",
        "severity": "critical", "component": "nginx", "group": "web", "class": "availability",
    }  # fmt: skip
    assert made.annotations == {
        "summary": "HTTP does not answer on srv01", "free": "3", "why": '{"code":502}',
        "client": "Watcher",
    }  # fmt: skip
    assert made.generatorURL == "https://watcher.example.org/1"
    assert (made.startsAt, made.endsAt) == (NOW - timedelta(seconds=30), AGES)
    assert made.key == "srv01/HTTP"


async def test_an_event_that_ends_needs_nothing_but_the_key(gate: Gate) -> None:
    over = {"routing_key": TOKEN, "event_action": "resolve", "dedup_key": "srv01/HTTP"}
    assert (await gate.post("pagerduty", over, token="")).status == 202
    made = await gate.one()
    assert (made.key, made.endsAt) == ("srv01/HTTP", NOW)


async def test_an_event_without_a_key_gets_one_of_ours(gate: Gate) -> None:
    first = await gate.post("pagerduty", trigger(dedup_key=None), token="")
    second = await gate.post("pagerduty", trigger(dedup_key=""), token="")
    assert len({first.json["dedup_key"], second.json["dedup_key"]}) == 2
    assert [one.key for one in await gate.stored()] == [
        first.json["dedup_key"], second.json["dedup_key"]
    ]  # fmt: skip


async def test_who_acknowledges_elsewhere_has_not_done_so_here(gate: Gate) -> None:
    about = {"routing_key": TOKEN, "event_action": "acknowledge", "dedup_key": "srv01/HTTP"}
    assert (await gate.post("pagerduty", about, token="")).status == 202
    assert await gate.rows() == []


@pytest.mark.parametrize(
    ("about", "told"),
    [
        (trigger(payload={"source": "srv01"}), "payload.summary, payload.severity"),
        (trigger(payload=None), "payload.summary, payload.source, payload.severity"),
        (trigger(event_action="resolve", dedup_key=None), "needs a dedup_key"),
        (trigger(event_action="explode"), "event_action"),
        (trigger(dedup_key="x" * 256), "longer than 255"),
    ],
)
async def test_an_event_that_is_wrong_is_refused_in_pagerdutys_form(
    gate: Gate, about: Any, told: str
) -> None:
    answer = await gate.post("pagerduty", about, token="")
    assert answer.status == 400
    assert answer.json["status"] == "invalid event"
    assert told in answer.json["errors"][0]


async def test_all_that_is_wrong_with_an_event_is_told_at_once(gate: Gate) -> None:
    about = trigger(
        event_action="explode", dedup_key="x" * 256, payload={"source": 1}, client_url=7
    )
    answer = await gate.post("pagerduty", about, token="")
    assert answer.json["errors"] == [
        "event_action is 'explode' (write trigger, acknowledge or resolve)",
        "dedup_key is longer than 255 characters; shorten it",
    ]
    about = trigger(dedup_key="x" * 256, payload={"source": "a"})
    assert (await gate.post("pagerduty", about, token="")).json["errors"] == [
        "dedup_key is longer than 255 characters; shorten it",
        "an event that is to trigger needs payload.summary, payload.severity; send them",
    ]
    assert TOKEN not in json.dumps((await gate.status("pagerduty")).error)


@pytest.mark.parametrize("key", ["", "wrong", 5, None])
async def test_another_routing_key_opens_nothing(gate: Gate, key: Any) -> None:
    answer = await gate.post("pagerduty", trigger(routing_key=key), token="")
    assert answer == await gate.post("nothing-there", trigger(), token="")
    assert answer.status == 401


# ---- any JSON -----------------------------------------------------------------------------------


def mapped(**more: Any) -> dict[str, Any]:
    about = {
        "what": {"name": "Queue grows"}, "state": "bad", "level": "Fatal", "text": "12,000 wait",
        "since": 1772528340, "until": None, "url": "https://mq.example.org/q/1",
        "where": [{"host": "mq-1"}, {"host": "mq-2"}], "zone": 3, "ignored": {},
    }  # fmt: skip
    return {**about, **more}


async def test_any_json_is_read_as_the_book_says(gate: Gate) -> None:
    answer = await gate.post("json", {"alerts": [mapped()], "more": 1})
    assert (answer.status, answer.json) == (200, {"accepted": 1})
    made = await gate.one()
    assert made.labels == {
        "alertname": "Queue grows", "host": "mq-1", "zone": "3", "severity": "Fatal"
    }  # fmt: skip
    assert made.annotations == {"summary": "12,000 wait"}
    assert made.startsAt == NOW - timedelta(minutes=1)
    assert made.generatorURL == "https://mq.example.org/q/1"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(3, "3"), (91.5, "91.5"), (12.0, "12"), (1772528340.25, "1772528340.25"), (True, "true")],
)  # fmt: skip
async def test_a_number_becomes_the_text_that_people_would_write(
    gate: Gate, value: Any, wanted: str
) -> None:
    await gate.post("json", {"alerts": [mapped(zone=value)]})
    assert (await gate.one()).labels["zone"] == wanted


async def test_an_alert_that_gets_worse_or_ends_is_the_same_one(gate: Gate) -> None:
    worse, over = mapped(level="bad"), mapped(state="Resolved", until=1772528399, level=None)
    other = mapped(where=[{"host": "mq-9"}])
    await gate.post("json", {"alerts": [mapped()]})
    await gate.post("json", {"alerts": [worse]})
    await gate.post("json", {"alerts": [over, other]})
    first, second, third, fourth = await gate.stored()
    assert first.key == second.key == third.key != fourth.key
    assert third.endsAt == NOW - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("since", "wanted"),
    [
        ("2026-03-03T08:00:00+09:00", datetime(2026, 3, 2, 23, 0, tzinfo=UTC)),
        ("2026-03-03T08:00:00", datetime(2026, 3, 3, 8, 0, tzinfo=UTC)),
        (1772528340000, NOW - timedelta(minutes=1)),
        ("1772528340", NOW - timedelta(minutes=1)),
        (1772528340.5, NOW - timedelta(seconds=59.5)),
        ("yesterday", None), (True, None), ([], None), (10**40, None), (-(10**14), None),
    ],
)  # fmt: skip
async def test_times_are_read_in_the_forms_that_senders_have(
    gate: Gate, since: Any, wanted: datetime | None
) -> None:
    await gate.post("json", {"alerts": [mapped(since=since)]})
    assert (await gate.one()).startsAt == wanted


async def test_of_a_list_with_mistakes_the_good_ones_are_taken_and_the_bad_ones_named(
    gate: Gate,
) -> None:
    about = {"alerts": [mapped(), {"what": {}}, 7, mapped(zone="4")]}
    answer = await gate.post("json", about)
    assert answer.status == 400
    assert answer.json["detail"] == "2 of 4 alerts cannot be taken; the others were."
    told = (
        "at what.name there is no name; send one, or let name: under fields in the book say where "
        "it is"
    )
    assert answer.json["problems"] == [
        {"name": "alerts[1]", "message": told}, {"name": "alerts[2]", "message": told}
    ]  # fmt: skip
    assert answer.json["accepted"] == 2
    assert len(await gate.stored()) == 2
    status = await gate.status("json")
    assert (status.accepted, status.refused) == (2, 2)
    assert status.error == f"alerts[1]: {told}; alerts[2]: {told}"


@pytest.mark.parametrize("about", [{"alerts": {}}, {"other": []}, [], 7])
async def test_where_no_list_is_it_is_said(gate: Gate, about: Any) -> None:
    answer = await gate.post("json", about)
    assert answer.status == 400
    assert answer.json["detail"] == "At alerts there is no list of alerts."


async def test_a_word_that_nobody_knows_fires(gate: Gate) -> None:
    """An alert too many is better than one too few, unless the book says which words there are."""
    assert (await gate.post("json", {"alerts": [mapped(state="weird")]})).status == 200
    assert (await gate.one("json")).endsAt == AGES


async def test_a_book_says_which_words_mean_that_an_alert_fires(gate: Gate) -> None:
    text = "status: state\n      firing: [weird]"
    await gate.publish(BOOK.replace("status: state", text, 1))
    answer = await gate.post("json", {"alerts": [mapped(state="open"), mapped(state=None)]})
    (problem,) = answer.json["problems"]
    assert problem["name"] == "alerts[0]"
    assert problem["message"].startswith("its status, at state, is 'open'; send one")
    assert "firing: or resolved:" in problem["message"]
    assert (await gate.post("json", {"alerts": [mapped(state="Weird")]})).status == 200


async def test_an_alertmanagers_interface_has_no_form_here(gate: Gate) -> None:
    answer = await gate.post("prometheus", [])
    assert answer.status == 400
    assert "path_prefix" in answer.json["remedy"]
    for rest in ("api/v2/alerts", "-/ready"):
        assert (await gate.ask("GET", f"/in/shop/prometheus/{rest}")).body == b"the rest"
