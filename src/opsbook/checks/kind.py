"""What a kind of check is, and what a look may use.

A kind is a model of its own fields and one function. It decides nothing: whether it is time, how
long it may take, what its value means and where it is stored belong to the scheduler.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import aiohttp

from opsbook.book.fields import Part, State
from opsbook.book.sections.checks import Bands
from opsbook.book.sections.targets import Target
from opsbook.checks.lent import Lent
from opsbook.checks.model import Reading
from opsbook.checks.names import Address, Names
from opsbook.checks.threads import Threads

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Facts:
    """Where this server is: what ``{opsbook.data}`` and its like in a book stand for."""

    data: str
    url: str
    host: str
    port: int

    def by_name(self) -> Mapping[str, str]:
        """Return the facts under the names the book uses."""
        return {"data": self.data, "url": self.url, "host": self.host, "port": str(self.port)}


@dataclass(frozen=True, slots=True)
class Context:
    """What one look may use.

    `key` names the check (``book/check``). `memory` lasts from look to look for as long as the
    check's own fields stay as they are; nothing in it survives a restart. `timeout` is how long the
    whole look may take: it is enforced from outside and given here only to be divided. `target` is
    what the kind's field ``on`` names. `bands`, with the unit that the book says its values have,
    are for a kind that sees many values and has to tell which is the worst, and for no other.
    `lent` is what the server lends; a look outside of one (a test of a single kind) has none.
    """

    now: datetime
    key: str
    timeout: timedelta
    memory: dict[str, Any]
    http: aiohttp.ClientSession
    names: Names
    threads: Threads
    target: Target | None = None
    bands: Bands = field(default_factory=Bands)
    unit: str | None = None
    lent: Lent | None = None

    async def blocking(self, work: Callable[[], Result]) -> Result:
        """Run what may block (a file on a dead mount) on a thread that may be abandoned.

        Raises:
            StillHanging: an earlier look at this check has not come back yet.
        """
        return await self.threads.run(self.key, self.now, work)

    async def addresses(self, host: str, port: int) -> list[Address]:
        """Return where `host` is, in the order the system prefers.

        Raises:
            socket.gaierror: the name is not known, or the resolver did not answer.
        """
        return await self.names.addresses(host, port)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of check. `model` forbids unknown keys and may have a property ``value_unit``.

    `observe` gets an instance of the model with every ``{opsbook.…}`` filled in. It raises
    `CannotLook` or an OSError of its own making where it could not look; that is missing data.
    `silence` is what no answer in time means: for a service that others wait for it is an outage
    like a refusal, for a file or a number of this machine it is missing data.
    """

    name: str
    model: type[Part]
    observe: Callable[[Any, Context], Awaitable[Reading]]
    silence: State | None = None
