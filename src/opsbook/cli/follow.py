"""Following a run: its stream of steps and output, shown as it comes.

The stream is picked up again where it broke off: pieces of output have ids, and a server that is
restarted in the middle of a run goes on with the same run.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from opsbook.cli import output, server, waits, words

FINISHED = {"succeeded", "failed", "cancelled"}
PATIENCE = 30.0
PAUSE = 0.5


@dataclass(frozen=True)
class Only:
    """What somebody wants to read: one step, one try of it, or with neither everything."""

    step: str | None = None
    attempt: int | None = None

    def has(self, piece: dict[str, Any]) -> bool:
        """Whether a piece of output is wanted."""
        return self.step in (None, piece["step"]) and self.attempt in (None, piece["attempt"])


class View(Protocol):
    """What is done with each thing the stream says."""

    def step(self, step: dict[str, Any]) -> None:
        """A step has another state."""

    def output(self, piece: dict[str, Any]) -> None:
        """A step wrote something."""

    def run(self, run: dict[str, Any]) -> None:
        """The run has another state."""

    def close(self) -> None:
        """Nothing more comes."""


class Screen:
    """Shows a run to a person: a line per step, its output under it, and what is waited for."""

    def __init__(self, only: Only | None = None, *, steps: bool = False) -> None:
        self.only = only or Only()
        self.steps = steps
        self._heading: tuple[str, int] | None = None
        self._told: dict[int, tuple[str, int]] = {}
        self._known: dict[str, dict[str, Any]] = {}
        self._fresh = True

    def step(self, step: dict[str, Any]) -> None:
        """Write the step's line when it begins, when it is tried again and when it ends.

        That it waits is told with what it waits for, and that a list of items goes on by its items.
        """
        self._known[step["key"]] = step
        now = (step["state"], len(step["attempts"]))
        if not self.steps or self._told.get(step["position"]) == now:
            return
        before = self._told.get(step["position"])
        self._told[step["position"]] = now
        if step["state"] == "waiting" or (before and before[0] == "waiting" and _resting(step)):
            return
        self._end_line()
        name = output.clean(step["title"] or step["key"])
        if step["attempts"]:
            self._heading = (step["key"], step["attempts"][-1]["number"])
        more = " · ".join(filter(None, (took(step), output.clean(step["message"]))))
        ended = f"  {output.faint(more)}" if step["finished_at"] else ""
        tries = len(step["attempts"])
        again = words.ATTEMPT.format(n=tries) if tries > 1 and not ended else ""
        output.say(f"{output.glyph(step['state'])} {name}{again}{ended}")

    def output(self, piece: dict[str, Any]) -> None:
        """Write output as it is, under a line that names whose it is."""
        if not self.only.has(piece):
            return
        heading = (piece["step"], piece["attempt"])
        if heading != self._heading:
            self._end_line()
            again = words.ATTEMPT.format(n=piece["attempt"]) if piece["attempt"] > 1 else ""
            output.say(output.faint(f"── {piece['step']}{again}"))
            self._heading = heading
        text = output.clean(piece["text"])
        output.write(text)
        self._fresh = text.endswith("\n") or (self._fresh and not text)

    def run(self, run: dict[str, Any]) -> None:
        """Write what the run waits for."""
        if run["waits"] and self.only.step is None:
            self._end_line()
            waits.show(run, aside=not self.steps, steps=self._known)

    def close(self) -> None:
        """Leave the cursor at the beginning of a line."""
        self._end_line()

    def _end_line(self) -> None:
        if not self._fresh:
            output.say()
            self._fresh = True


class Lines:
    """Hands each piece of output to a script, one JSON object a line."""

    def __init__(self, only: Only | None = None) -> None:
        self.only = only or Only()

    def step(self, step: dict[str, Any]) -> None:
        """Steps are not output."""

    def output(self, piece: dict[str, Any]) -> None:
        """Write the piece."""
        if self.only.has(piece):
            output.as_json_line(piece)

    def run(self, run: dict[str, Any]) -> None:
        """The run's state is not output."""

    def close(self) -> None:
        """Nothing is left over."""


class Silence(Lines):
    """Waits without a word."""

    def output(self, piece: dict[str, Any]) -> None:
        """Say nothing."""


def follow(
    find: Callable[[], server.Server], run_id: int, view: View, *, through_waits: bool
) -> dict[str, Any]:
    """Show a run until it has ended, or without ``through_waits`` until a person is asked.

    The server is looked for anew each time the stream breaks off: after a restart it may listen
    elsewhere, and its local token is another one. Returns the run as it then is.

    Raises:
        NotRunning: the server was away for longer than a restart takes.
    """
    after, last, away = 0, None, 0.0
    while True:
        try:
            for event, data in find().stream(f"/runs/{run_id}/stream", after=after):
                away = 0.0
                if event == "output":
                    after = data["id"]
                    view.output(data)
                elif event == "step":
                    view.step(data)
                elif event == "run" and data != last:
                    last = data
                    view.run(data)
                    if data["state"] in FINISHED or (_asks(data) and not through_waits):
                        view.close()
                        return dict(data)
        except (server.NotRunning, OSError, http.client.HTTPException):
            if last is None or away >= PATIENCE:
                view.close()
                raise
        time.sleep(PAUSE)
        away += PAUSE


def took(one: dict[str, Any]) -> str:
    """Return how long a run or step took, or has been taking."""
    began = output.moment(one["started_at"])
    if began is None:
        return ""
    ended = output.moment(one["finished_at"]) or datetime.now(UTC)
    seconds = (ended - began).total_seconds()
    return f"{seconds:.1f} s" if seconds < 10 else output.span(ended - began)


def _resting(step: dict[str, Any]) -> bool:
    """Whether a step is between two tries, and nothing of it moves yet."""
    return bool(step["state"] == "pending")


def _asks(run: dict[str, Any]) -> bool:
    """Whether the run goes on only once a person has answered."""
    return any(wait["kind"] in waits.ANSWER for wait in run["waits"])
