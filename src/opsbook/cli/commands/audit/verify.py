"""``opsbook audit verify``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from opsbook.cli import options, output, server, words

WHOLE_CHAIN = 900.0


@click.command()
@options.talks
def command(data: str | None, form: str) -> int:
    """Check every entry against the sealed chain and name each that was changed or removed.

    Exits with 1 if the chain is broken. Entries that wait for the next seal are no fault.
    """
    answer = replace(server.find(data), patience=WHOLE_CHAIN).get("/audit/verify")
    if form == "json":
        output.as_json(answer)
    else:
        _show(answer)
    return int(not answer["holds"])


def _show(verdict: dict[str, Any]) -> None:
    if verdict["holds"]:
        output.say(words.HOLDS.format(**verdict))
    else:
        places = words.plural(len(verdict["faults"]), "place")
        output.say(words.BROKEN.format(places=places, **verdict))
    for fault in verdict["faults"]:
        output.say((words.FAULT if fault["entry"] else words.FAULT_GONE).format(**fault))
    if verdict["waiting"]:
        output.say(f"  {words.WAITING.format(**verdict)}")
