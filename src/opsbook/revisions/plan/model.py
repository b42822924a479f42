"""A plan and its changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Kind = Literal["added", "removed", "changed"]
WHOLE: Final = "*"
"""As a key of a change: it speaks of the whole element."""


def N_(sentence: str) -> str:  # noqa: N802  gettext's own name for it
    """Mark a sentence for translation; whoever shows the plan says it."""
    return sentence


NOBODY: Final = N_("nobody")
PAGED: Final = N_("those whom the severity pages")
ALONE: Final = N_("each alone")
TOGETHER: Final = N_("all in one")
WORDS: Final = frozenset(
    {NOBODY, PAGED, ALONE, TOGETHER, N_("whoever has runs:write"), N_("never")}
)
"""Values that are words and no names: they are translated with the sentence."""
DAYS: Final = (
    N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"),
)  # fmt: skip
_DAY: Final = re.compile(rf"\b({'|'.join(DAYS)})(?= \d{{4}}-\d\d-\d\d)")


@dataclass(frozen=True, slots=True)
class Change:
    """One change. ``where`` is ``file:line`` in the new book, or in the old one if it is gone.

    ``loosens`` says that fewer people or weaker rules stand between a wish and the world: such a
    revision runs only once it was approved. ``soon`` says that people feel it within a day: who is
    paged, what is watched, what starts. ``keys`` are the dotted keys of the element that this
    change speaks of, so that nothing is told twice; ``*`` is the element as a whole.
    """

    section: str
    id: str
    kind: Kind
    template: str
    values: Mapping[str, str] = field(default_factory=dict)
    loosens: bool = False
    where: str = ""
    soon: bool = False
    keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.template % self.values

    def told(self, say: Callable[[str], str]) -> str:
        """Return the sentence in another language; ``say`` translates one English sentence."""
        values = {
            name: say(value) if value in WORDS else _DAY.sub(lambda day: say(day[1]), value)
            for name, value in self.values.items()
        }
        return say(self.template) % values

    def as_data(self) -> dict[str, Any]:
        """Return the change for a row, an audit entry or JSON."""
        return {
            "section": self.section, "id": self.id, "kind": self.kind, "template": self.template,
            "values": dict(self.values), "loosens": self.loosens, "where": self.where,
            "soon": self.soon, "keys": list(self.keys),
        }  # fmt: skip


def change_of(data: Mapping[str, Any]) -> Change:
    """Return a change from what ``as_data`` gave."""
    known = {name: data[name] for name in Change.__dataclass_fields__ if name in data}
    return Change(**{**known, "keys": tuple(known.get("keys", ()))})


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a new revision changes: loosening first, then what is felt soon."""

    changes: tuple[Change, ...] = ()

    @property
    def loosens(self) -> tuple[Change, ...]:
        """The changes that need an approval."""
        return tuple(change for change in self.changes if change.loosens)

    @property
    def empty(self) -> bool:
        """Whether the two revisions are one and the same book."""
        return not self.changes


def as_data(plan: Plan, say: Callable[[str], str] = str) -> dict[str, Any]:
    """Return a plan as JSON has it; docs/reference/plan.md is the description."""
    return {
        "empty": plan.empty,
        "loosens": len(plan.loosens),
        "changes": [{"sentence": one.told(say), **one.as_data()} for one in plan.changes],
    }
