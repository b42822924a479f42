"""Values in what people read: the message of a ``notify`` step, the question of an approval.

Each value is bounded and has no control characters, so that an alert's label can neither fill the
text nor write lines of its own; secret ones are never in it. A name that stands for nothing stays
as it was written.
"""

from __future__ import annotations

from typing import Final

from opsbook.base import secrets
from opsbook.base.secrets import HIDDEN
from opsbook.book import messages
from opsbook.notify import model
from opsbook.runs.kinds import hidden
from opsbook.runs.kinds.kind import Place

LONGEST_VALUE: Final = 500
MISSING: Final = "–"


def worded(place: Place) -> str:
    """The step's text, with its values in it."""
    variables, secret = place.variables, hidden.of(place)

    def value(name: str) -> str:
        if name in secret:
            return HIDDEN
        if name not in variables:
            return f"${name}"
        return model.tidy(variables[name], LONGEST_VALUE, lines=False) or MISSING

    return secrets.mask(messages.filled(place.step.body.strip(), value), place.secrets.values())
