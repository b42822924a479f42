"""Programs of the book, run for real under the supervisor."""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from opsbook.base import places
from opsbook.base.clock import WoundClock
from opsbook.base.database import Database
from opsbook.book import Book, BookError, Vocabulary, load
from opsbook.checks import KINDS, Observation, references
from opsbook.checks.lent import Lent, Program
from opsbook.checks.looking import Looker
from opsbook.checks.plan import Planned
from opsbook.runs.programs import Programs
from opsbook.runs.supervisor import Spawner
from tests.checks import making
from tests.checks.making import FACTS, Looking
from tests.support.watched import step_user

SECRET = "correct-horse-battery-7"
DISK_PLUGIN = """\
#!/bin/sh
echo "DISK $1 - 3 % free | free=3%;10;5"
echo more
exit "$2"
"""


def with_plugin(book: Book) -> Book:
    vocabulary = Vocabulary(check_kinds={name: kind.model for name, kind in KINDS.items()})
    return load({**book.files, "files/check_disk": DISK_PLUGIN}, vocabulary)


class Running:
    """Looks at programs of a book that has files."""

    def __init__(self, now: datetime, data: Path, spawner: Spawner) -> None:
        self.places = places.prepare(data, places.step_user(step_user()))
        self.programs = Programs(spawner, self.places, lambda: (SECRET,))
        self.books: dict[str, Any] = {}
        lent = Lent(
            database=cast("Database", SimpleNamespace()), book=lambda name: self.books[name],
            data=data, programs=self.programs,
        )  # fmt: skip
        self.looker = Looker(WoundClock(now), KINDS, lent)

    async def look(self, *run: str, **check: Any) -> Observation:
        about = {"kind": "command", "run": list(run), "timeout": "10s", **check}
        whole = with_plugin(making.book({"it": about}))
        self.books["shop"] = whole
        return await self.looker.look(Planned.of("shop", whole.checks["it"], FACTS.by_name()))

    def left(self) -> list[Path]:
        return list(self.places.steps.iterdir())


@pytest.fixture
def outer() -> Iterator[Path]:
    """A folder that other users can pass through, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
async def running(now: datetime, outer: Path) -> AsyncIterator[Running]:
    spawner = Spawner()
    await spawner.start()
    one = Running(now, outer / "data", spawner)
    yield one
    await one.programs.stop()
    await one.looker.close()
    await spawner.stop()


def gone(pid: int) -> bool:
    try:
        return b") Z " in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return True


@pytest.mark.parametrize(
    ("status", "state"),
    [(0, "ok"), (1, "warning"), (2, "critical"), (3, "nodata"), (4, "critical"), (77, "critical")],
)
async def test_the_exit_status_says_the_state_as_plugins_of_nagios_have_it(
    running: Running, status: int, state: str
) -> None:
    seen = await running.look("files/check_disk", "WORD", str(status))
    assert (seen.state, seen.value, seen.message) == (state, None, "DISK WORD - 3 % free")
    assert running.left() == []


async def test_a_book_may_give_exit_statuses_another_meaning(running: Running) -> None:
    exits = {0: "ok", 1: "critical", "other": "nodata"}
    for status, state in ((0, "ok"), (1, "critical"), (9, "nodata"), (2, "critical")):
        seen = await running.look("files/check_disk", "A", str(status), exits=exits)
        assert seen.state == state, status


async def test_a_number_of_the_output_is_the_value_and_the_bands_judge_it(
    running: Running,
) -> None:
    fields = {"number": r"free=(\d+)%", "unit": "%", "bands": {"warning": "< 10%"}}
    seen = await running.look("files/check_disk", "OK", "0", **fields)
    assert (seen.state, seen.value, seen.unit) == ("warning", 3.0, "%")
    seen = await running.look("files/check_disk", "BAD", "2", **fields)
    assert (seen.state, seen.value) == ("critical", 3.0)  # worse than the bands would have it
    seen = await running.look("echo", "nothing", **fields)
    assert seen.state == "nodata"
    assert "no number was found in what it said: nothing" in seen.message


async def test_the_output_can_be_asked_for_words_and_patterns(running: Running) -> None:
    assert (await running.look("echo", "all well", contains="well")).state == "ok"
    seen = await running.look("echo", "all well", contains="ready")
    assert (seen.state, seen.message) == ("critical", "does not say 'ready': all well")
    assert (await running.look("echo", "all well", matches="^all w.ll$")).state == "ok"
    seen = await running.look("echo", "all well", matches="^well")
    assert (seen.state, seen.message) == ("critical", "does not match '^well': all well")


async def test_it_finds_nothing_of_the_servers_and_runs_as_the_steps_user(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_SECRET", "not-for-programs")
    whole = await said(running, "sh", "-c", 'env; echo "user=$(id -u)"; ls -l /proc/self/fd')
    assert "not-for-programs" not in whole
    names = {line.partition("=")[0] for line in whole.splitlines() if "=" in line}
    assert names >= {"PATH", "HOME", "TMPDIR", "LANG", "TZ", "OPSBOOK_BOOK", "OPSBOOK_CHECK"}
    assert "OPSBOOK_CHECK=it" in whole
    assert "TZ=Asia/Seoul" in whole
    expected = running.places.user[0] if running.places.user else os.geteuid()
    assert f"user={expected}" in whole
    assert "socket:" not in whole


async def said(running: Running, *run: str, **environment: str) -> str:
    """All that a program says."""
    whole = making.book({"it": {"kind": "command", "run": list(run)}})
    ended = await running.programs(
        Program(
            book=whole, check="it", argv=run, environment=environment,
            secrets=tuple(environment.values()), timeout=whole.checks["it"].timeout,
        )
    )  # fmt: skip
    return ended.output


async def test_its_secrets_reach_it_and_are_hidden_in_what_it_says(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter-and-gatherer-2")
    check = {
        "run": ["sh", "-c", f"echo got $PASSWORD and {SECRET} $PLAIN"],
        "environment": {"PASSWORD": "env:SHOP_PASSWORD", "PLAIN": "words"},
    }
    seen = await running.look(*check["run"], environment=check["environment"])
    assert (seen.state, seen.message) == ("ok", "got •••• and •••• words")
    loaded = making.book({"it": {"kind": "command", **check}})
    assert list(references.of_book(loaded)) == ["env:SHOP_PASSWORD"]
    monkeypatch.delenv("SHOP_PASSWORD")
    seen = await running.look(*check["run"], environment=check["environment"])
    assert seen.state == "nodata"
    assert "env:SHOP_PASSWORD is not set" in seen.message


async def test_what_cannot_be_run_is_missing_data(running: Running) -> None:
    seen = await running.look("no-such-program")
    assert seen.state == "nodata"
    assert "no-such-program" in seen.message
    seen = await running.look("files/none")
    assert seen.state == "nodata"
    assert seen.message == "The book has no file 'files/none'. It has: files/check_disk."
    seen = await running.look("files/../../../bin/true")
    assert "The book has no file" in seen.message
    seen = await running.look("sh", "-c", "kill -9 $$")
    assert seen.state == "nodata"
    assert "was ended" in seen.message


async def test_what_takes_too_long_is_ended_with_whatever_left_its_session(
    running: Running, outer: Path
) -> None:
    shared = outer / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    script = (
        f"setsid -f sh -c 'echo $$ >> {shared}/pids; exec sleep 60'; trap '' TERM; "
        f"sh -c 'echo $$ >> {shared}/pids; exec sleep 61' & sleep 62; sleep 63"
    )
    seen = await running.look("sh", "-c", script, timeout="500ms")
    assert (seen.state, seen.message) == ("nodata", "no answer within 500ms")
    busy = await running.look("true")
    assert busy.state == "nodata"
    assert busy.message == "The program of the look before has not ended yet."
    until = time.monotonic() + 20
    while running.left() and time.monotonic() < until:
        await asyncio.sleep(0.02)
    assert running.left() == []
    pids = [int(word) for word in (shared / "pids").read_text().split()]
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)
    assert (await running.look("true")).state == "ok"


async def test_children_that_escape_do_not_outlive_a_program_that_ends(
    running: Running,
) -> None:
    whole = await said(running, "sh", "-c", "setsid -f sleep 60; pgrep -n sleep; echo done")
    assert "done" in whole
    pids = [int(word) for word in whole.split() if word.isdecimal()]
    assert all(gone(pid) for pid in pids)


async def test_a_flood_of_output_is_bounded(running: Running) -> None:
    whole = await said(running, "sh", "-c", "echo first; yes | head -c 5000000; echo last")
    assert len(whole) < 100_000
    assert whole.startswith("first\n")
    assert whole.endswith("last\n")


async def test_stopping_ends_what_runs(running: Running) -> None:
    look = asyncio.create_task(running.look("sleep", "60"))
    while not running.left():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    await running.programs.stop()
    seen = await look
    assert seen.state == "nodata"
    assert running.left() == []


async def test_without_a_supervisor_nothing_is_run(looking: Looking) -> None:
    seen = await looking.look(kind="command", run=["true"])
    assert (seen.state, seen.message) == ("nodata", "no programs are run here")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"run": []}, "run"),
        ({"run": [""]}, "names no program"),
        ({"run": ["a"], "exits": {"x": "ok"}}, "'x' is no exit status"),
        ({"run": ["a"], "exits": {256: "ok"}}, "256 is no exit status"),
        ({"run": ["a"], "exits": {0: "fine"}}, "exits"),
        ({"run": ["a"], "environment": {"OPSBOOK_X": "1"}}, "are set by Opsbook"),
        ({"run": ["a"], "number": "x"}, "has 0 groups"),
    ],
)
async def test_a_book_must_say_what_can_be_run(
    looking: Looking, fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(BookError, match=told):
        await looking.look(kind="command", **fields)
