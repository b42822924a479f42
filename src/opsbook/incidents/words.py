"""What an incident's page says: short enough for a watch, in the languages the book may have."""

from __future__ import annotations

from typing import Any

from opsbook.base.quantities import format_quantity
from opsbook.book import Book

LANGUAGES = ("ko", "en")
LONGEST = 240


def page_text(
    book: Book, row: dict[str, Any], alerts: list[dict[str, Any]]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return title and body by language."""
    title = {
        language: f"{row['severity']} {spoken(row['title'], language)}" for language in LANGUAGES
    }
    body = {}
    for language in LANGUAGES:
        lines = [about_alert(book, one, language) for one in alerts if one["state"] == "firing"]
        body[language] = "\n".join(lines)[:LONGEST]
    return title, body


def about_alert(book: Book, alert: dict[str, Any], language: str) -> str:
    """Return one line: what is wrong, the value with its unit, and what the check said."""
    parts = [spoken(alert["summary"], language)]
    if alert["value"] is not None:
        parts.append(format_quantity(alert["value"], alert["unit"]))
    if alert["message"]:
        parts.append(alert["message"])
    return " · ".join(parts)


def spoken(text: Any, language: str) -> str:
    """Return a stored text (a string, or strings by language) in ``language`` or its nearest."""
    if isinstance(text, dict):
        for wanted in (language, "", "en"):
            if wanted in text:
                return str(text[wanted])
        return str(next(iter(text.values()), ""))
    return str(text)
