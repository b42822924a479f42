"""An alert as a row: how bad, what, what its check says, which labels tell it apart, who has it.

Used by the list of alerts and by Today. What comes from outside is as long as anybody cares to make
it, and is shown as far as it fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from opsbook.alerts.pipeline.model import Alert
from opsbook.alerts.pipeline.muting import Quiet
from opsbook.base.database import Transaction
from opsbook.web import alertstore, ways, words
from opsbook.web.i18n import Speech
from opsbook.web.visit import Visit

LABELS: Final = 8
SAID: Final = 200


def of_memory(
    visit: Visit, one: Alert, quiet: Quiet | None, around: Mapping[str, str]
) -> dict[str, Any]:
    """Return an alert that the pipeline knows, beside others that share the labels `around` it."""
    shown, hidden = labels(one.labels, around)
    title = ways.title(visit, one.summary, one.labels)
    return {
        "id": one.id, "title": title,
        "severity": ways.cut(one.severity, 20), "since": one.starts_at, "labels": shown,
        "quiet": visit.speech.say(ways.QUIET[quiet.why]) if quiet is not None else "",
        "hidden": hidden, "state": "firing", "over": None, "lasted": "",
        "says": _described(one.annotations, title), "incident": None,
    }  # fmt: skip


def of_row(visit: Visit, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an alert as it is in the database."""
    book = next((one for one in visit.kept.app.library.books() if one.id == row["book"]), None)
    over = row["resolved_at"]
    begun = row["fired_at"] or row["pending_since"]
    shown, hidden = labels(row["labels"], {})
    title = ways.title(visit, row["summary"], row["labels"]) or row["rule"]
    own = over is None and bool(row["check_id"])
    says = reading(visit.speech, row) if own else _described(row["annotations"] or {}, title)
    return {
        "id": row["id"], "title": title,
        "severity": ways.cut(row["severity"], 20), "state": row["state"], "since": begun,
        "over": over, "lasted": words.span(visit.speech, over - begun) if over else "",
        "zone": ZoneInfo(book.timezone) if book is not None else visit.zone,
        "labels": shown, "hidden": hidden, "quiet": "", "says": says, "incident": None,
    }  # fmt: skip


def complete(tx: Transaction, visit: Visit, rows: Iterable[dict[str, Any]]) -> None:
    """Put beside each row what its check says now, and the incident that answers it."""
    shown = {one["id"]: one for one in rows}
    for id, row in alertstore.readings(tx, list(shown)).items():
        shown[id]["says"] = reading(visit.speech, row)
    answering = {book.id for book in visit.books("incidents:read")}
    for id, row in alertstore.incidents_by_alert(tx, list(shown)).items():
        if row["book"] in answering:
            shown[id]["incident"] = row


def reading(speech: Speech, row: Mapping[str, Any]) -> str:
    """Return what a check said of itself: its value, and its words."""
    parts = (words.value(speech, row["value"], row["unit"]), ways.cut(row["message"], SAID))
    return " · ".join(one for one in parts if one)


def _described(annotations: Mapping[str, str], title: str) -> str:
    """Return what a sender says beyond the title."""
    said = " ".join(annotations.get("description", "").split())
    return ways.cut(said, SAID) if said != title else ""


def labels(
    given: Mapping[str, str], without: Mapping[str, str]
) -> tuple[list[tuple[str, str]], int]:
    """Return the labels that tell an alert apart, without what is said around it already.

    They come from outside: as many and as long as fit into a row, and how many more there are.
    """
    said = {"alertname", "severity", "book", "rule", "check"}
    alone = len(without) == len(given)
    found = [
        (ways.cut(name, 40), ways.cut(value, 60))
        for name, value in sorted(given.items())
        if name not in said and (alone or name not in without)
    ]
    return found[:LABELS], max(0, len(found) - LABELS)
