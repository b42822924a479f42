"""``opsbook export alertmanager``."""

from __future__ import annotations

from pathlib import Path

import click

from opsbook.cli import carrying, options, words


@click.command()
@click.argument("book", type=click.Path(path_type=Path))
@carrying.into
@carrying.url
@click.option("--without-opsbook", "alone", is_flag=True, help=words.EXPORT_ALONE)
@options.output_format
def command(book: Path, into: Path | None, url: str, alone: bool, form: str) -> int:
    """Write BOOK's routes, receivers, inhibitions and time intervals as an alertmanager.yml.

    What Alertmanager has no word for stands in comments, which `opsbook import alertmanager` reads
    back. Secrets are read from files in secrets/ beside it; which ones is told. Needs no running
    server.
    """
    from opsbook.alerts.exchange import alertmanager_out

    made = alertmanager_out.write(carrying.book(book), url=url, alone=alone)
    return carrying.exported(made, book, into, form)
