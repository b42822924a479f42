"""How often somebody may try: a sliding window per key, in memory.

In memory on purpose. A count that outlives a restart would let anybody lock an account for as long
as they like, and a restart is rare and in nobody's hands from outside. Tries that turn out
good are given back, so a busy office behind one address is not shut out by signing in.

The window slides: what counts is how many tries lie in the time just before ``now``, so there is
no moment at which a fresh allowance begins. Memory is bounded twice: ``most`` moments for a key and
``keys`` keys, of which the one used longest ago is forgotten first.
"""

from __future__ import annotations

import asyncio
import ipaddress
import unicodedata
from collections import OrderedDict, deque
from datetime import datetime, timedelta
from typing import Final

from opsbook.access.errors import TooManyTries
from opsbook.base import ids

KEYS: Final = 10_000


class Window:
    """At most ``most`` tries for a key within ``per``."""

    def __init__(self, most: int, per: timedelta, keys: int = KEYS) -> None:
        self.most = most
        self.per = per
        self.keys = keys
        self._taken: OrderedDict[str, deque[datetime]] = OrderedDict()

    def wait(self, key: str, now: datetime) -> timedelta:
        """Return how long until ``key`` may try again; zero when it may try now."""
        taken = self._taken.get(key)
        while taken and taken[0] <= now - self.per:
            taken.popleft()
        if not taken:
            self._taken.pop(key, None)
            return timedelta(0)
        return taken[0] + self.per - now if len(taken) >= self.most else timedelta(0)

    def take(self, key: str, now: datetime) -> bool:
        """Count a try; ``True`` when it is the one that closes the window."""
        taken = self._taken.setdefault(key, deque(maxlen=self.most))
        self._taken.move_to_end(key)
        taken.append(now)
        while len(self._taken) > self.keys:
            self._taken.popitem(last=False)
        return len(taken) == self.most and taken[0] > now - self.per

    def give_back(self, key: str) -> None:
        """Uncount the newest try: it was a good one."""
        taken = self._taken.get(key)
        if taken:
            taken.pop()
        if not taken:
            self._taken.pop(key, None)

    def forget(self, key: str) -> None:
        """Forget every try of somebody who got in."""
        self._taken.pop(key, None)

    def __len__(self) -> int:
        return len(self._taken)


class SignInLimits:
    """The two windows of a sign-in: one stops guessing at a name, one going through all names.

    The account's window is counted by the name that was typed, whether it exists or not: a limit
    that only real accounts have would tell which they are. Being shut out by somebody else's
    guessing is answered by the one-time link, whose window is another one and counts only what was
    no link: it cannot be guessed, and only asking for thousands is stopped.

    A try is counted before the password is looked at and given back when it was right. Counting
    afterwards would let a thousand guesses pass that are sent at the same moment.
    """

    def __init__(self) -> None:
        self.account = Window(10, timedelta(minutes=10))
        self.address = Window(50, timedelta(minutes=10))
        self.links = Window(50, timedelta(minutes=10))
        self.at_once = asyncio.Semaphore(2)

    def take(self, login: str, address: str, now: datetime) -> bool:
        """Count a try; ``True`` when it closes a window unless it turns out to be a good one.

        Raises:
            TooManyTries: the window is closed; with the time to wait.
        """
        name, place = _name(login), network(address)
        wait = max(self.account.wait(name, now), self.address.wait(place, now))
        if wait > timedelta(0):
            raise TooManyTries(wait)
        closes = self.account.take(name, now)
        return self.address.take(place, now) or closes

    def passed(self, login: str, address: str) -> None:
        """Take a good try back, and forget the name's failures.

        The address's are kept: one good account would clear its guesses at all the others.
        """
        self.account.forget(_name(login))
        self.address.give_back(network(address))

    def take_link(self, address: str, now: datetime) -> None:
        """Count a link that is opened.

        Raises:
            TooManyTries: 50 within 10 minutes from this address were none.
        """
        place = network(address)
        wait = self.links.wait(place, now)
        if wait > timedelta(0):
            raise TooManyTries(wait)
        self.links.take(place, now)

    def good_link(self, address: str) -> None:
        """Take it back: it was a link."""
        self.links.give_back(network(address))


def _name(login: str) -> str:
    """Return a short key: what is typed may be 100 kB long, and may be a password."""
    return ids.digest(unicodedata.normalize("NFC", login).strip())


def network(address: str) -> str:
    """Return what is counted for an address: itself, or the /64 that one IPv6 client owns."""
    try:
        found = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
