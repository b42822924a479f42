"""``opsbook incidents resolve``."""

from __future__ import annotations

import click

from opsbook.cli import options, output, server, words


@click.command()
@click.argument("incident", type=int)
@options.note
@options.talks
def command(incident: int, note: str, data: str | None, form: str) -> None:
    """Declare an INCIDENT over, although its alerts may still fire. Needs a token of your own."""
    answer = server.find(data).post(f"/incidents/{incident}/resolve", {"note": note})
    if form == "json":
        output.as_json(answer)
    else:
        output.say(words.RESOLVED.format(glyph=output.glyph(answer["state"]), id=incident))
