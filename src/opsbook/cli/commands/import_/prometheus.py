"""``opsbook import prometheus``."""

from __future__ import annotations

from pathlib import Path

import click

from opsbook.cli import carrying, options, words


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...",
                type=click.Path(path_type=Path))  # fmt: skip
@click.option("--into", type=click.Path(path_type=Path), metavar="BOOK", help=words.IMPORT_INTO)
@click.option("--severity", "severities", multiple=True, metavar="[WORD=]ID",
              help=words.IMPORT_SEVERITY)  # fmt: skip
@options.output_format
def command(
    files: tuple[Path, ...], into: Path | None, severities: tuple[str, ...], form: str
) -> int:
    """Carry Prometheus' alerting rules over, also from a PrometheusRule of Kubernetes.

    What has no counterpart is named with its place. Nothing is overwritten. Needs no running
    server.
    """
    from opsbook.alerts.exchange import rules_in

    texts = {str(file): carrying.text(file) for file in files}
    known = carrying.known(into)
    with carrying.refusals(files[0], form):
        made = rules_in.read(texts, known, rules_in.words(severities))
    return carrying.imported(made, files[0], into, form)
