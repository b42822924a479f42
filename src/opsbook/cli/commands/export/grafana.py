"""``opsbook export grafana``."""

from __future__ import annotations

from pathlib import Path

import click

from opsbook.cli import carrying, options


@click.command()
@click.argument("book", type=click.Path(path_type=Path))
@carrying.into
@carrying.url
@options.output_format
def command(book: Path, into: Path | None, url: str, form: str) -> int:
    """Write dashboards for what BOOK asks a Prometheus, a JSON file for each.

    One for each dashboard of the book, for each service that checks in PromQL look after, and for
    the rules in PromQL. Needs no running server.
    """
    from opsbook.alerts.exchange import grafana

    made = grafana.write(carrying.book(book), url=url)
    return carrying.exported(made, book, into, form)
