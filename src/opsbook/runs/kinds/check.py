"""Check steps: look now, and see whether it holds.

``{for=1m}`` means: ok at every look of a full minute, counted from the first look that was ok. A
look that is not ok, or brings no data, starts the count again. The step looks by itself, at least
every LOOK_EVERY and exactly when the minute would be over, since a check's own interval may be an
hour; looks that the scheduler makes meanwhile count as well.

How long it may take is ``within=`` on top of the hold, or else the step's ``timeout=``. At the end
of that time there is one last look, and what was seen then is the reason of the failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from opsbook.base.database import Transaction
from opsbook.base.quantities import format_duration, format_quantity
from opsbook.runs import store
from opsbook.runs.kinds.kind import Ended, Pause, Place, earliest
from opsbook.runs.model import WaitsFor

LOOK_EVERY: Final = timedelta(seconds=30)  # within store.CHECKS_WITHIN


@dataclass(frozen=True, slots=True)
class Hold:
    """How long a check has held so far; `seen` is the newest observation that was counted."""

    seen: int = 0
    ok_since: datetime | None = None
    ok_until: datetime | None = None
    last_at: datetime | None = None
    told: str = ""

    @property
    def length(self) -> timedelta:
        """From the first ok to the newest, without anything else between."""
        if self.ok_since is None or self.ok_until is None:
            return timedelta(0)
        return self.ok_until - self.ok_since

    def after(self, observations: Iterable[Mapping[str, Any]]) -> Hold:
        """Count some more observations, oldest first."""
        held = self
        for one in observations:
            ok = one["state"] == "ok"
            held = Hold(
                one["id"],
                (held.ok_since or one["at"]) if ok else None,
                one["at"] if ok else None,
                one["at"],
                told(one),
            )
        return held


class Check:
    """Waits until the check that its body names has held for ``for=``."""

    waits_for: WaitsFor = "check"

    def begin(self, tx: Transaction, now: datetime, place: Place) -> Pause | Ended:
        """Wait, and look at once."""
        check = check_of(place)
        if check not in place.book.checks:
            return Ended("failed", f"the book has no check {check!r}")
        limit = earliest(now + allowed(place), place.deadline)
        return Pause("check", due_at=limit, wake_at=now, data={"check": check, **_written(Hold())})

    def look(
        self, tx: Transaction, now: datetime, place: Place, wait: Mapping[str, Any]
    ) -> Pause | Ended | None:
        """Count what was seen since the last time."""
        data, due, hold = wait["data"], wait["due_at"], place.step.for_
        if "missing" in data:
            return Ended("failed", data["missing"])
        before = _read(data)
        fresh = store.observations(tx, place.book.id, data["check"], before.seen, wait["since"])
        held = before.after(fresh)
        if held.ok_since is not None and held.length >= hold:
            lasted = f", for {format_duration(hold)}" if hold else ""
            return Ended("succeeded", f"{held.told}{lasted}")
        if due is not None and held.last_at is not None and held.last_at >= due:
            return Ended("failed", _not_held(held, hold))
        if not fresh and wait["wake_at"] > now:
            return None
        data = {"check": data["check"], **_written(held)}
        return Pause("check", due_at=due, wake_at=_next(place, held, now, due), data=data)


def check_of(place: Place) -> str:
    """The id of the check that the step names, itself or by a parameter."""
    name = place.step.check
    return place.variables.get(name[1:].strip("{}"), name) if name.startswith("$") else name


def allowed(place: Place) -> timedelta:
    """How long the check may take to hold."""
    step = place.step
    return step.for_ + step.within if step.within is not None else step.timeout


def _next(place: Place, held: Hold, now: datetime, due: datetime | None) -> datetime:
    """When to look again, if nobody else does before."""
    check = place.book.checks.get(check_of(place))
    pause = min(check.every, LOOK_EVERY) if check is not None else LOOK_EVERY
    again = (held.last_at or now) + pause
    full = held.ok_since + place.step.for_ if held.ok_since is not None else None
    soonest = earliest(again, full, due) or again
    return max(soonest, now + timedelta(seconds=1))


def _not_held(held: Hold, hold: timedelta) -> str:
    if held.ok_since is None:
        return held.told
    return f"{held.told}, but only for {format_duration(held.length)} of {format_duration(hold)}"


def told(seen: Mapping[str, Any]) -> str:
    """One observation in words: ``critical 96 %: the disk is nearly full``."""
    value = seen["value"]
    measured = "" if value is None else f" {format_quantity(value, seen['unit'])}"
    return f"{seen['state']}{measured}{': ' if seen['message'] else ''}{seen['message']}"


def _written(held: Hold) -> dict[str, Any]:
    moments = {"ok_since": held.ok_since, "ok_until": held.ok_until, "last_at": held.last_at}
    plain = {name: at.isoformat() if at else None for name, at in moments.items()}
    return {"seen": held.seen, "told": held.told, **plain}


def _read(data: Mapping[str, Any]) -> Hold:
    moments = {
        name: datetime.fromisoformat(data[name]) if data[name] else None
        for name in ("ok_since", "ok_until", "last_at")
    }
    return Hold(seen=data["seen"], told=data["told"], **moments)
