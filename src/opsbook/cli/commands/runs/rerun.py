"""``opsbook runs rerun``."""

from __future__ import annotations

import uuid

import click

from opsbook.cli import given, options, output, server, words


@click.command()
@click.argument("run", type=int)
@click.option("--from", "step", metavar="KEY", help=words.FROM_STEP)
@click.option("--reason", required=True, metavar="TEXT", help=words.REASON)
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help=words.PARAM)
@click.option("--key", metavar="TEXT", help=words.KEY)
@options.talks
def command(
    run: int, step: str | None, reason: str, params: tuple[str, ...], key: str | None,
    data: str | None, form: str,
) -> None:  # fmt: skip
    """Start a RUN again, of the book as it is now: from a step on, or from the beginning.

    Parameters are those it had; secret ones have to be given again.
    """
    if not reason.strip():
        raise click.UsageError(words.NO_REASON)
    found = server.find(data)
    before = found.get(f"/runs/{run}")
    values = given.params(found, before["book"], before["runbook"], params)
    body = {"step": step, "reason": reason, "params": values}
    made = found.post(f"/runs/{run}/rerun", body, Idempotency_Key=key or str(uuid.uuid4()))
    if form == "json":
        output.as_json(made)
        return
    title = output.clean(made["title"])
    output.say(words.RERUN.format(of=run, id=made["id"], title=title, url=made["url"]))
