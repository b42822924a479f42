"""Notify steps: a message to people, teams and channels, by the outbox.

Telling one's own people changes nothing and needs nobody's leave. What a public channel says cannot
be unsaid: a run that started by itself asks before it speaks there, as before any other change,
unless the step says ``effect=read``.

The step is done once the message is recorded, in the same transaction: from there on the outbox
sends, tries again, and proves what became of it. To wait for a mail server would hold up a change
that is half done. What was recorded is told again by no repetition of the step: each person and
channel has a key of the run, the step and the try.

The body is the message. Values are put into it, since people read it and nothing runs it
(``wording``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from opsbook import people
from opsbook.base.database import Transaction
from opsbook.notify import outbox
from opsbook.runs.kinds.approval import ask_leave
from opsbook.runs.kinds.kind import Ended, Pause, Place
from opsbook.runs.kinds.wording import worded
from opsbook.runs.model import REFUSED, WaitsFor


class Notify:
    """Tells those in ``to=``, and waits for nobody."""

    waits_for: WaitsFor = "nobody"

    def begin(self, tx: Transaction, now: datetime, place: Place) -> Pause | Ended:
        """Record the message for everybody whom it reaches."""
        book, run, step = place.book, place.run, place.step
        persons, channels = audience(people.duty(tx, book, now), step.to, now)
        if not persons and not channels:
            return Ended("failed", f"it reaches nobody: {', '.join(step.to)}")
        public = any(book.channels[one].public for one in channels)
        if public and step.effect == "change" and not run["attended"] and run["leave"] != "granted":
            if run["leave"] == "refused" or run["cancelling"]:
                return Ended("failed", REFUSED)
            return ask_leave(tx, now, place, [step])
        body = worded(place)
        title = book.runbooks[run["runbook"]].title
        key = f"run:{run['id']}/step:{place.row['key']}/{place.row.get('failures', 0)}"
        common = {
            "book": book, "cause": f"run:{run['id']} notify", "thread": run["thread"], "body": body,
            "path": f"/runs/{run['id']}#step-{step.key}", "urgent": step.urgent,
        }  # fmt: skip
        for person in persons:
            outbox.page(tx, now, person_id=person, key=f"{key}/{person}", title=title, **common)
        for channel in channels:
            named = book.title if book.channels[channel].public else title
            outbox.tell(tx, now, channel_id=channel, key=f"{key}/{channel}", title=named, **common)
        return Ended("succeeded", f"told {len(persons) + len(channels)}")

    def look(
        self, tx: Transaction, now: datetime, place: Place, wait: Mapping[str, Any]
    ) -> Ended | None:
        """There is nothing to wait for."""
        return None


def audience(
    duty: people.Duty, names: tuple[str, ...], at: datetime
) -> tuple[list[str], list[str]]:
    """The persons and the channels that these names reach, each once, in order.

    A team is told through its channel, and through whoever is on duty in its rotation; a team
    without a rotation through all of its members.
    """
    book = duty.book
    persons: dict[str, None] = {}
    channels: dict[str, None] = {}
    for name in names:
        team = book.teams.get(name)
        if name in book.people:
            persons[name] = None
        elif name in book.channels:
            channels[name] = None
        elif team is not None:
            told = duty.of(name, at)[:1] if team.rotation is not None else team.members
            persons.update(dict.fromkeys(told))
            if team.channel is not None:
                channels[team.channel] = None
    return list(persons), list(channels)
