"""What CloudWatch says of alarms over SNS: signed by SNS, for topics that the book lists.

Source: the SNS developer guide, "Verifying the signatures of Amazon SNS messages", and CloudWatch's
form of an alarm's change, by itself and as an event of EventBridge. A message counts only with a
signature (version 1 is SHA-1, version 2 SHA-256) that fits a certificate from an address of SNS
itself, and only from a topic that the intake names: everybody with an account at Amazon has SNS
sign messages, and only the topic says whose they are.

SNS asks first whether it may send here; that is confirmed by getting an address of the same host,
for listed topics alone. What it resends for hours after an outage is taken (`OLDEST`); the same
message a second time is answered and does nothing.

An alarm without enough data says nothing about whether it is over, so it ends no alert.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from opsbook.alerts.intake import cleaning
from opsbook.alerts.intake.kind import (
    Fetch,
    Handed,
    Kind,
    Later,
    Letter,
    Unproven,
    Unreadable,
    decoded,
    first,
    inner,
    moment,
    pairs,
    until_told,
)
from opsbook.alerts.intake.posted import Posted

HOST: Final = re.compile(r"sns\.[a-z0-9-]{1,40}\.amazonaws\.com(\.cn)?")
CERTIFICATE: Final = re.compile(r"/SimpleNotificationService-[A-Za-z0-9]{1,100}\.pem")
ARN: Final = re.compile(r"arn:(aws[a-z-]*):cloudwatch:([a-z0-9-]+):(\d*):alarm:.+", re.DOTALL)
OLDEST: Final = timedelta(hours=8)
"""SNS tries for six hours."""
AHEAD: Final = timedelta(minutes=15)
KEPT: Final = 32
"""Certificates; SNS has one for a region, for years."""
AT_ONCE: Final = 4
PAUSE: Final = timedelta(seconds=30)
"""How long a certificate that could not be had is not asked for again."""


class Message(msgspec.Struct, gc=False):
    """What SNS sends."""

    Type: str
    MessageId: str
    TopicArn: str
    Message: str
    Timestamp: str
    SignatureVersion: str
    Signature: str
    SigningCertURL: str
    Subject: str | None = None
    Token: str = ""
    SubscribeURL: str = ""


class Alarms:
    """Reads them. Certificates are kept; one that is being fetched is fetched once."""

    def __init__(self, fetch: Fetch) -> None:
        self.fetch = fetch
        self._keys: OrderedDict[str, x509.Certificate] = OrderedDict()
        self._failed: OrderedDict[str, tuple[datetime, str]] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[x509.Certificate]] = {}

    async def receive(self, letter: Letter) -> Handed:
        """Return the alert of a message, or confirm that a topic may send here.

        Raises:
            Unreadable: it is no message of SNS, or none about an alarm, or too old.
            Unproven: the topic is not listed, or the signature does not fit.
            Later: the certificate cannot be had now, or the confirmation failed.
        """
        message = decoded(letter.body, Message)
        if message.TopicArn not in letter.intake.topics:
            raise Unproven(f"the topic {cleaning.shown(message.TopicArn)} is not one that is taken")
        _check_age(message, letter.now)
        await self._prove(message, letter.now)
        match message.Type:
            case "Notification":
                found = Handed([*_alerts(letter, message)], once=message.MessageId)
            case "SubscriptionConfirmation":
                await self._confirm(message)
                found = Handed(note=f"the subscription to {message.TopicArn} was confirmed")
            case _:
                told = f"{cleaning.shown(message.Type)} of {message.TopicArn} is no alert"
                found = Handed(note=told)
        return found

    async def _prove(self, message: Message, now: datetime) -> None:
        certificate = await self._certificate(message.SigningCertURL, now)
        key = certificate.public_key()
        method = {"1": hashes.SHA1(), "2": hashes.SHA256()}.get(message.SignatureVersion)  # noqa: S303
        if method is None or not isinstance(key, rsa.RSAPublicKey):
            told = cleaning.shown(message.SignatureVersion)
            raise Unproven(f"the signature is of a version that is not known: {told}")
        try:
            given = base64.b64decode(message.Signature, validate=True)
            key.verify(given, _signed(message), padding.PKCS1v15(), method)
        except (InvalidSignature, binascii.Error, ValueError):
            raise Unproven("the signature does not fit") from None

    async def _certificate(self, address: str, now: datetime) -> x509.Certificate:
        if not _is_certificate(address):
            told = cleaning.shown(address)
            raise Unproven(f"{told} is no address of a certificate of SNS")
        found = self._keys.get(address)
        if found is None:
            self._look(address, now)
            if address not in self._under_way:
                task = asyncio.create_task(self._get(address))
                self._under_way[address] = task
                task.add_done_callback(lambda done: self._got(address, done))
            try:
                found = await asyncio.shield(self._under_way[address])
            except Later as error:
                self._failed[address] = now + PAUSE, error.message
                raise
            self._keys[address] = found
            while len(self._keys) > KEPT:
                self._keys.popitem(last=False)
        if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
            self._keys.pop(address, None)
            raise Unproven("the certificate of the signature is not valid now")
        return found

    def _look(self, address: str, now: datetime) -> None:
        """Refuse to ask again so soon, or for too many at once: anybody may name an address."""
        for old in [one for one, (until, _) in self._failed.items() if until <= now]:
            del self._failed[old]
        if address in self._failed:
            raise Later(self._failed[address][1], after=PAUSE.total_seconds())
        if address not in self._under_way and len(self._under_way) >= AT_ONCE:
            raise Later("Other certificates of SNS are being fetched.")

    def _got(self, address: str, task: asyncio.Task[x509.Certificate]) -> None:
        self._under_way.pop(address, None)
        if not task.cancelled():
            task.exception()  # seen, even if whoever asked has gone

    async def _get(self, address: str) -> x509.Certificate:
        body = await self.fetch(address)
        try:
            return x509.load_pem_x509_certificate(body)
        except ValueError:
            raise Later("What was fetched is no certificate.") from None

    async def _confirm(self, message: Message) -> None:
        """Get the address that says yes: of the host whose certificate signed, for this topic."""
        address = urlsplit(message.SubscribeURL)
        asked = parse_qs(address.query)
        wanted = urlsplit(message.SigningCertURL).netloc
        if (
            (address.scheme, address.netloc, address.path) != ("https", wanted, "/")
            or asked.get("Action") != ["ConfirmSubscription"]
            or asked.get("TopicArn") != [message.TopicArn]
        ):
            raise Unproven("the address that would confirm the subscription is not one of SNS")
        await self.fetch(message.SubscribeURL)


def _is_certificate(address: str) -> bool:
    try:
        found = urlsplit(address)
    except ValueError:
        return False
    return (
        found.scheme == "https"
        and HOST.fullmatch(found.netloc) is not None
        and CERTIFICATE.fullmatch(found.path) is not None
        and not found.query
        and not found.fragment
    )


def _signed(message: Message) -> bytes:
    """Return what SNS signs: names and values by lines, a subject only where there is one."""
    names = (
        ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
        if message.Type == "Notification"
        else ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
    )
    lines = [(name, getattr(message, name)) for name in names]
    return "".join(f"{name}\n{value}\n" for name, value in lines if value is not None).encode()


def _check_age(message: Message, now: datetime) -> None:
    at = moment(message.Timestamp)
    if at is None:
        raise Unreadable(f"Timestamp {cleaning.shown(message.Timestamp)} is no time.")
    if at < now - OLDEST or at > now + AHEAD:
        raise Unreadable(
            f"The message is of {at:%Y-%m-%d %H:%M:%S} UTC, and it is {now:%Y-%m-%d %H:%M:%S} UTC.",
            remedy=f"Messages of the last {OLDEST // timedelta(hours=1)} hours are taken.",
        )


def _alerts(letter: Letter, message: Message) -> list[Posted]:
    try:
        told = decoded(message.Message.encode(), dict[str, Any])
    except Unreadable:
        raise Unreadable("The message is not about an alarm of CloudWatch.") from None
    if told.get("detail-type") == "CloudWatch Alarm State Change":
        told = _of_event(told)
    name, state = first(told.get("AlarmName")), first(told.get("NewStateValue"))
    if not name or state not in {"ALARM", "OK", "INSUFFICIENT_DATA"}:
        raise Unreadable("The message is not about an alarm of CloudWatch.")
    if state == "INSUFFICIENT_DATA":
        return []
    arn = first(told.get("AlarmArn"))
    place = ARN.fullmatch(arn)
    trigger = inner(told, "Trigger")
    labels = {
        **_dimensions(trigger.get("Dimensions")),
        **pairs(
            alertname=name, account=told.get("AWSAccountId"), region=place[2] if place else "",
            namespace=trigger.get("Namespace"), metric=trigger.get("MetricName"),
        ),
    }  # fmt: skip
    annotations = pairs(
        summary=first(told.get("AlarmDescription"), message.Subject, name),
        description=told.get("NewStateReason"),
    )
    at = moment(told.get("StateChangeTime"))
    starts, ends = (
        (None, cleaning.ended("resolved", at, letter.now)) if state == "OK" else (at, None)
    )
    ends = until_told(letter.intake, ends, letter.now)
    link = _console(place[1], place[2], name) if place else ""
    made = Posted(labels, annotations, starts, ends, link, arn)
    return [cleaning.cleaned(made, letter.now)]


def _of_event(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event of EventBridge in the words of an alarm's own message."""
    detail = inner(told, "detail")
    state = inner(detail, "state")
    resources = told.get("resources")
    return {
        "AlarmName": detail.get("alarmName"),
        "AlarmArn": resources[0] if isinstance(resources, list) and resources else "",
        "AWSAccountId": told.get("account"),
        "NewStateValue": state.get("value"),
        "NewStateReason": state.get("reason"),
        "StateChangeTime": state.get("timestamp"),
    }


def _dimensions(given: Any) -> dict[str, str]:
    listed = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return {
        f"dimension_{name}": value
        for one in listed
        if (name := first(one.get("name"))) and (value := first(one.get("value")))
    }


def _console(partition: str, region: str, name: str) -> str:
    host = {"aws": "console.aws.amazon.com", "aws-cn": "console.amazonaws.cn"}.get(partition)
    place = f"home?region={region}#alarmsV2:alarm/{quote(name, safe='')}"
    return f"https://{region}.{host}/cloudwatch/{place}" if host else ""


KIND = Kind(begin=lambda fetch: Alarms(fetch).receive)
