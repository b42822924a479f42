"""Check steps: look now, and see whether it holds.

``{for=1m}`` means: ok at every look of a full minute, counted from the first look that was ok. A
look that is not ok, or brings no data, starts the count again. The step looks by itself, at least
every LOOK_EVERY and exactly when the minute would be over, since a check's own interval may be an
hour; looks that the scheduler makes meanwhile count as well.

Where nobody looked, nothing held: two looks that lie further apart than LONGEST_GAP and the time
that one look may take begin the count again, so that a server that was down for an hour does not
count it as an hour of health. One look left out is no gap: a restart or a take-over takes 15 to 30
seconds, and a check that is looked at every 30 would not have shown a shorter failure anyway.

How long it may take is ``within=`` on top of the hold, or else the step's ``timeout=``; of both,
the one that ends first. At the end of that time there is one last look, and what was seen then is
the reason of the failure. That time runs on while the server is down: people were promised it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from opsbook.base.database import Transaction
from opsbook.base.quantities import format_duration, format_quantity
from opsbook.book import Step
from opsbook.runs import store
from opsbook.runs.kinds.kind import Ended, Pause, Place, earliest
from opsbook.runs.model import WaitsFor

LOOK_EVERY: Final = timedelta(seconds=30)  # within store.CHECKS_WITHIN
LONGEST_GAP: Final = 2 * LOOK_EVERY


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

    def after(self, observations: Iterable[Mapping[str, Any]], gap: timedelta) -> Hold:
        """Count some more observations, oldest first; what lies further apart is not unbroken."""
        held = self
        for one in observations:
            ok = one["state"] == "ok"
            goes_on = held.last_at is not None and one["at"] - held.last_at <= gap
            held = Hold(
                one["id"],
                ((held.ok_since if goes_on else None) or one["at"]) if ok else None,
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
        return watched(now, place, place.step.check, now + allowed(place.step))

    def look(
        self, tx: Transaction, now: datetime, place: Place, wait: Mapping[str, Any]
    ) -> Pause | Ended | None:
        """Count what was seen since the last time."""
        return looked_at(tx, now, place, wait)


def watched(now: datetime, place: Place, name: str, limit: datetime | None) -> Pause | Ended:
    """Begin to look at a check, named by its id or a parameter; until `limit` at the latest."""
    check = check_of(place, name)
    if check not in place.book.checks:
        return Ended("failed", f"the book has no check {check!r}")
    due = earliest(limit, place.deadline)
    return Pause("check", due_at=due, wake_at=now, data={"check": check, **_written(Hold())})


def looked_at(
    tx: Transaction, now: datetime, place: Place, wait: Mapping[str, Any]
) -> Pause | Ended | None:
    """Count what was seen of the check since the last time; done once it has held for ``for=``."""
    data, due, hold = wait["data"], wait["due_at"], place.step.for_
    if "missing" in data:
        return Ended("failed", data["missing"])
    before = _read(data)
    fresh = store.observations(tx, place.book.id, data["check"], before.seen, wait["since"])
    check = place.book.checks.get(data["check"])
    held = before.after(fresh, LONGEST_GAP + check.timeout if check is not None else LONGEST_GAP)
    if held.ok_since is not None and held.length >= hold:
        lasted = f", for {format_duration(hold)}" if hold else ""
        return Ended("succeeded", f"{held.told}{lasted}")
    if due is not None and held.last_at is not None and held.last_at >= due:
        return Ended("failed", _not_held(held, hold))
    if not fresh and wait["wake_at"] > now:
        return None
    pause = min(check.every, LOOK_EVERY) if check is not None else LOOK_EVERY
    wake = _next(held, hold, pause, now, due)
    return Pause("check", due_at=due, wake_at=wake, data={"check": data["check"], **_written(held)})


def check_of(place: Place, name: str) -> str:
    """The id of the check that a step names, itself or by a parameter."""
    return place.variables.get(name[1:].strip("{}"), name) if name.startswith("$") else name


def allowed(step: Step) -> timedelta:
    """How long the check may take to hold."""
    if step.within is None:
        return step.timeout
    within = step.for_ + step.within
    return min(within, step.timeout) if "timeout" in step.attributes else within


def _next(
    held: Hold, hold: timedelta, pause: timedelta, now: datetime, due: datetime | None
) -> datetime:
    """When to look again, if nobody else does before."""
    again = (held.last_at or now) + pause
    full = held.ok_since + hold if held.ok_since is not None else None
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
