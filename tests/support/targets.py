"""Books with targets on an engine, and a PostgreSQL with a role for each effect."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import psycopg.sql
import pytest

from opsbook.book import Book, load
from tests.support.runs import BOOK, VOCABULARY, Stage, runbook
from tests.support.servers import Postgres

READER, WRITER = "shop_reader", "shop_writer"


def files(body: str, head: str = "", targets: str = "") -> dict[str, str]:
    """A book with these targets whose runbook `fix` has this body."""
    written = {"targets.yaml": f"targets:\n{targets}"} if targets else {}
    book = BOOK.format(file="/nowhere")
    return {"book.yaml": book, "runbooks/fix.md": runbook(body, head), **written}


async def published(stage: Stage, body: str, head: str = "", targets: str = "") -> Book:
    return await stage.publish(load(files(body, head, targets), VOCABULARY))


async def outcome(stage: Stage, run_id: int, key: str = "s") -> tuple[str, str, str]:
    """How a step came out: its state, the message, and what it wrote."""
    step = (await stage.steps(run_id))[key]
    text = await stage.text(run_id, key) if step["attempts"] else ""
    return step["state"], step["message"], text


@dataclass(frozen=True)
class ShopDatabase:
    """A database with orders in it. Both roles need their passwords."""

    folder: Path
    name: str
    reader_password: str
    writer_password: str
    admin_url: str

    @property
    def url(self) -> str:
        return f"postgresql:///{self.name}?host={self.folder}"

    @property
    def target(self) -> str:
        """The target `orders`, with both credentials in the environment."""
        return (
            f"  orders:\n    title: Orders\n    kind: postgresql\n    url: {self.url}\n"
            f"    read: {{user: {READER}, password: env:ORDERS_READ}}\n"
            f"    change: {{user: {WRITER}, password: env:ORDERS_CHANGE}}\n"
        )

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture
def shop_database(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[ShopDatabase]:
    name = f"shop_{uuid.uuid4().hex[:12]}"
    postgres.create(name)
    shop = ShopDatabase(
        postgres.folder, name, f"read-{uuid.uuid4().hex}", f"change-{uuid.uuid4().hex}",
        postgres.url(name),
    )  # fmt: skip
    _passwords_are_asked_for(postgres)
    with psycopg.connect(shop.admin_url, autocommit=True) as admin:
        for role, password in ((READER, shop.reader_password), (WRITER, shop.writer_password)):
            exists = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
            verb = psycopg.sql.SQL("ALTER" if exists else "CREATE")
            admin.execute(
                psycopg.sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
                    verb, psycopg.sql.Identifier(role), psycopg.sql.Literal(password)
                )
            )
        admin.execute("CREATE TABLE orders (id integer PRIMARY KEY, shop text, paid numeric)")
        admin.execute("INSERT INTO orders VALUES (1, 'seoul', 10.50), (2, 'busan', 3)")
        admin.execute("GRANT SELECT ON orders TO shop_reader")
        admin.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO shop_writer, shop_reader")
    monkeypatch.setenv("ORDERS_READ", shop.reader_password)
    monkeypatch.setenv("ORDERS_CHANGE", shop.writer_password)
    yield shop
    postgres.drop(name)


def _passwords_are_asked_for(postgres: Postgres) -> None:
    """Of these two roles, and its socket can be reached by the steps' user."""
    rules = postgres.folder / "data" / "pg_hba.conf"
    ours = f"local all {READER},{WRITER} scram-sha-256\n"
    if not rules.read_text().startswith(ours):
        rules.write_text(ours + rules.read_text())
        postgres.folder.chmod(0o711)
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
            connection.execute("SELECT pg_reload_conf()")
