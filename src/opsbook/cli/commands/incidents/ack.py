"""``opsbook incidents ack``."""

from __future__ import annotations

import click

from opsbook.cli import options, output, server, words


@click.command()
@click.argument("incident", type=int)
@options.note
@options.talks
def command(incident: int, note: str, data: str | None, form: str) -> None:
    """Say that you are on an INCIDENT: paging stops. Needs a token of your own."""
    answer = server.find(data).post(f"/incidents/{incident}/acknowledge", {"note": note})
    if form == "json":
        output.as_json(answer)
    else:
        output.say(words.ACKNOWLEDGED.format(glyph=output.glyph(answer["state"]), id=incident))
