from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from opsbook import audit
from opsbook.audit.seal import START, entry_hash
from opsbook.audit.tables import entry, seal
from opsbook.base.database import Database, Transaction


@pytest.fixture
async def sealed(database: Database, now: datetime, tmp_path: Path) -> Path:
    """Ten entries in two seals; returns the key folder."""
    folder = tmp_path / "audit"
    sealer = audit.Sealer(database, folder)
    for batch in (range(6), range(6, 10)):
        for n in batch:
            await database.write(lambda tx, n=n: record(tx, now, n))
        await sealer.tick(now)
    return folder


def record(tx: Transaction, now: datetime, n: int) -> None:
    audit.record(tx, now, "account:1", "thing.done", f"thing:{n}", data={"n": n}, text=f"note {n}")


async def verdict(database: Database, folder: Path) -> audit.Verdict:
    return await database.read(lambda tx: audit.verify(tx, folder))


async def test_an_untouched_chain_holds(database: Database, sealed: Path) -> None:
    found = await verdict(database, sealed)
    assert (found.holds, found.checked, found.seals, found.waiting) == (True, 10, 2, 0)


async def test_entries_that_wait_for_the_sealer_are_no_fault(
    database: Database, sealed: Path, now: datetime
) -> None:
    await database.write(lambda tx: record(tx, now, 11))
    found = await verdict(database, sealed)
    assert (found.holds, found.waiting) == (True, 1)


EDITS: dict[str, Callable[[], sa.Executable]] = {
    "actor": lambda: sa.update(entry).where(entry.c.seq == 4).values(actor="account:2"),
    "time": lambda: (
        sa.update(entry)
        .where(entry.c.seq == 4)
        .values(at=datetime.fromisoformat("2020-01-01T00:00:00+00:00"))
    ),
    "data": lambda: sa.update(entry).where(entry.c.seq == 4).values(data={"n": 99}),
    "subject": lambda: sa.update(entry).where(entry.c.seq == 4).values(subject="thing:99"),
    "text": lambda: sa.update(entry).where(entry.c.seq == 4).values(text="other words"),
    "hash": lambda: sa.update(entry).where(entry.c.seq == 4).values(hash="0" * 64),
}


@pytest.mark.parametrize("field", EDITS)
async def test_an_edited_entry_is_named(database: Database, sealed: Path, field: str) -> None:
    await database.write(lambda tx: tx.execute(EDITS[field]()))
    found = await verdict(database, sealed)
    assert not found.holds
    assert found.faults[0].seq == 4
    assert found.faults[0].entry == 4


async def test_a_deleted_entry_is_named(database: Database, sealed: Path) -> None:
    await database.write(lambda tx: tx.execute(sa.delete(entry).where(entry.c.seq == 4)))
    found = await verdict(database, sealed)
    assert ("The entry was deleted.", 4) in [(one.message, one.seq) for one in found.faults]


async def test_a_chain_rewritten_from_an_entry_on_fails_at_the_signature(
    database: Database, sealed: Path
) -> None:
    def rewrite(tx: Transaction) -> None:
        tx.execute(sa.update(entry).where(entry.c.seq == 4).values(actor="account:2"))
        rows = tx.rows(sa.select(entry).order_by(entry.c.seq))
        head = START
        for row in rows:
            head = entry_hash(head, row)
            tx.execute(sa.update(entry).where(entry.c.id == row["id"]).values(hash=head))
            tx.execute(sa.update(seal).where(seal.c.last_seq == row["seq"]).values(head=head))

    await database.write(rewrite)
    found = await verdict(database, sealed)
    assert "signature over entries 1 to 6" in found.faults[0].message


async def test_a_removed_seal_is_named(database: Database, sealed: Path) -> None:
    await database.write(lambda tx: tx.execute(sa.delete(seal).where(seal.c.last_seq == 6)))
    found = await verdict(database, sealed)
    assert "The seal over entries 1 to 6 is gone." in [one.message for one in found.faults]


async def test_a_seal_that_was_dated_back_is_named(
    database: Database, sealed: Path, now: datetime
) -> None:
    earlier = sa.update(seal).where(seal.c.last_seq == 6).values(at=now - timedelta(days=1))
    await database.write(lambda tx: tx.execute(earlier))
    assert [one.seq for one in (await verdict(database, sealed)).faults] == [6]


async def test_an_emptied_list_of_heads_is_noticed(database: Database, sealed: Path) -> None:
    (sealed / "heads.log").write_text("")
    assert "heads.log" in (await verdict(database, sealed)).faults[0].message


async def test_an_entry_that_cannot_even_be_read_is_named(
    sqlite_database: Database, now: datetime, tmp_path: Path
) -> None:
    sealer = audit.Sealer(sqlite_database, tmp_path / "audit")
    for n in range(3):
        await sqlite_database.write(lambda tx, n=n: record(tx, now, n))
    await sealer.tick(now)
    spoil = sa.text("UPDATE audit_entry SET data = 'not json' WHERE seq = 2")
    await sqlite_database.write(lambda tx: tx.execute(spoil))
    found = await verdict(sqlite_database, tmp_path / "audit")
    assert [one.seq for one in found.faults] == [2]


async def test_cutting_off_the_newest_part_is_noticed(database: Database, sealed: Path) -> None:
    def cut(tx: Transaction) -> None:
        tx.execute(sa.delete(entry).where(entry.c.seq > 6))
        tx.execute(sa.delete(seal).where(seal.c.last_seq > 6))

    await database.write(cut)
    found = await verdict(database, sealed)
    assert "cut off" in found.faults[0].message


async def test_a_persons_words_can_be_erased_without_breaking_the_chain(
    database: Database, sealed: Path
) -> None:
    erase = sa.update(entry).where(entry.c.seq == 4).values(text=None, text_salt=None)
    await database.write(lambda tx: tx.execute(erase))
    assert (await verdict(database, sealed)).holds


async def test_sealing_goes_on_where_a_crash_left_it(
    database: Database, sealed: Path, now: datetime
) -> None:
    (sealed / "heads.log").write_text(
        "".join((sealed / "heads.log").read_text().splitlines(keepends=True)[:1])
    )
    await database.write(lambda tx: record(tx, now, 11))
    await audit.Sealer(database, sealed).tick(now)
    found = await verdict(database, sealed)
    assert (found.holds, found.checked, found.seals) == (True, 11, 3)
    assert len((sealed / "heads.log").read_text().splitlines()) == 3
