"""Every sentence that pages say, found in the code and the templates, for the translation test.

Run as a program it says what the Korean catalogue lacks:  python -m tests.web.messages
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from babel.messages import extract, pofile
from pydantic import BaseModel

from opsbook import alerts
from opsbook.book.model import Sections
from opsbook.book.types import bare
from opsbook.revisions import plan
from opsbook.runs import dry
from opsbook.web import i18n, site

WEB = Path(site.__file__).parent
PLAN = Path(plan.__file__).parent  # says its changes in sentences of its own
DRY = Path(dry.__file__).parent  # and what a run would do
ALERTS = Path(alerts.__file__).parent  # and what a rule measured
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "N_": None, "_": None, "gettext": None, "ngettext": (1, 2), "say": None, "say_n": (1, 2),
    "html": None, "html_n": (1, 2),
}  # fmt: skip
METHODS = [
    ("api/**.py", "ignore"),
    ("exchange/**.py", "ignore"),
    ("**.py", "python"),
    ("templates/**.html", "jinja2"),
]
Message = str | tuple[str, ...]


def said() -> Iterator[tuple[str, int, Message]]:
    """Yield (file, line, sentence); singular and plural come together."""
    options = {"templates/**.html": {"extensions": "jinja2.ext.i18n", "trim_blocks": "true"}}
    for folder in (WEB, PLAN, DRY, ALERTS):
        for file, line, message, _, _ in extract.extract_from_dir(
            folder, METHODS, options, keywords=KEYWORDS
        ):
            yield file, line, message
    yield from meanings()


def meanings() -> Iterator[tuple[str, int, Message]]:
    """Yield what the model says of its sections and keys, which the handbook shows."""
    seen: set[type[BaseModel]] = set()

    def walk(model: type[BaseModel]) -> Iterator[str]:
        if model in seen:
            return
        seen.add(model)
        for field in model.model_fields.values():
            yield field.description or ""
            plain = bare(field.annotation)
            for one in (plain, *map(bare, get_args(plain))):
                if isinstance(one, type) and issubclass(one, BaseModel):
                    yield from walk(one)

    for sentence in dict.fromkeys(walk(Sections)):
        if sentence:
            yield "opsbook/book/sections", 0, sentence


def korean() -> dict[Message, Message]:
    """Return the Korean catalogue by sentence."""
    with (i18n.LOCALES / "ko" / "LC_MESSAGES" / "opsbook.po").open("rb") as source:
        return {one.id: one.string for one in pofile.read_po(source, locale="ko") if one.id}


def missing() -> list[tuple[str, int, Message]]:
    """Return what is said and not translated."""
    known = korean()
    return [one for one in said() if not known.get(one[2]) or not all(known[one[2]])]


if __name__ == "__main__":
    for file, line, message in missing():
        sys.stdout.write(f"{file}:{line}: {message!r}\n")
    spare = set(korean()) - {message for _, _, message in said()}
    for message in spare:
        sys.stdout.write(f"no longer said: {message!r}\n")
