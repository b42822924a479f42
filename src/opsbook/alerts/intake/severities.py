"""How bad an alert from outside is, in the book's words."""

from __future__ import annotations

from collections.abc import Mapping

from opsbook.book import Book
from opsbook.book.sections.intakes import Intake


def mapped(intake: Intake, labels: Mapping[str, str]) -> str | None:
    """Return what the intake says that the sender's word for the severity stands for.

    It becomes the alert's label as well: routes, inhibitions and silences are written in the book's
    words, and an alert that is shown as P1 must not be routed as something else.
    """
    folded = labels.get("severity", "").casefold()
    for word, severity in intake.severities.items():
        if word.casefold() == folded:
            return severity
    return None


def severity_of(book: Book, intake: Intake, labels: Mapping[str, str]) -> str:
    """Return the id of the book's severity for an alert.

    What the intake says the sender's word stands for; else the word itself, where the book has a
    severity of that name; else the intake's own; else the mildest that pages somebody, since an
    alert nobody has classified should still be looked at, and not wake everybody.
    """
    if (severity := mapped(intake, labels)) is not None:
        return severity
    folded = labels.get("severity", "").casefold()
    for severity in book.severities:
        if severity.casefold() == folded:
            return severity
    if intake.severity is not None:
        return intake.severity
    paging = [id for id, one in book.severities.items() if one.escalation is not None]
    return (paging or list(book.severities) or [""])[-1]
