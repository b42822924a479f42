"""``opsbook silence``: its commands are the files of this folder; alone it lists."""

from __future__ import annotations

import click

from opsbook.cli import words
from opsbook.cli.root import Lazy


@click.group(cls=Lazy, package=__name__, lines=words.SILENCE, default="list")
def command() -> None:
    """Silences: alerts go on firing, and nobody is told of them for a while."""
