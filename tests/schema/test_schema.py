"""The versions make exactly the tables that the packages declare, on both engines."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from opsbook import schema
from opsbook.base.database import Database, metadata, sqlite_url
from tests.support.databases import all_tables


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A database without tables."""
    all_tables()
    if request.param == "sqlite":
        return Database(sqlite_url(tmp_path / "test.db"))
    return Database(request.getfixturevalue("postgres_url"))


def test_the_versions_make_what_the_packages_declare(empty: Database) -> None:
    schema.bring_up_to_date(empty)
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    empty.engine.dispose()


def test_a_database_that_is_up_to_date_is_left_as_it_is(empty: Database) -> None:
    schema.bring_up_to_date(empty)
    schema.bring_up_to_date(empty)
    empty.engine.dispose()


def test_a_database_of_a_newer_version_is_refused_by_name(empty: Database) -> None:
    schema.bring_up_to_date(empty)
    with empty.engine.connect() as connection, connection.begin():
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(schema.NewerDatabase, match="of version 9999; this Opsbook knows"):
        schema.bring_up_to_date(empty)
    empty.engine.dispose()


def test_the_head_is_the_newest_version_there_is() -> None:
    versions = sorted(file.name[:4] for file in (schema.SCRIPTS / "versions").glob("[0-9]*.py"))
    assert versions[-1] == schema.HEAD
