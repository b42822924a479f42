"""One request of this interface, and its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opsbook.access import Principal
from opsbook.alerts.intake.doors import Door, Doors
from opsbook.alerts.pipeline.memory import Memory
from opsbook.base.errors import Invalid
from opsbook.web.knowing import memory_of
from opsbook.web.served import Served


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered; a body of ``None`` is an empty one."""

    status: int
    body: Any = None
    headers: Sequence[tuple[bytes, bytes]] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was let in: through which door, by whom, for what."""

    app: Served
    doors: Doors
    door: Door
    who: Principal | None
    query: Mapping[str, list[str]]
    body: bytes
    name: str

    @property
    def actor(self) -> str:
        """Who is behind it, as the audit names them."""
        return self.who.actor if self.who is not None else f"intake:{self.door.intake.id}"

    def now(self) -> datetime:
        """The time by the server's clock."""
        return self.app.clock.now()

    def flag(self, name: str, unsaid: bool = True) -> bool:
        """Return a flag of the query; raises Invalid for what is none."""
        values = self.query.get(name)
        if not values:
            return unsaid
        if values[-1] not in {"true", "false"}:
            raise Invalid(f"{name} must be true or false, not {values[-1][:40]!r}")
        return values[-1] == "true"

    async def memory(self) -> Memory:
        """Return what is known of alerts now."""
        return await memory_of(self.app)
