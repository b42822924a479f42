"""``opsbook import alertmanager``."""

from __future__ import annotations

from pathlib import Path

import click

from opsbook.cli import carrying, options, words


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--into", type=click.Path(path_type=Path), metavar="BOOK", help=words.IMPORT_INTO)
@carrying.severities
@options.output_format
def command(file: Path, into: Path | None, severities: tuple[str, ...], form: str) -> int:
    """Carry an alertmanager.yml over into the files of a book.

    Everything that has no counterpart or is deprecated is named with its place, all at once.
    Secrets do not come along: each becomes env:NAME, and it is told what to set from which line.
    With --severity, routes and inhibitions ask for the book's severities, and the intake translates
    what is handed in.
    Nothing is overwritten. Needs no running server.
    """
    from opsbook.alerts.exchange import alertmanager_in
    from opsbook.alerts.exchange.severities import words as said

    text, known = carrying.text(file), carrying.known(into)
    given = said(severities, known)
    with carrying.refusals(file, form):
        made = alertmanager_in.read(text, str(file), known, given)
    return carrying.imported(made, file, into, form)
