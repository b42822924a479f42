"""Which language a visitor reads, and how a sentence is said in it.

English sentences in the code are the source (gettext's way: a missing translation is still a
sentence, never a key), Korean comes from ``locales/ko/LC_MESSAGES/opsbook.po``, read once at
start. Compiled catalogues were refused: a build step between a translator and the page is a step
that is forgotten. The catalogue is turned into gettext's own form in memory, so plural rules are
gettext's too.

`N_` marks a sentence that is said later; ``say`` and ``say_n`` say it now. Values go in by name
(``%(name)s``), because word order differs between languages.
"""

from __future__ import annotations

import gettext
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from babel.messages import mofile, pofile
from markupsafe import Markup

LANGUAGES: Final = ("ko", "en")
NAMES: Final[Mapping[str, str]] = {"ko": "한국어", "en": "English"}
LOCALES = Path(__file__).parent / "locales"


def N_(sentence: str) -> str:  # noqa: N802  gettext's own name for it
    """Mark a sentence for translation; it is said elsewhere."""
    return sentence


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """Return the sentences of a language; English needs none."""
    file = LOCALES / language / "LC_MESSAGES" / "opsbook.po"
    if not file.exists():
        return gettext.NullTranslations()
    with file.open("rb") as source:
        read = pofile.read_po(source, locale=language)
    compiled = io.BytesIO()
    mofile.write_mo(compiled, read)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


class Speech:
    """One language, ready to speak."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.catalogue = catalogue(language)

    def say(self, sentence: str, /, **values: Any) -> str:
        """Say a sentence as plain text."""
        said = self.catalogue.gettext(sentence)
        return said % values if values else said

    def say_n(self, one: str, many: str, n: int, /, **values: Any) -> str:
        """Say a sentence about a number of things; the number is ``%(n)s``."""
        return self.catalogue.ngettext(one, many, n) % {"n": n, **values}

    def html(self, sentence: str, /, **values: Any) -> Markup:
        """Say a sentence as HTML: the sentence is ours, every value is escaped unless Markup."""
        said = Markup(self.catalogue.gettext(sentence))  # noqa: S704  our own sentence
        return said % values if values else said

    def html_n(self, one: str, many: str, n: int, /, **values: Any) -> Markup:
        """Say a sentence about a number of things as HTML, as `html` does."""
        said = Markup(self.catalogue.ngettext(one, many, n))  # noqa: S704  our own sentence
        return said % {"n": n, **values}


def accepted(header: str) -> str:
    """Return the first language of ``Accept-Language`` that we have; English when none is.

    Weights are honoured; an unreadable part is passed over, since a header is anybody's text.
    """
    weighed: list[tuple[float, int, str]] = []
    for place, part in enumerate(header[:500].split(",")):
        tag, _, weight = part.partition(";")
        base = tag.strip().lower().split("-")[0]
        try:
            q = float(weight.strip().removeprefix("q=")) if weight else 1.0
        except ValueError:
            continue
        if base in LANGUAGES and q > 0:
            weighed.append((-q, place, base))
    return min(weighed)[2] if weighed else "en"


def chosen(*wishes: str | None, header: str = "") -> str:
    """Return the first wish that is a language we have (account, cookie), else the header's."""
    return next((wish for wish in wishes if wish in LANGUAGES), None) or accepted(header)
