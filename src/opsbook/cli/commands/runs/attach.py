"""``opsbook runs attach``."""

from __future__ import annotations

from pathlib import Path

import click

from opsbook.cli import options, output, server, words


@click.command()
@click.argument("run", type=int)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--step", required=True, metavar="KEY", help=words.STEP)
@click.option("--name", metavar="TEXT", help=words.FILE_NAME)
@click.option("--type", "kind", metavar="TYPE", help=words.MEDIA_TYPE)
@options.talks
def command(
    run: int, file: Path, step: str, name: str | None, kind: str | None, data: str | None, form: str
) -> None:
    """Attach a FILE to a manual step of a RUN. Needs a token of your own."""
    import mimetypes
    import uuid
    from urllib.parse import quote

    called = name or file.name
    made = server.find(data).send(
        f"/runs/{run}/steps/{server.part(step)}/evidence",
        file.read_bytes(),
        Content_Type=kind or mimetypes.guess_type(called)[0] or "application/octet-stream",
        File_Name=quote(called, safe=""),
        Idempotency_Key=str(uuid.uuid4()),
    )
    if form == "json":
        output.as_json(made)
        return
    output.say(words.ATTACHED.format(**{**made, "name": output.clean(made["name"])}))
