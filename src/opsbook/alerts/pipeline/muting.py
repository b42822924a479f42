"""What keeps an alert quiet: inhibitions, the hours of its route, silences, a check it is behind.

Each is one stage with one signature, so that the page that explains an alert asks the same
functions as the way that tells it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from opsbook.alerts import silences
from opsbook.alerts.pipeline.model import Alert
from opsbook.alerts.pipeline.routing import Node, Routing
from opsbook.book import Book
from opsbook.book.matchers import Matchers, all_match
from opsbook.book.sections.routing import Inhibition

MOST_NAMED: Final = 20
Why = Literal["inhibited", "inactive", "muted", "silenced", "behind"]


@dataclass(frozen=True, slots=True)
class Quiet:
    """Why an alert is not told, and by what: fingerprints, silences' names, hours, or a check."""

    why: Why
    by: tuple[str, ...]


class _Sources:
    """What may keep others quiet that have the same labels, by fingerprint.

    Which of them fire is found once for each moment: all that they keep quiet ask at the same one.
    """

    def __init__(self) -> None:
        self.alerts: dict[str, tuple[Alert, bool]] = {}
        self._at: tuple[datetime, list[str], list[str]] | None = None

    def note(self, alert: Alert, *, target: bool) -> None:
        """Remember one, and whether it is itself what is kept quiet."""
        self.alerts[alert.fingerprint] = alert, target
        self._at = None

    def forget(self, alert: Alert) -> bool:
        """Forget one if it is known."""
        known = self.alerts.get(alert.fingerprint)
        if known is None or known[0] is not alert:
            return False
        del self.alerts[alert.fingerprint]
        self._at = None
        return True

    def firing(self, now: datetime, *, targets: bool) -> list[str]:
        """Return some that fire at `now`; without `targets` none that is itself kept quiet."""
        at = self._at
        if at is None or at[0] != now:
            some: list[str] = []
            alone: list[str] = []
            for one, target in list(self.alerts.values()):
                if one.over(now):
                    continue
                if len(some) < MOST_NAMED:
                    some.append(one.fingerprint)
                if not target:
                    alone.append(one.fingerprint)
                if len(alone) == MOST_NAMED:
                    break
            at = self._at = now, some, alone
        return at[1] if targets else at[2]


@dataclass(eq=False, slots=True)
class Inhibitor:
    """The alerts that keep others quiet, found by the labels that must be equal.

    Kept up to date as alerts come and go, since looking through fifty thousand for each of fifty
    thousand would take an hour. Of those with the same such labels it names some: an alert that a
    thousand others explain is as quiet as one that twenty do.
    """

    inhibitions: tuple[Inhibition, ...]
    sources: tuple[Matchers, ...] = ()
    targets: tuple[Matchers, ...] = ()
    _found: list[dict[tuple[str, ...], _Sources]] = field(default_factory=list)

    @classmethod
    def of(cls, book: Book, alerts: Iterable[Alert]) -> Inhibitor:
        """Take a book's inhibitions and what fires now."""
        inhibitions = tuple(book.inhibitions.values())
        made = cls(
            inhibitions,
            tuple(one.sources for one in inhibitions),
            tuple(one.targets for one in inhibitions),
            [{} for _ in inhibitions],
        )
        for alert in alerts:
            made.note(alert)
        return made

    def note(self, alert: Alert) -> None:
        """Remember an alert that may keep others quiet, as it is now."""
        for n, sources in enumerate(self.sources):
            if all_match(sources, alert.labels):
                same = self._found[n].setdefault(self._equal(n, alert.labels), _Sources())
                same.note(alert, target=all_match(self.targets[n], alert.labels))

    def forget(self, alert: Alert) -> None:
        """Forget one that is over and has been told."""
        for n in range(len(self.sources)):
            key = self._equal(n, alert.labels)
            same = self._found[n].get(key)
            if same is not None and same.forget(alert) and not same.alerts:
                del self._found[n][key]

    def by(self, labels: Mapping[str, str], now: datetime) -> list[str]:
        """Return the fingerprints of the alerts that keep one with these labels quiet.

        An alert that is both what keeps quiet and what is kept quiet is not kept quiet by another
        of that sort, or two of them would silence each other.
        """
        found: list[str] = []
        for n, targets in enumerate(self.targets):
            if not all_match(targets, labels):
                continue
            same = self._found[n].get(self._equal(n, labels))
            if same is not None:
                both = all_match(self.sources[n], labels)
                found += same.firing(now, targets=not both)
        return found

    def _equal(self, n: int, labels: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(labels.get(name, "") for name in self.inhibitions[n].equal)


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that may keep alerts of one book quiet at one moment."""

    now: datetime
    routing: Routing
    inhibitor: Inhibitor
    silences: tuple[silences.Silence, ...]
    behind: Mapping[str, str]


def inhibited(alert: Alert, node: Node, look: Look) -> Quiet | None:
    """Quiet while an alert fires that explains this one."""
    by = look.inhibitor.by(alert.labels, look.now)
    return Quiet("inhibited", tuple(by)) if by else None


def behind(alert: Alert, node: Node, look: Look) -> Quiet | None:
    """Quiet while the check that its check depends on has failed."""
    failed = look.behind.get(alert.check) if alert.check else None
    return Quiet("behind", (failed,)) if failed else None


def inactive(alert: Alert, node: Node, look: Look) -> Quiet | None:
    """Quiet outside of the hours in which its route tells."""
    if node.active and not look.routing.hold(node.active, look.now):
        return Quiet("inactive", node.active)
    return None


def muted(alert: Alert, node: Node, look: Look) -> Quiet | None:
    """Quiet in the hours in which its route keeps quiet."""
    by = look.routing.hold(node.mute, look.now) if node.mute else []
    return Quiet("muted", tuple(by)) if by else None


def silenced(alert: Alert, node: Node, look: Look) -> Quiet | None:
    """Quiet while a silence matches."""
    by = silences.index_of(look.silences).of(alert, look.now)
    return Quiet("silenced", tuple(one.uuid for one in by)) if by else None


STAGES: Final = (inhibited, behind, inactive, muted, silenced)
"""In Alertmanager's order, with what it has no word for in between."""


def quiet(alert: Alert, node: Node, look: Look) -> Quiet | None:
    """Return the first reason not to tell an alert now; ``None`` when there is none."""
    for stage in STAGES:
        found = stage(alert, node, look)
        if found is not None:
            return found
    return None
