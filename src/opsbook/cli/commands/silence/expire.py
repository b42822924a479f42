"""``opsbook silence expire``."""

from __future__ import annotations

import click

from opsbook.cli import options, output, server, words


@click.command()
@click.argument("silence")
@options.talks
def command(silence: str, data: str | None, form: str) -> None:
    """End a SILENCE now; what still fires is told."""
    answer = server.find(data).post(f"/silences/{server.part(silence)}/expire", {})
    if form == "json":
        output.as_json(answer)
    else:
        output.say(words.UNSILENCED.format(glyph=output.glyph(answer["state"]), id=silence))
