"""`opsbook audit verify` holds the whole story, and names the entry that somebody edited."""

import sqlite3

import pytest

from tests.support.front_door import start
from tests.support.shopbook import write_shop


@pytest.fixture
def server(tmp_path):
    tmp_path.chmod(0o755)
    up = start(write_shop(tmp_path), data=tmp_path / "data")
    yield up
    up.stop()


def test_an_entry_that_was_edited_by_hand_is_named(server):
    run = server.call("run", "look", "-o", "json").json["id"]
    server.sealed()
    assert server.call("audit", "verify").status == 0
    story = server.call("audit", "list", "--thread", f"run:{run}", "-o", "json").json["entries"]
    started = next(one["id"] for one in story if one["action"] == "run.started")
    with sqlite3.connect(server.data / "opsbook.db", timeout=30) as database:
        database.execute("UPDATE audit_entry SET actor = 'account:9' WHERE id = ?", (started,))
    answer = server.call("audit", "verify")
    assert answer.status == 1
    assert "The chain is broken in 1 place" in answer.out
    assert f"entry {started} " in answer.out
    told = server.call("audit", "verify", "-o", "json")
    assert told.status == 1
    assert told.json["holds"] is False
    assert [one["entry"] for one in told.json["faults"]] == [started]
