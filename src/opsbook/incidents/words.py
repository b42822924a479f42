"""What an incident's page says: short enough for a watch, in the languages the book may have."""

from __future__ import annotations

from typing import Any

from opsbook.base.quantities import format_quantity

LANGUAGES = ("ko", "en")
LONGEST = 240


def page_text(
    row: dict[str, Any], alerts: list[dict[str, Any]]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return title and body by language."""
    title = {
        language: f"{row['severity']} {spoken(row['title'], language)}" for language in LANGUAGES
    }
    body = {}
    for language in LANGUAGES:
        known = spoken(row["title"], language)
        firing = [one for one in alerts if one["state"] == "firing"]
        firing.sort(key=lambda one: (one["severity"] != row["severity"], one["severity"]))
        body[language] = _fitting([about_alert(one, language, known) for one in firing], language)
    return title, body


def _fitting(lines: list[str], language: str) -> str:
    """Return as many whole lines as fit, and how many more there are; the first one always."""
    kept: list[str] = []
    for line in (one for one in lines if one):
        if kept and len("\n".join([*kept, line])) > LONGEST:
            break
        kept.append(line[:LONGEST])
    if left := sum(map(bool, lines)) - len(kept):
        kept.append({"ko": f"외 {left}건", "en": f"and {left} more"}[language])
    return "\n".join(kept)


def about_alert(alert: dict[str, Any], language: str, known: str = "") -> str:
    """Return one line: what is wrong unless it is `known`, the value, and what the check said."""
    summary = spoken(alert["summary"], language)
    parts = [summary] if summary != known else []
    if alert["value"] is not None:
        parts.append(format_quantity(alert["value"], alert["unit"]))
    if alert["message"] and alert["message"] not in (known, summary):
        parts.append(alert["message"])
    if said := " ".join((alert.get("annotations") or {}).get("description", "").split()):
        parts.append(said)
    return " · ".join(parts)


def spoken(text: Any, language: str) -> str:
    """Return a stored text (a string, or strings by language) in ``language`` or its nearest."""
    if isinstance(text, dict):
        for wanted in (language, "", "en"):
            if wanted in text:
                return str(text[wanted])
        return str(next(iter(text.values()), ""))
    return str(text)
