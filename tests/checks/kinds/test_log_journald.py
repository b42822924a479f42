"""The journal, by a stand-in for journalctl that answers from a recording and keeps its words."""

import json
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from opsbook.checks import journal, printing
from opsbook.checks.model import Observation
from tests.checks.making import Looking

PROGRAM = """\
#!/usr/bin/python3 -IS
import json, pathlib, sys
here = pathlib.Path({here!r})
with (here / "asked").open("a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
after, since = "", 0
for word in sys.argv[1:]:
    if word.startswith("--after-cursor="):
        after = word.partition("=")[2]
    if word.startswith("--since=@"):
        since = int(word.partition("@")[2]) * 1_000_000
passed = not after
for line in (here / "journal").read_text().splitlines():
    entry = json.loads(line)
    if passed and int(entry["__REALTIME_TIMESTAMP"]) >= since:
        print(line)
    passed = passed or entry["__CURSOR"] == after
"""


class Recording:
    """A journal that is written to and looked at, a minute between looks."""

    def __init__(self, looking: Looking, folder: Path) -> None:
        self.looking = looking
        self.folder = folder
        self.count = 0
        (folder / "journal").touch()
        program = folder / "journalctl"
        program.write_text(PROGRAM.format(here=str(folder)))
        program.chmod(0o755)

    def write(self, *messages: Any, ago: float = 0) -> None:
        """Entries as journalctl prints them, `ago` minutes old."""
        at = self.looking.clock.now() - timedelta(minutes=ago)
        with (self.folder / "journal").open("a") as file:
            for message in messages:
                self.count += 1
                entry = {
                    "__CURSOR": f"s=4f1d;i={self.count:x};b=9e;m=1;t=1;x=1",
                    "__REALTIME_TIMESTAMP": f"{at.timestamp():.0f}000000",
                    "MESSAGE": message,
                }
                file.write(json.dumps(entry) + "\n")

    async def look(self, minutes: float = 1, **fields: Any) -> Observation:
        self.looking.clock.advance(timedelta(minutes=minutes))
        check = {"kind": "log", "source": "journald", **fields} if fields else {}
        return await self.looking.look(**check)

    @property
    def asked(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "asked").read_text().splitlines()]


@pytest.fixture
def recording(looking: Looking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recording:
    monkeypatch.setattr(printing, "PATH", str(tmp_path))
    return Recording(looking, tmp_path)


async def test_the_first_look_counts_the_whole_window_and_the_next_goes_on(
    recording: Recording, now: datetime
) -> None:
    recording.write("error: long ago", ago=30)
    recording.write("error: a", "fine", "an error", ago=2)
    seen = await recording.look(pattern=r"\berror\b", units=["shop-*.service"], window="5m")
    assert (seen.state, seen.value, seen.unit) == ("ok", 2.0, "")
    assert seen.message == "2 entries matched"
    recording.write("error: b")
    assert (await recording.look()).value == 3.0
    assert (await recording.look(minutes=3)).value == 1.0
    assert (await recording.look(minutes=5)).value == 0.0
    since = int((now - timedelta(minutes=4)).timestamp())
    common = [
        "--output=json", "--output-fields=MESSAGE,__REALTIME_TIMESTAMP,__CURSOR", "--no-pager",
        "--quiet", "--unit=shop-*.service",
    ]  # fmt: skip
    assert recording.asked[0] == [*common, f"--since=@{since}"]
    assert recording.asked[1] == [*common, "--after-cursor=s=4f1d;i=4;b=9e;m=1;t=1;x=1"]
    assert recording.asked[3][-1] == "--after-cursor=s=4f1d;i=5;b=9e;m=1;t=1;x=1"


async def test_without_a_pattern_what_the_journal_hands_out_is_counted(
    recording: Recording,
) -> None:
    recording.write("a", "b")
    seen = await recording.look(priority="err", identifiers=["kernel"], bands={"critical": "> 1"})
    assert (seen.state, seen.value, seen.message) == ("critical", 2.0, "2 entries came")
    assert {"--priority=err", "--identifier=kernel"} <= set(recording.asked[0])


async def test_messages_that_are_no_text_are_read_as_bytes(recording: Recording) -> None:
    recording.write(list("오류 \N{SNOWMAN}".encode()), None, list(b"\xff error"), ["x"])
    seen = await recording.look(pattern="오류|error")
    assert seen.value == 2.0


async def test_more_than_a_look_reads_is_read_by_the_next(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording.write(*["error"] * 100)
    monkeypatch.setattr(journal, "MOST_BYTES", 5_000)
    seen = await recording.look(pattern="error", window="1h")
    assert 0 < (seen.value or 0) < 100
    assert seen.message.endswith("there are more, which the next look reads")
    for _ in range(5):
        seen = await recording.look()
    assert (seen.value, seen.message) == (100.0, "100 entries matched")


async def test_a_journal_that_cannot_be_read_is_missing_data(
    recording: Recording, tmp_path: Path
) -> None:
    program = tmp_path / "journalctl"
    program.write_text(
        "#!/bin/sh\necho 'No journal files were opened: no permission' >&2\nexit 1\n"
    )
    seen = await recording.look(pattern="error")
    assert (seen.state, seen.value) == ("nodata", None)
    assert seen.message == "journalctl ended with 1: No journal files were opened: no permission"
    program.unlink()
    seen = await recording.look()
    assert seen.message == f"there is no program journalctl here (in {tmp_path})"


async def test_a_journal_that_was_thrown_away_is_begun_anew(
    recording: Recording, tmp_path: Path
) -> None:
    recording.write("error")
    assert (await recording.look(pattern="error", window="1h")).value == 1.0
    program = tmp_path / "journalctl"
    whole = program.read_text()
    program.write_text("#!/bin/sh\necho 'Failed to seek to cursor: Invalid argument' >&2\nexit 1\n")
    seen = await recording.look()
    assert seen.state == "nodata"
    assert "Failed to seek to cursor" in seen.message
    program.write_text(whole)
    recording.write("error")
    assert (await recording.look()).value == 2.0
    assert recording.asked[-1][-1].startswith("--since=@")


JOURNALD = """\
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log/journal
/usr/lib/systemd/systemd-journald &
while [ ! -S /run/systemd/journal/stdout ]; do sleep 0.05; done
printf 'an error here\\nfine\\n' | systemd-cat -t shop -p err
printf 'bad \\377 error' | systemd-cat -t shop -p info
echo 'another error' | systemd-cat -t other
while [ "$(journalctl -q -t shop -t other -o cat | wc -l)" -lt 4 ]; do sleep 0.05; done
kill $!
wait $!
cp -r /run/log/journal "$1"
"""


@pytest.fixture
def real_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real journalctl, over what a real journald has written in a place of its own."""
    made = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", JOURNALD, "-", tmp_path],
        check=False, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    if made.returncode:
        pytest.skip(f"no journald can be run here: {made.stderr.strip()[-200:]}")
    program = tmp_path / "journalctl"
    program.write_text(f'#!/bin/sh\nexec /usr/bin/journalctl --directory={tmp_path}/journal "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(printing, "PATH", str(tmp_path))


@pytest.mark.usefixtures("real_journal")
async def test_the_real_journal_is_read(looking: Looking) -> None:
    fields = {"kind": "log", "source": "journald", "identifiers": ["shop"]}
    seen = await looking.look("errors", pattern="error", **fields)
    assert (seen.state, seen.value, seen.message) == ("ok", 2.0, "2 entries matched")
    assert (await looking.look("errors")).value == 2.0  # goes on behind a real cursor
    assert (await looking.look("all", **fields)).value == 3.0
    assert (await looking.look("bad", priority="err", **fields)).value == 2.0
    seen = await looking.look("none", kind="log", source="journald", identifiers=["nobody"])
    assert (seen.state, seen.value) == ("ok", 0.0)


async def test_a_journal_that_hangs_is_ended_with_all_it_has_started(
    recording: Recording, tmp_path: Path
) -> None:
    program = tmp_path / "journalctl"
    program.write_text(f"#!/bin/sh\n/bin/sleep 60 & echo $! $$ > {tmp_path}/pids; wait\n")
    seen = await recording.look(pattern="error", timeout="300ms")
    assert (seen.state, seen.message) == ("nodata", "no answer within 300ms")
    for pid in (tmp_path / "pids").read_text().split():
        while (
            Path(f"/proc/{pid}/stat").exists()
            and b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
        ):
            pass
