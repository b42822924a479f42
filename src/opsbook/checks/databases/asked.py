"""What a ready-made number of PostgreSQL is told, and what it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from opsbook.checks.databases.session import Session
from opsbook.checks.model import Reading


@dataclass(frozen=True, slots=True)
class Asked:
    """The fields of the check that a number may need, the time, and what the check remembers."""

    now: datetime
    memory: dict[str, Any]
    longer_than: timedelta
    window: timedelta
    least_rows: int
    standbys: int
    role: Literal["primary", "standby"] | None


@dataclass(frozen=True, slots=True)
class Metric:
    """A ready-made number: its unit, and how it is asked."""

    unit: str
    look: Callable[[Session, Asked], Awaitable[Reading]]
