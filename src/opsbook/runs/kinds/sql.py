"""``sql`` steps: statements with bound parameters, carried out by an errand in one transaction.

A step that reads gets a read-only connection and the target's read credential; only one with
``effect=change`` gets the other. No target is a file in the server's own data folder, whatever link
leads there, and none the database of an Opsbook server: that is seen by what is in it, once the
errand is connected, since a host has more names than can be compared.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from opsbook.base.places import Places
from opsbook.book import postgres
from opsbook.book.queries import sql
from opsbook.runs import targets
from opsbook.runs.kinds.errand import errand
from opsbook.runs.kinds.kind import Place
from opsbook.runs.supervisor import StepRequest


class Sql:
    """Carries out its body as statements."""

    def request(
        self, place: Place, places: Places, scratch: Path, allowed: timedelta
    ) -> StepRequest:
        """The statements and the values that are bound to them.

        Raises:
            targets.NotReady: the target is none for SQL or cannot be used, or the text cannot be
                read.
        """
        at = targets.resolve(place.book, place.step)
        kind = at.target.kind if at.target is not None else ""
        try:
            found = sql.statements(place.step.body)
        except ValueError as error:
            raise targets.NotReady(f"The statements cannot be read: {error}.") from None
        names = frozenset().union(*(one.names for one in found))
        order: dict[str, Any] = {"values": {name: place.variables.get(name, "") for name in names}}
        if at.target is not None and kind == "postgresql":
            address = postgres.address(at.target.url or "")
            order |= {
                "statements": [one.formatted for one in found],
                "address": address | ({"user": at.user} if at.user else {}),
                "password": at.password,
            }
            plain = {**at.target.environment, "PGTZ": place.book.timezone}
        elif at.target is not None and kind == "sqlite":
            file = _outside(Path(at.target.path or ""), places)
            order |= {"statements": [one.text for one in found], "path": str(file)}
            plain = dict(at.target.environment)
        else:
            raise targets.NotReady("Nothing says on which postgresql or sqlite target.")
        return errand(kind, place, places, scratch, allowed, order, plain)


def _outside(file: Path, places: Places) -> Path:
    """The file, if it is none of the server's."""
    real = Path(os.path.realpath(file))
    inside = {Path(os.path.realpath(one)) for one in (places.data, places.steps, places.files)}
    if any(real == folder or real.is_relative_to(folder) for folder in inside):
        raise targets.NotReady(
            f"{file} lies in this server's own folder, which no step may touch.",
            remedy="Keep what steps work on elsewhere, or in a database server.",
        )
    return real
