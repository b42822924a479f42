"""SNS: whose signature counts, which topics, and what a certificate that cannot be had does."""

import asyncio
import base64
import functools
import json
import socket
import threading
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from opsbook.alerts.intake.doors import Doors
from opsbook.alerts.intake.kind import UNTIL_TOLD, Later
from opsbook.base.database import Database
from tests.alerts.intake.gate import NOW, TOKEN, TOPIC, Answer, Gate, opened

CERTIFICATE = "https://sns.ap-northeast-2.amazonaws.com/SimpleNotificationService-0a1b2c3d.pem"
ARN = "arn:aws:cloudwatch:ap-northeast-2:123456789012:alarm:CPU of db-1"


@functools.cache
def key_pair() -> tuple[rsa.RSAPrivateKey, bytes]:
    """A key, and a certificate that SNS could have."""
    return certified(NOW - timedelta(days=30), NOW + timedelta(days=300))


def certified(begins: datetime, ends: datetime) -> tuple[rsa.RSAPrivateKey, bytes]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
        .not_valid_before(begins).not_valid_after(ends).sign(key, hashes.SHA256())
    )  # fmt: skip
    return key, made.public_bytes(serialization.Encoding.PEM)


class Amazon:
    """What stands at SNS's addresses, and who asked for it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.there: dict[str, bytes | Exception] = {CERTIFICATE: key_pair()[1]}

    async def fetch(self, address: str) -> bytes:
        self.asked.append(address)
        await asyncio.sleep(0)
        found = self.there.get(address, Later("It was answered with 404."))
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture
def amazon() -> Amazon:
    return Amazon()


@pytest.fixture
async def gate(sqlite_database: Database, amazon: Amazon) -> AsyncIterator[Gate]:
    one = await opened(sqlite_database, fetch=amazon.fetch)
    yield one
    await one.doors.close()


def alarm(state: str = "ALARM", **more: Any) -> dict[str, Any]:
    return {
        "AlarmName": "CPU of db-1", "AlarmDescription": "The database is busy.",
        "AWSAccountId": "123456789012", "NewStateValue": state, "OldStateValue": "OK",
        "NewStateReason": "Threshold Crossed: 1 datapoint [97.1] was greater than 90.0.",
        "StateChangeTime": "2026-03-03T08:58:00.000+0000", "Region": "Asia Pacific (Seoul)",
        "AlarmArn": ARN, "OKActions": [], "AlarmActions": [TOPIC], "InsufficientDataActions": [],
        "Trigger": {
            "MetricName": "CPUUtilization", "Namespace": "AWS/RDS", "Statistic": "AVERAGE",
            "Dimensions": [{"name": "DBInstanceIdentifier", "value": "db-1"}], "Period": 60,
            "Threshold": 90.0,
        }, **more,
    }  # fmt: skip


def message(
    said: Any, version: str = "2", key: rsa.RSAPrivateKey | None = None, **more: Any
) -> Any:
    """A signed message of SNS."""
    about = {
        "Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC, "Subject": 'ALARM: "CPU of db-1" in Asia Pacific (Seoul)',
        "Message": said if isinstance(said, str) else json.dumps(said),
        "Timestamp": "2026-03-03T08:58:01.000Z", "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE,
        "UnsubscribeURL": "https://sns.ap-northeast-2.amazonaws.com/?Action=Unsubscribe", **more,
    }  # fmt: skip
    about = {name: value for name, value in about.items() if value is not None}
    if "Signature" not in about:
        about["Signature"] = signature(about, version, key or key_pair()[0])
    return about


def signature(about: dict[str, Any], version: str, key: rsa.RSAPrivateKey) -> str:
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn"]
    told = "".join(f"{name}\n{about[name]}\n" for name in [*names, "Type"] if name in about)
    method = hashes.SHA1() if version == "1" else hashes.SHA256()
    return base64.b64encode(key.sign(told.encode(), padding.PKCS1v15(), method)).decode()


def confirmation(**more: Any) -> Any:
    asks = f"https://sns.ap-northeast-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}"
    about = {
        "Type": "SubscriptionConfirmation", "Subject": None, "Token": "2336412f37",
        "SubscribeURL": f"{asks}&Token=2336412f37", **more,
    }  # fmt: skip
    return message("You have chosen to subscribe to the topic.", **about)


async def post(gate: Gate, about: Any) -> Answer:
    """As SNS does: as plain text, with a name and a password out of the address."""
    pair = base64.b64encode(f"sns:{TOKEN}".encode()).decode()
    headers = {
        "Content-Type": "text/plain; charset=UTF-8", "Authorization": f"Basic {pair}",
        "x-amz-sns-message-type": about.get("Type", ""),
    }  # fmt: skip
    return await gate.ask("POST", "/in/shop/cloudwatch", json.dumps(about).encode(), headers)


# ---- alarms -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1", "2"])
async def test_an_alarm_with_a_signature_that_fits_becomes_an_alert(
    gate: Gate, amazon: Amazon, version: str
) -> None:
    answer = await post(gate, message(alarm(), version))
    assert (answer.status, answer.json) == (200, {"accepted": 1})
    made = await gate.one()
    assert made.labels == {
        "dimension_DBInstanceIdentifier": "db-1", "alertname": "CPU of db-1",
        "account": "123456789012", "region": "ap-northeast-2", "namespace": "AWS/RDS",
        "metric": "CPUUtilization",
    }  # fmt: skip
    assert made.annotations["summary"] == "The database is busy."
    assert made.annotations["description"].startswith("Threshold Crossed")
    assert (made.startsAt, made.endsAt) == (NOW - timedelta(minutes=2), NOW + UNTIL_TOLD)
    assert made.key == ARN
    assert made.generatorURL == (
        "https://ap-northeast-2.console.aws.amazon.com/cloudwatch/home?region=ap-northeast-2"
        "#alarmsV2:alarm/CPU%20of%20db-1"
    )
    assert amazon.asked == [CERTIFICATE]


async def test_the_end_of_an_alarm_ends_the_alert_and_missing_data_does_not(gate: Gate) -> None:
    for n, state in enumerate(("ALARM", "INSUFFICIENT_DATA", "OK")):
        assert (await post(gate, message(alarm(state), MessageId=f"m{n}"))).status == 200
    begun, over = await gate.stored()
    assert begun.key == over.key
    assert begun.labels == over.labels
    assert (over.startsAt, over.endsAt) == (None, NOW - timedelta(minutes=2))


async def test_an_event_of_eventbridge_says_the_same(gate: Gate) -> None:
    said = {
        "version": "0", "source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change",
        "account": "123456789012", "region": "ap-northeast-2", "resources": [ARN],
        "detail": {
            "alarmName": "CPU of db-1", "previousState": {"value": "OK"},
            "state": {
                "value": "ALARM", "reason": "Threshold Crossed",
                "timestamp": "2026-03-03T08:58:00.000+0000",
            },
        },
    }  # fmt: skip
    assert (await post(gate, message(said, Subject=None))).status == 200
    made = await gate.one()
    assert (made.key, made.labels["alertname"]) == (ARN, "CPU of db-1")


@pytest.mark.parametrize("said", ["The printer is on fire.", "[1]", {"AlarmName": "x"}, {}])
async def test_what_is_no_alarm_is_refused(gate: Gate, said: Any) -> None:
    answer = await post(gate, message(said))
    assert answer.status == 400
    assert "not about an alarm" in answer.json["detail"]


# ---- who may say so -----------------------------------------------------------------------------


async def refused(gate: Gate, about: Any, why: str) -> None:
    """It is refused as if nothing were there, and the door's page says why."""
    answer = await post(gate, about)
    pair = base64.b64encode(f"sns:{TOKEN}".encode()).decode()
    nothing = await gate.ask(
        "POST", "/in/shop/nothing", b"{}", {"Authorization": f"Basic {pair}"}
    )  # fmt: skip
    assert answer == nothing
    assert answer.status == 401
    assert await gate.rows() == []
    assert why in (await gate.status("cloudwatch")).error


async def test_a_word_that_was_changed_no_longer_fits(gate: Gate) -> None:
    about = message(alarm())
    await refused(gate, {**about, "Message": json.dumps(alarm("OK"))}, "does not fit")
    await refused(gate, {**about, "Subject": "Nothing to see"}, "does not fit")
    await refused(gate, {**about, "Signature": "AAAA"}, "does not fit")
    await refused(gate, {**about, "Signature": "no base64 at all"}, "does not fit")
    await refused(gate, {**about, "SignatureVersion": "3"}, "version that is not known: '3'")


async def test_somebody_elses_key_does_not_fit(gate: Gate) -> None:
    other, _ = certified(NOW, NOW + timedelta(days=1))
    await refused(gate, message(alarm(), key=other), "does not fit")


@pytest.mark.parametrize(
    "address",
    [
        "http://sns.ap-northeast-2.amazonaws.com/SimpleNotificationService-0a.pem",
        "https://sns.ap-northeast-2.amazonaws.com.evil.example/SimpleNotificationService-0a.pem",
        "https://evil.example/SimpleNotificationService-0a.pem",
        "https://sns.x.amazonaws.com@evil.example/SimpleNotificationService-0a.pem",
        "https://sns.x.amazonaws.com:8443/SimpleNotificationService-0a.pem",
        "https://sns.x.amazonaws.com/other.pem",
        "https://sns.x.amazonaws.com/a/../SimpleNotificationService-0a.pem",
        "https://sns.x.amazonaws.com/SimpleNotificationService-0a.pem?x=1",
        "https://s3.amazonaws.com/bucket/SimpleNotificationService-0a.pem",
        "https://[", "file:///etc/passwd", "",
    ],
)  # fmt: skip
async def test_a_certificate_from_anywhere_else_is_not_even_asked_for(
    gate: Gate, amazon: Amazon, address: str
) -> None:
    await refused(gate, message(alarm(), SigningCertURL=address), "no address of a certificate")
    assert amazon.asked == []


async def test_a_topic_that_is_not_listed_is_nobodys(gate: Gate, amazon: Amazon) -> None:
    await refused(gate, message(alarm(), TopicArn=f"{TOPIC}-of-others"), "is not one that is taken")
    assert amazon.asked == []


async def test_a_certificate_that_has_expired_is_worth_nothing(gate: Gate, amazon: Amazon) -> None:
    key, old = certified(NOW - timedelta(days=9), NOW - timedelta(days=1))
    amazon.there[CERTIFICATE] = old
    await refused(gate, message(alarm(), key=key), "not valid now")


async def test_without_the_token_a_good_signature_is_not_enough(gate: Gate) -> None:
    answer = await gate.post("cloudwatch", message(alarm()), token="")
    assert answer.status == 401
    assert b'Basic realm="Opsbook"' in str(answer.headers).encode()


# ---- again, too late, too early -----------------------------------------------------------------


async def test_the_same_message_again_is_answered_and_does_nothing(gate: Gate) -> None:
    about = message(alarm())
    assert (await post(gate, about)).json == {"accepted": 1}
    assert (await post(gate, about)).json == {"accepted": 0}
    assert len(await gate.stored()) == 1


@pytest.mark.parametrize("at", ["2026-03-03T00:59:59Z", "2026-03-03T09:16:00Z", "noon"])
async def test_what_is_too_old_or_from_the_future_is_refused(
    gate: Gate, amazon: Amazon, at: str
) -> None:
    answer = await post(gate, message(alarm(), Timestamp=at))
    assert answer.status == 400
    assert amazon.asked == []


async def test_what_was_sent_again_for_hours_during_an_outage_is_taken(gate: Gate) -> None:
    assert (await post(gate, message(alarm(), Timestamp="2026-03-03T03:00:00Z"))).status == 200


# ---- subscriptions ------------------------------------------------------------------------------


async def test_a_subscription_of_a_listed_topic_is_confirmed(gate: Gate, amazon: Amazon) -> None:
    about = confirmation()
    amazon.there[about["SubscribeURL"]] = b"<ConfirmSubscriptionResponse/>"
    answer = await post(gate, about)
    assert (answer.status, answer.json) == (200, {"accepted": 0})
    assert amazon.asked == [CERTIFICATE, about["SubscribeURL"]]
    status = await gate.status("cloudwatch")
    assert (status.refused, status.error) == (0, f"the subscription to {TOPIC} was confirmed")


async def test_a_confirmation_that_fails_is_asked_for_again(gate: Gate) -> None:
    answer = await post(gate, confirmation())
    assert answer.status == 503
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    "address",
    [
        f"https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}",
        f"https://evil.example/?Action=ConfirmSubscription&TopicArn={TOPIC}",
        f"http://sns.ap-northeast-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}",
        f"https://sns.ap-northeast-2.amazonaws.com/?Action=DeleteTopic&TopicArn={TOPIC}",
        "https://sns.ap-northeast-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn=other",
        "",
    ],
)
async def test_no_other_address_is_gone_to(gate: Gate, amazon: Amazon, address: str) -> None:
    amazon.there[address] = b""
    await refused(gate, confirmation(SubscribeURL=address), "not one of SNS")
    assert amazon.asked == [CERTIFICATE]


async def test_a_topic_that_is_not_listed_is_not_subscribed_to(gate: Gate, amazon: Amazon) -> None:
    await refused(gate, confirmation(TopicArn=f"{TOPIC}2"), "is not one that is taken")
    assert amazon.asked == []


# ---- trouble ------------------------------------------------------------------------------------


async def test_a_certificate_is_fetched_once_however_many_wait_for_it(
    gate: Gate, amazon: Amazon
) -> None:
    answers = await asyncio.gather(
        *(post(gate, message(alarm(), MessageId=f"m{n}")) for n in range(20))
    )
    assert {one.status for one in answers} == {200}
    assert amazon.asked == [CERTIFICATE]


async def test_a_certificate_that_cannot_be_had_is_no_fault_of_the_sender(
    gate: Gate, amazon: Amazon
) -> None:
    amazon.there[CERTIFICATE] = Later("No answer within 5 s.")
    answer = await post(gate, message(alarm()))
    assert (answer.status, answer.json["detail"]) == (503, "No answer within 5 s.")
    again = await post(gate, message(alarm()))
    assert (again.status, again.headers["retry-after"]) == (503, "30")
    assert amazon.asked == [CERTIFICATE]
    gate.clock.advance(timedelta(seconds=31))
    amazon.there[CERTIFICATE] = key_pair()[1]
    assert (await post(gate, message(alarm()))).status == 200
    assert (await gate.status("cloudwatch")).refused == 0


async def test_what_is_no_certificate_is_none(gate: Gate, amazon: Amazon) -> None:
    amazon.there[CERTIFICATE] = b"<html>sign in</html>"
    assert (await post(gate, message(alarm()))).status == 503


async def test_a_name_that_is_never_answered_holds_up_nobody_else(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real way out, with a resolver that hangs."""
    release, real = threading.Event(), socket.getaddrinfo

    def hangs(host: Any, *rest: Any, **more: Any) -> Any:
        if str(host).endswith("amazonaws.com") and not more.get("flags"):
            release.wait(20)
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    doors = Doors(gate.database, gate.library, gate.clock)
    doors.outward.ask = functools.partial(doors.outward.ask, timeout=0.2)  # type: ignore[method-assign]
    gate.doors = gate.site.doors = doors
    try:
        other = gate.post("webhook", {"alerts": [{"labels": {"alertname": "x"}}]})
        waits = asyncio.create_task(post(gate, message(alarm())))
        quick = await asyncio.wait_for(other, 5)
        assert quick.status == 200
        answer = await waits
        assert (answer.status, answer.json["detail"]) == (503, "No answer within 0.2 s.")
    finally:
        release.set()
