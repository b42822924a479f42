"""``opsbook accounts disable``."""

from __future__ import annotations

import click

from opsbook.cli import options, output, words
from opsbook.cli.commands.accounts.asking import change


@click.command()
@click.argument("login")
@options.talks
def command(login: str, data: str | None, form: str) -> None:
    """Shut the account LOGIN out: sessions, links and tokens end at once."""
    answer = change(data, login, "disable")
    if form == "json":
        output.as_json(answer)
    else:
        output.say(words.ACCOUNT_DISABLED.format(login=login))
