"""``opsbook export``: its commands are the files of this folder."""

from __future__ import annotations

import click

from opsbook.cli import words
from opsbook.cli.root import Lazy


@click.group(cls=Lazy, package=__name__, lines=words.EXPORT)
def command() -> None:
    """Export: a book's alerting in the forms of Prometheus, Alertmanager and Grafana."""
