"""``opsbook accounts enable``."""

from __future__ import annotations

import click

from opsbook.cli import options, output, words
from opsbook.cli.commands.accounts.asking import change


@click.command()
@click.argument("login")
@options.talks
def command(login: str, data: str | None, form: str) -> None:
    """Let the disabled account LOGIN in again; its password works, its tokens stay dead."""
    answer = change(data, login, "enable")
    if form == "json":
        output.as_json(answer)
    else:
        output.say(words.ACCOUNT_ENABLED.format(login=login))
