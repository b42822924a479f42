"""``opsbook version``."""

from __future__ import annotations

import click

from opsbook import __version__
from opsbook.cli import options


@click.command()
@options.output_format
def command(form: str) -> None:
    """Show the version of this Opsbook. Needs no running server."""
    click.echo(f'{{"version": "{__version__}"}}' if form == "json" else f"opsbook {__version__}")
