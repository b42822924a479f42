"""Anything Apprise knows: mail, chat, push and webhooks, by the URLs in a person's ``contacts``.

The book's channels are reached the same way, each by its own ``to``.

Apprise is synchronous and may hang in a library of its own, so each message has a thread that can
be left behind. What it has to say is caught and never reaches our log as it is: it holds hosts,
addresses and now and then a token. From it comes the short reason that people see, and whether a
message may have got through although Apprise says it failed.
"""

from __future__ import annotations

import functools
import re
from typing import ClassVar, Final
from urllib.parse import unquote, urlsplit

import apprise

from opsbook.base import secrets
from opsbook.book.sections.people import Channel as ChannelOfBook
from opsbook.book.sections.people import Contact, Person
from opsbook.notify.channel import Sender
from opsbook.notify.errors import Undelivered
from opsbook.notify.hearing import Heard, Hearing
from opsbook.notify.model import Message, shortened
from opsbook.notify.threads import Threads

LONGEST_REASON: Final = 240

# What shows that nothing was delivered: no connection came about, or the other side answered "no".
_NOT_SENT: Final = (
    ("connection refused", "the connection was refused"),
    ("name or service not known", "its name is not known"),
    ("nodename nor servname", "its name is not known"),
    ("temporary failure in name resolution", "its name cannot be looked up now"),
    ("failed to resolve", "its name is not known"),
    ("no route to host", "there is no way to it"),
    ("network is unreachable", "there is no way to it"),
    ("connecttimeout", "no connection within the time"),
    ("connect timeout", "no connection within the time"),
    ("certificate verify failed", "its certificate is not valid"),
    ("failed to establish a new connection", "no connection"),
)
_MAYBE_SENT: Final = (
    ("read timed out", "no answer within the time"),
    ("readtimeout", "no answer within the time"),
    ("timed out", "no answer within the time"),
    ("connection reset", "the connection broke before an answer"),
    ("connection aborted", "the connection broke before an answer"),
    ("remote end closed", "the connection broke before an answer"),
    ("remotedisconnected", "the connection broke before an answer"),
)
_BROKE: Final = re.compile(r"[\w/]+ (\w+ )?exception\b", re.IGNORECASE)  # how such a line begins
_ANSWERED: Final = re.compile(r"error=[345]\d\d|\([45]\d\d, b")  # HTTP; SMTP


class Apprise(Sender):
    """The way to every contact and every channel in the book."""

    name: ClassVar[str] = "apprise"

    def __init__(self) -> None:
        self._threads = Threads()
        self._hearing = Hearing()

    def close(self) -> None:
        """Stop listening to what Apprise says."""
        self._hearing.close()

    @staticmethod
    def destinations(person: Person) -> list[str]:
        """Return ``contact:0`` and so on: places in the book, looked up again when sending."""
        return [f"contact:{index}" for index in range(len(person.contacts))]

    async def send(self, message: Message, to: Person | ChannelOfBook, destination: str) -> None:
        """Send through the contact that stands at this place in the book now."""
        url = address(to.to if isinstance(to, ChannelOfBook) else _contact(to, destination))
        key = f"{to.id}/{url}"
        await self._threads.run(key, functools.partial(self._deliver, url, message))

    def _deliver(self, url: str, message: Message) -> None:
        """Hand one message to Apprise, in a thread of its own."""
        with self._hearing.listen() as heard:
            service = apprise.Apprise(asset=_asset())
            known = service.add(url)
            done = known and service.notify(
                title=message.title,
                body=message.text,
                notify_type=apprise.NotifyType.WARNING
                if message.urgent
                else apprise.NotifyType.INFO,
                body_format=apprise.NotifyFormat.TEXT,
            )
        if not known:
            raise Undelivered(
                f"The contact ({scheme(url)}) is no address that can be sent to.",
                remedy="Correct it in the book; docs/reference/notify.md shows the forms.",
            )
        if not done:
            why, unsure = reason(heard)
            text = secrets.mask(why, hidden(url))
            raise Undelivered(shortened(f"{scheme(url)}: {text}", LONGEST_REASON), unsure=unsure)


def _contact(person: Person, destination: str) -> Contact:
    index = int(destination.rpartition(":")[2])
    if index >= len(person.contacts):
        raise Undelivered(
            f"{person.id} has no {destination} in the book any more.",
            remedy="Their other contacts have their own copy of this page.",
        )
    return person.contacts[index]


def address(contact: Contact) -> str:
    """Return the URL of a contact, from where it is kept.

    Raises:
        SecretMissing: with the reference and what to set.
    """
    return contact.url if contact.url is not None else secrets.resolve(contact.secret or "")


def scheme(url: str) -> str:
    """Return what may be said of a URL: the kind of service."""
    return url.partition("://")[0].lower() if "://" in url else "?"


def hidden(url: str) -> set[str]:
    """Return every part of a URL that must not be shown.

    With Apprise a token may stand anywhere: as user, host, path or option. So all of it is hidden,
    part by part; parts shorter than six characters are not worth hiding (``secrets.mask``).
    """
    rest = url.partition("://")[2] or url
    parts = {url, rest, *re.split(r"[/?&=@:#,;]+", rest)}
    try:
        found = urlsplit(url)
        user, password = found.username or "", found.password or ""
        parts |= {user, password, f"{user}:{password}", found.hostname or "", found.path}
    except ValueError:
        pass
    return {one for part in parts for one in (part, unquote(part)) if one}


def reason(heard: Heard) -> tuple[str, bool]:
    """Return, from what Apprise said, why a message failed and whether it may have got through.

    An answer with an error, or no connection at all, is a sure no. Everything that broke in between
    is not, and neither is what we do not recognise. Only lines about what broke are read: among the
    rest is the message itself, which may well be about a refused connection.
    """
    broke = [line for line in heard.everything if _BROKE.match(line)]
    said = " ".join([*broke, *heard.warnings]).lower()
    shown = " ".join(heard.warnings) or "it failed without a word"
    if _ANSWERED.search(said):
        return shown, False
    for words, plain in _NOT_SENT:
        if words in said:
            return f"{plain}. {shown}", False
    for words, plain in _MAYBE_SENT:
        if words in said:
            return f"{plain}. {shown}", True
    return shown, bool(broke)


@functools.cache
def _asset() -> apprise.AppriseAsset:
    """Return how Apprise behaves for us: in this thread, once, without pictures from elsewhere."""
    return apprise.AppriseAsset(
        app_id="Opsbook",
        app_desc="Opsbook",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        async_mode=False,
        service_timeout=0,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
