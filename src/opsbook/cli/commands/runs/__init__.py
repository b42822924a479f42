"""``opsbook runs``: its commands are the files of this folder; alone it lists."""

from __future__ import annotations

import click

from opsbook.cli import words
from opsbook.cli.root import Lazy


@click.group(cls=Lazy, package=__name__, lines=words.RUNS, default="list")
def command() -> None:
    """Runs: what was started, how far it is, and what it waits for."""
