"""``opsbook accounts invite``."""

from __future__ import annotations

import click

from opsbook.cli import options, server
from opsbook.cli.commands.accounts.asking import show_link


@click.command()
@click.argument("login")
@options.talks
def command(login: str, data: str | None, form: str) -> None:
    """Make the account LOGIN and show its one-time link, this once.

    LOGIN is the person's `account` in the book, or else their id.
    """
    show_link(server.find(data).post("/accounts", {"login": login}), form)
