"""``opsbook routes``: its commands are the files of this folder."""

from __future__ import annotations

import click

from opsbook.cli import words
from opsbook.cli.root import Lazy


@click.group(cls=Lazy, package=__name__, lines=words.ROUTES)
def command() -> None:
    """Routes: where alerts go, and what keeps them quiet."""
