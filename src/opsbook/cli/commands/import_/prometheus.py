"""``opsbook import prometheus``."""

from __future__ import annotations

from pathlib import Path

import click

from opsbook.cli import carrying, options, words


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...",
                type=click.Path(path_type=Path))  # fmt: skip
@click.option("--into", type=click.Path(path_type=Path), metavar="BOOK", help=words.IMPORT_INTO)
@carrying.severities
@options.output_format
def command(
    files: tuple[Path, ...], into: Path | None, severities: tuple[str, ...], form: str
) -> int:
    """Carry Prometheus' alerting rules over, also from a PrometheusRule of Kubernetes.

    What has no counterpart is named with its place, and so is every severity that the book does not
    have and --severity does not translate: then nothing is written. Nothing is overwritten. Needs
    no running server.
    """
    from opsbook.alerts.exchange import rules_in
    from opsbook.alerts.exchange.severities import words as said

    texts = {str(file): carrying.text(file) for file in files}
    known = carrying.known(into)
    given = said(severities, known)
    with carrying.refusals(files[0], form):
        made = rules_in.read(texts, known, given)
    return carrying.imported(made, files[0], into, form)
