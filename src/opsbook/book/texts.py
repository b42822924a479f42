"""`Text`: a sentence of the book in one language or in several.

``title: Disk`` and ``title: {ko: 디스크, en: Disk}`` are both texts. Choosing a language is left to
the one who shows it (a page by its visitor, a page sent at night by the person's own language).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?")
LONGEST = 20_000


@dataclass(frozen=True, slots=True)
class Text:
    """A text by language; the key ``""`` holds a text whose language was not said."""

    by_language: Mapping[str, str]

    @classmethod
    def of(cls, value: object) -> Text:
        """Read a string or a map of languages; a number is taken as it was meant, as text."""
        if isinstance(value, Text):
            return value
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return cls({"": _sentence(str(value))})
        if not isinstance(value, dict) or not value:
            raise PydanticCustomError(
                "text",
                "should be a text; write one, or one for each language: {ko: 디스크, en: Disk}",
            )
        for language, text in value.items():
            if not LANGUAGE.fullmatch(str(language)):
                raise PydanticCustomError(
                    "text",
                    "{language} is not a language code; write ko, en or another such code",
                    {"language": repr(language)},
                )
            if not isinstance(text, str):
                raise PydanticCustomError(
                    "text",
                    "the text for {language} should be text; put it in quotes",
                    {"language": str(language)},
                )
        return cls({str(language): _sentence(text) for language, text in value.items()})

    def in_language(self, language: str) -> str:
        """The text in `language`, or its nearest: base language, unsaid, English, the first one."""
        for wanted in (language, language.split("-", maxsplit=1)[0], "", "en"):
            if wanted in self.by_language:
                return self.by_language[wanted]
        return next(iter(self.by_language.values()), "")

    def __str__(self) -> str:
        return self.in_language("")

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.by_language.items())))

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.of,
            serialization=core_schema.plain_serializer_function_ser_schema(_plain),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        by_language = {"type": "object", "additionalProperties": {"type": "string"}}
        return {"anyOf": [{"type": "string"}, by_language]}


def _plain(text: Text) -> str | dict[str, str]:
    if set(text.by_language) == {""}:
        return text.by_language[""]
    return dict(text.by_language)


def _sentence(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("text", "should not be empty; write it, or remove the key")
    if len(text) > LONGEST:
        raise PydanticCustomError("text", "is longer than 20,000 characters; shorten it")
    return text.strip()
