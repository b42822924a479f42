"""The shapes of states as small drawings: a font may lack ⏳, or draw ■ at any size it likes.

The same shapes as the terminal's signs (`words`), in a box of 12 by 12 and the colour around them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from markupsafe import Markup

SHAPES: Final[Mapping[str, str]] = {
    "●": '<circle cx="6" cy="6" r="4.5" stroke="none"/>',
    "▲": '<path d="M6 .8 11.6 11H.4z" stroke="none"/>',
    "■": '<rect x="1" y="1" width="10" height="10" rx="1" stroke="none"/>',
    "◇": '<path d="M6 1.2 10.8 6 6 10.8 1.2 6z" fill="none" stroke-width="1.6"/>',
    "‖": '<path d="M3.8 1.5v9M8.2 1.5v9" fill="none" stroke-width="2.2"/>',
    "○": '<circle cx="6" cy="6" r="4.2" fill="none" stroke-width="1.4"/>',
    "◐": '<circle cx="6" cy="6" r="4.4" fill="none" stroke-width="1.5"/>'
    '<path d="M6 1.6a4.4 4.4 0 0 0 0 8.8z" stroke="none"/>',
    "⏳": '<path d="M2.5 1h7M2.5 11h7M3.2 1c0 3 2.8 3.4 2.8 5S3.2 8 3.2 11M8.8 1c0 3-2.8 3.4-2.8 5'
    's2.8 2 2.8 5" fill="none" stroke-width="1.3" stroke-linecap="round"/>',
}


def drawn(glyph: str) -> Markup:
    """Return a shape; hidden from screen readers, which hear the word beside it."""
    shape = SHAPES[glyph]
    return Markup(f'<svg viewBox="0 0 12 12" aria-hidden="true">{shape}</svg>')  # noqa: S704
