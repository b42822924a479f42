"""``opsbook export prometheus``."""

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
    """Write BOOK's rules in PromQL as a rule file for Prometheus.

    Rules with examples (tests:) also come as a file for `promtool test rules`. Rules over checks
    are Opsbook's own. Needs no running server.
    """
    from opsbook.alerts.exchange import rules_out

    made = rules_out.write(carrying.book(book), url=url)
    return carrying.exported(made, book, into, form)
