"""What a person writes beside what they do: one limit for all of it, checked in one place."""

from __future__ import annotations

from typing import Final

from opsbook.base.errors import Invalid

LONGEST_NOTE: Final = 10_000
"""How many characters a person's note, reason or comment may have."""


def note(text: str, what: str = "note", *, required: str = "") -> str:
    """Return a person's words as they are kept: without the white space around them.

    ``what`` is what the page calls them. ``required`` says what to write where they may not be
    missing.

    Raises:
        Invalid: too long, missing, or not text that a database can hold.
    """
    kept = text.strip()
    if required and not kept:
        raise Invalid(f"The {what} is empty.", remedy=required)
    if len(kept) > LONGEST_NOTE:
        raise Invalid(
            f"The {what} has {len(kept)} characters; {LONGEST_NOTE} fit.",
            remedy="Shorten it, or link to the long text.",
        )
    if "\0" in kept or any("\ud800" <= one <= "\udfff" for one in kept):
        raise Invalid(
            f"The {what} holds a character that is no text.",
            remedy="Take out what was pasted from a program's output, or attach it as a file.",
        )
    return kept
