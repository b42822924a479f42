"""When to try again, and what a message says: values in, values out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from opsbook.book import Text

PAUSES: Final = tuple(timedelta(seconds=one) for one in (1, 5, 30, 120, 300, 600, 900))
GIVE_UP: Final = timedelta(hours=24)
LONGEST_TITLE: Final = 200
LONGEST_BODY: Final = 2_000
WATCH_TITLE: Final = 80
WATCH_BODY: Final = 240

REPEATED: Final = {"ko": "반복일 수 있음", "en": "possibly repeated"}

# Control characters, and the marks that make text run the other way to hide what it says.
_UNSEEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

TextLike = Text | Mapping[str, str] | str


@dataclass(frozen=True)
class Message:
    """What a channel sends. ``key`` is the page's own: channels that can, deduplicate by it."""

    key: str
    title: str
    body: str
    link: str
    urgent: bool
    language: str

    @property
    def text(self) -> str:
        """The body with the link under it, for channels that have one field for both."""
        return "\n".join(one for one in (self.body, self.link) if one)


def next_try(created: datetime, attempts: int, now: datetime) -> datetime | None:
    """Return when a page is tried again after its ``attempts``-th failure; ``None`` gives up.

    1 s, 5 s, 30 s, 2 min, 5 min, 10 min, then every 15 min. Short at first, because most failures
    are a server that restarts; never longer, because somebody is waiting to be woken. The last try
    is a day after the page was made: by then the escalation has been somewhere else for long.
    """
    end = created + GIVE_UP
    if now >= end:
        return None
    return min(now + PAUSES[min(attempts, len(PAUSES)) - 1], end)


def in_language(text: TextLike, language: str) -> str:
    """Return a text in a language, or its nearest."""
    if isinstance(text, str):
        return text
    return (text if isinstance(text, Text) else Text(text)).in_language(language)


def tidy(text: str, longest: int, *, lines: bool) -> str:
    """Return text that can stand in a header, a row and a terminal, at most ``longest`` long."""
    text = _UNSEEN.sub("", text.replace("\r\n", "\n"))
    text = "\n".join(" ".join(line.split()) for line in text.split("\n")).strip()
    return shortened(text if lines else text.replace("\n", " "), longest)


def shortened(text: str, longest: int) -> str:
    """Return the text, with an ellipsis where it had to be cut."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def message(
    *, key: str, title: str, body: str, link: str, urgent: bool, language: str, repeated: bool,
    whole: bool = False,
) -> Message:  # fmt: skip
    """Return what is sent for a page: short enough for a watch; the page itself has the rest.

    Nobody wears a channel, and what is cut off there can be read nowhere else: such a message is
    sent `whole`.
    """
    mark = f"({REPEATED.get(language, REPEATED['en'])}) " if repeated else ""
    return Message(
        key=key,
        title=shortened(mark + title, LONGEST_TITLE if whole else WATCH_TITLE),
        body=shortened(body, LONGEST_BODY if whole else WATCH_BODY),
        link=link,
        urgent=urgent,
        language=language,
    )
