"""The database's shape: bringing an empty or older database up to this version, or refusing it.

Only ``app`` uses this. The current version is read without Alembic, which costs a third of a
second to import: a start that has nothing to change does not pay for it.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from opsbook.base.database import Database
from opsbook.base.errors import StartError

HEAD = "0006"
SCRIPTS = Path(__file__).parent / "migrations"


class NewerDatabase(StartError):
    """The database was written by a newer Opsbook."""


def bring_up_to_date(database: Database) -> None:
    """Create or migrate the tables.

    Raises:
        NewerDatabase: the database is at a version that this Opsbook does not know.
        StartError: the database cannot be opened.
    """
    try:
        with database.engine.connect() as connection, connection.begin():
            version = _version(connection)
    except sa.exc.DBAPIError as error:
        where = sa.engine.make_url(database.url).render_as_string(hide_password=True)
        raise StartError(
            f"The database {where} cannot be opened: {error.orig}.",
            remedy="Check that it runs, and that --database names it rightly.",
        ) from error
    if version == HEAD:
        return
    known = {file.name.split("_")[0] for file in (SCRIPTS / "versions").glob("*.py")}
    if version is not None and version not in known:
        raise NewerDatabase(
            f"The database is of version {version}; this Opsbook knows versions up to {HEAD}.",
            remedy="Start the newer Opsbook again, or restore the backup made before it was used.",
        )
    _migrate(database)


def require_today(database: Database) -> None:
    """Do nothing where the tables are those this Opsbook knows; nothing is migrated.

    Raises:
        StartError: the database cannot be opened, or is of another version.
    """
    try:
        with database.engine.connect() as connection, connection.begin():
            version = _version(connection)
    except sa.exc.DBAPIError as error:
        raise StartError(
            f"The database cannot be opened: {error.orig}.", remedy="Check that it is the server's."
        ) from error
    if version != HEAD:
        raise StartError(
            f"The database is of version {version}; this Opsbook is of {HEAD}.",
            remedy="Use the Opsbook that runs on it, or start this one with `opsbook up` once.",
        )


def has_run(database: Database, source: str) -> bool:
    """Tell whether a book that came from this source has a running revision, reading only.

    Asked before the start, so of a database that may be older or not be one of ours at all.
    """
    query = sa.text(
        "SELECT 1 FROM book_source JOIN book_current ON book_current.book = book_source.book"
        " WHERE book_source.source = :source"
    )
    try:
        with database.engine.connect() as connection:
            if not sa.inspect(connection).has_table("book_source"):
                return False
            return connection.execute(query, {"source": source}).first() is not None
    except sa.exc.DBAPIError:
        return False


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(
        sa.text("SELECT version_num FROM alembic_version")
    ).scalar()
    return found


def _migrate(database: Database) -> None:
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    with database.engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, HEAD)
