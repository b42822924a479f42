"""``opsbook import``: its commands are the files of this folder."""

from __future__ import annotations

import click

from opsbook.cli import words
from opsbook.cli.root import Lazy


@click.group(cls=Lazy, package=__name__, lines=words.IMPORT)
def command() -> None:
    """Import: configurations of other programs, as files of a book."""
