"""``opsbook accounts link``."""

from __future__ import annotations

import click

from opsbook.cli import options, words
from opsbook.cli.commands.accounts.asking import change, show_link


@click.command()
@click.argument("login")
@click.option("--offline", is_flag=True, help=words.OFFLINE)
@click.option("--database", metavar="URL", help=words.UP_DATABASE_OPTION)
@options.talks
def command(login: str, offline: bool, database: str | None, data: str | None, form: str) -> None:
    """Make a new one-time link for the account LOGIN; its earlier ones are void.

    With --offline it is made in the database itself, without a token and for a first administrator
    only: the way back where nobody else can let them in. It is on record.
    """
    if not offline and database is not None:
        raise click.UsageError(words.DATABASE_ONLINE)
    show_link(_offline(login, data, database) if offline else change(data, login, "link"), form)


def _offline(login: str, data: str | None, url: str | None) -> dict[str, object]:
    from opsbook.access import managing
    from opsbook.base.clock import SystemClock
    from opsbook.base.database import Database, Transaction, sqlite_url
    from opsbook.base.errors import StartError
    from opsbook.cli import server
    from opsbook.schema import require_today
    from opsbook.settings import Settings
    from opsbook.web.api.models import iso

    settings = Settings.from_env((), data=data, database=url)
    folder = settings.data.expanduser().absolute()
    file = folder / "opsbook.db"
    if settings.database is None and not file.exists():
        raise StartError(words.NO_DATABASE.format(data=folder), remedy=words.NO_DATABASE_REMEDY)
    database = Database(settings.database or sqlite_url(file))
    now = SystemClock().now()
    try:
        require_today(database)
        with database.engine.connect() as connection, connection.begin():
            raw = managing.way_back(Transaction(connection), now, login)
    finally:
        database.engine.dispose()
    host, port = settings.listen
    at = server.local_url(folder) or f"http://{host}:{port}"
    expires = iso(now + managing.WAY_BACK)
    return {"login": login, "url": f"{at}/sign-in/link/{raw}", "expires_at": expires}
