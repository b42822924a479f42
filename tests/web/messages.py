"""Every sentence that pages say, found in the code and the templates, for the translation test.

Run as a program it says what the Korean catalogue lacks:  python -m tests.web.messages
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages import extract, pofile

from opsbook.web import i18n, site

WEB = Path(site.__file__).parent
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "N_": None, "_": None, "gettext": None, "ngettext": (1, 2), "say": None, "say_n": (1, 2),
    "html": None, "html_n": (1, 2),
}  # fmt: skip
METHODS = [("api/**.py", "ignore"), ("**.py", "python"), ("templates/**.html", "jinja2")]
Message = str | tuple[str, ...]


def said() -> Iterator[tuple[str, int, Message]]:
    """Yield (file, line, sentence); singular and plural come together."""
    options = {"templates/**.html": {"extensions": "jinja2.ext.i18n", "trim_blocks": "true"}}
    for file, line, message, _, _ in extract.extract_from_dir(
        WEB, METHODS, options, keywords=KEYWORDS
    ):
        yield file, line, message


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
