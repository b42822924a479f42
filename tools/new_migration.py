"""Write the next database version: what the tables say beyond what the versions so far make.

    .venv/bin/python tools/new_migration.py 0002 "what changes"

Read the file afterwards: a renamed column looks like a dropped and an added one to a machine. Then
set HEAD in src/opsbook/schema.py. The first version is made the same way, from nothing.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext

import opsbook
from opsbook import schema
from opsbook.base.database import Database, Instant, metadata, sqlite_url

TEMPLATE = '''"""{message}"""

import sqlalchemy as sa
from alembic import op

revision = "{version}"
down_revision = {before}


def upgrade() -> None:
    {code}
'''


def all_tables() -> None:
    """Import every module that declares tables."""
    for package in pkgutil.iter_modules(opsbook.__path__):
        name = f"opsbook.{package.name}.tables"
        if package.ispkg and importlib.util.find_spec(name):
            importlib.import_module(name)
    for name in ("events", "lease"):
        importlib.import_module(f"opsbook.base.{name}")


def render_item(kind: str, thing: Any, _context: Any) -> str | Literal[False]:
    """Write our own types as what the database sees: a version must not change with our code."""
    return "sa.BigInteger()" if kind == "type" and isinstance(thing, Instant) else False


def main(version: str, message: str) -> None:
    all_tables()
    versions = schema.SCRIPTS / "versions"
    before = sorted(file.name.split("_")[0] for file in versions.glob("[0-9]*.py"))
    with tempfile.TemporaryDirectory() as folder:
        database = Database(sqlite_url(Path(folder) / "before.db"))
        if before:
            schema.bring_up_to_date(database)
        with database.engine.connect() as connection, connection.begin():
            context = MigrationContext.configure(connection, opts={"render_item": render_item})
            made = produce_migrations(context, metadata)
            changes = made.upgrade_ops
            if changes is None:
                raise SystemExit("Nothing to compare: this is a bug.")
            code = render_python_code(changes, render_item=render_item, migration_context=context)
        database.engine.dispose()
    slug = "".join(char if char.isalnum() else "_" for char in message.lower()).strip("_")
    file = versions / f"{version}_{slug}.py"
    last = repr(before[-1]) if before else "None"
    file.write_text(
        TEMPLATE.format(message=message, version=version, before=last, code=code.strip())
    )
    sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
