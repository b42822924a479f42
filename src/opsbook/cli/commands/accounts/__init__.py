"""``opsbook accounts``: its commands are the files of this folder; alone it lists."""

from __future__ import annotations

import click

from opsbook.cli import words
from opsbook.cli.root import Lazy


@click.group(cls=Lazy, package=__name__, lines=words.ACCOUNTS, default="list")
def command() -> None:
    """Accounts: who can sign in, who cannot yet, and letting them in.

    Changing takes a personal token with the scope "accounts" (OPSBOOK_TOKEN).
    """
