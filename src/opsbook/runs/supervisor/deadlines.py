"""When a step has to end, and how far its ending has come. Pure: `now` (monotonic) is told.

A step that ends by itself leaves nothing behind: what it had in the background is killed. One that
is *ended* gets its grace time as a whole: TERM goes to every process of it, escaped ones too, and a
helper that still cleans up when the shell above it is gone may do so until the time is over.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TICK = 5.0
BUSY_TICK = 0.02
GIVE_UP = 5.0
_NEVER = float("inf")


class Deadlines:
    """The clock of one step. `verdict` is empty for as long as nobody has ended it."""

    def __init__(self, order: dict[str, Any], now: float) -> None:
        self.verdict = ""
        self._limit = _NEVER if order["timeout_s"] is None else order["timeout_s"]
        self._alone = order["server_gone_s"] if order["die_with_server"] else _NEVER
        self._grace = order["grace_s"]
        self._began = self._attended = now
        self._kill_at = self._give_up_at = _NEVER

    def reason(self, now: float, attended: bool) -> tuple[str, str] | None:
        """The verdict and the note, if the step has to be ended now."""
        if attended:
            self._attended = now
        if self.verdict:
            return None
        if now >= self._began + self._limit:
            return "timeout", f"it ran longer than {self._limit:g} s"
        if now >= self._attended + self._alone:
            return "killed", f"no server was connected for {self._alone:g} s"
        return None

    def end(self, verdict: str, now: float, at_most: float | None = None) -> None:
        """TERM is being sent: the grace time begins, shortened where every moment does harm."""
        self.verdict = verdict
        self._kill_at = now + (self._grace if at_most is None else min(self._grace, at_most))
        self._give_up_at = self._kill_at + GIVE_UP

    def kill(self, now: float) -> bool:
        """Whether the grace time is over."""
        return now >= self._kill_at

    def over(self, now: float, ended: bool, none_left: bool) -> bool:
        """Whether to stop watching; `ended` is the main process, `none_left` the whole tree."""
        if not ended:
            return now >= self._give_up_at
        return not self.verdict or none_left or self.kill(now)

    def patience(self, now: float, ended: bool) -> float:
        """Seconds until something may have to be done unasked."""
        if self.verdict and (ended or self.kill(now)):
            return BUSY_TICK  # who is left has no pidfd here, or needs another KILL
        ends = (now + TICK, self._kill_at, self._began + self._limit, self._attended + self._alone)
        return max(0.0, min(ends[:2] if self.verdict else ends) - now)
