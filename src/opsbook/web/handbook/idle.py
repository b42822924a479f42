"""What follows from nothing acting on a section yet, where a tired reader would rely on it.

A line on a page is taken for a promise at three in the morning: a backup that the book lists is
believed to be made. These sentences say what does not happen; the other sections are registers
that nobody takes for a machine, and the general sentence is enough for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from opsbook.web.i18n import N_, Speech

WINDOWS: Final = N_(
    "Steps that wait for a window look at these; changes are not held back by them yet."
)
CONSEQUENCES: Final[Mapping[str, str]] = {
    "freezes": WINDOWS,
    "windows": WINDOWS,
    "backups": N_("Opsbook does not make or miss these backups yet."),
    "scaling": N_("Opsbook does not change these numbers yet."),
    "limits": N_("Opsbook does not watch these limits yet; only checks and rules raise an alert."),
    "forecasts": N_("Nothing is forecast yet, and nobody is warned ahead by these."),
    "slos": N_("Opsbook does not measure these objectives yet."),
    "secrets": N_("Opsbook does not notice yet when one of these grows too old."),
    "certificates": N_("Opsbook does not notice by these yet when a certificate runs out."),
    "quotas": N_("Opsbook does not hold anybody to these quotas yet."),
    "accounts": N_("Opsbook does not give, review or take back these accounts yet."),
    "extensions": N_("Opsbook does not block or allow anything by these lists yet."),
    "communication": N_("Opsbook does not send these messages yet, nor remind anybody of them."),
    "lifecycle": N_(
        "Incidents do not go through these stages yet; they are open, acknowledged, then resolved."
    ),
}


def consequence(speech: Speech, section: str) -> str:
    """Return what does not happen although the section reads as if it did; else nothing."""
    found = CONSEQUENCES.get(section)
    return speech.say(found) if found is not None else ""
