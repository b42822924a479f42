"""Telling the engine to look at a run again, and the other packages what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from opsbook.base import events
from opsbook.base.database import Transaction
from opsbook.runs import rows
from opsbook.runs.tables import run


def wake(tx: Transaction, now: datetime, row: Mapping[str, Any]) -> None:
    """Let the engine look at a run again; it says by itself what has changed."""
    if rows.claim(tx, run, row["id"], {"state": "waiting"}, state="running"):
        announce(tx, now, "run.changed", {**row, "state": "running"})
    tx.touch("runs", f"run:{row['id']}")


def announce(
    tx: Transaction, now: datetime, kind: str, row: Mapping[str, Any], **more: Any
) -> None:
    """Tell the other packages, in the transaction of what happened."""
    told = {name: row[name] for name in ("state", "trigger", "thread", "book")}
    events.publish(tx, now, kind, f"run:{row['id']}", {"run": row["id"], **told, **more})
