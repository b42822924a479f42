"""What the books are run against: a folder with stand-ins, and a shop's database."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.books.running import Around
from tests.support.runs import open_folder
from tests.support.servers import Postgres

TABLES = """
CREATE TABLE orders (id serial PRIMARY KEY, created_at timestamptz DEFAULT now(), state text);
CREATE TABLE payments (id serial PRIMARY KEY, order_id int REFERENCES orders);
INSERT INTO orders (state) SELECT 'paid' FROM generate_series(1, 12);
INSERT INTO payments (order_id) SELECT id FROM orders;
"""


@pytest.fixture
def around() -> Iterator[Around]:
    with open_folder() as folder:
        yield Around(folder)


@pytest.fixture
def shop_database(postgres: Postgres) -> Iterator[Path]:
    """The folder of the socket on which a database called shop answers."""
    postgres.drop("shop")
    postgres.create("shop")
    with psycopg.connect(postgres.url("shop"), autocommit=True) as connection:
        connection.execute(TABLES)
    yield postgres.folder
    postgres.drop("shop")
