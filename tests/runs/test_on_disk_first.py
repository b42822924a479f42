"""Everything that is acknowledged is on disk before the answer: watched from outside, by strace.

A killed process proves nothing about this, since what it wrote lives on in the machine's memory.
So the server's own calls are looked at: between a request and its answer the write-ahead log has to
be written and synchronised, and between an intent and the start of its step as well.
"""

import json
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.front_door import Up, start
from tests.support.servers import needs
from tests.support.shopbook import write_shop

CALLS = "fsync,fdatasync,pwrite64,read,recvfrom,write,writev,sendto,sendmsg"
WAL = re.compile(r"\bpwrite64\(\d+<[^>]*-wal>")
SYNCED = re.compile(r"\bf(?:data)?sync\(\d+<[^>]*-wal>\)\s*= 0")
BEGUN = re.compile(r"\bf(?:data)?sync\(\d+<[^>]*-wal> <unfinished")
RESUMED = re.compile(r"<\.\.\. f(?:data)?sync resumed>\)\s*= 0")


def in_order(lines: list[str], first: str, last: str) -> list[str]:
    """The lines between one that has `first` and the next one that has `last`, in words.

    ``write`` and ``sync`` are calls on the write-ahead log, the second only where it has succeeded;
    a call that strace shows in two halves counts where it ends.
    """
    begin = next(at for at, line in enumerate(lines) if first in line)
    end = next(at for at, line in enumerate(lines) if at > begin and last in line)
    found, under_way = [], set()
    for line in lines[begin:end]:
        thread = line.split()[0]
        if WAL.search(line):
            found.append("write")
        elif BEGUN.search(line):
            under_way.add(thread)
        elif SYNCED.search(line) or (thread in under_way and RESUMED.search(line)):
            under_way.discard(thread)
            found.append("sync")
    return found


def kept(calls: list[str]) -> bool:
    """Whether something was written and then synchronised."""
    return "write" in calls and "sync" in calls[calls.index("write") :]


@contextmanager
def watched(up: Up, file: Path) -> Iterator[None]:
    """Let strace write down the server's calls."""
    words = [str(needs("strace")), "-f", "-yy", "-s", "256", "-e", f"trace={CALLS}",
             "-o", str(file), "-p", str(up.process.pid)]  # fmt: skip
    tracer = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    try:
        told = tracer.stderr.readline()
        assert "attached" in told, told
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(30)
        tracer.stderr.close()


def ask(up: Up, path: str, **body: object) -> dict[str, object]:
    request = urllib.request.Request(
        f"{up.url}/api/v1{path}", json.dumps(body).encode(),
        {"Authorization": f"Bearer {up.token}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, object] = json.load(answer)
        return found


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    tmp_path.chmod(0o755)
    server = start(write_shop(tmp_path), data=tmp_path / "data")
    server.token = server.make_token("lead", "read", "run", "approve")
    try:
        yield server
    finally:
        server.stop()


def test_an_answer_and_a_step_come_after_the_disk(up: Up, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with watched(up, trace):
        run = ask(up, "/runs", runbook="deploy", book="shop")["id"]
        wait_for(up, run, "allow")
        ask(up, f"/runs/{run}/approve")
        wait_for(up, run, "tell")
        ask(up, f"/runs/{run}/confirm")
    lines = trace.read_text(errors="replace").splitlines()
    approve = f"POST /api/v1/runs/{run}/approve"
    assert kept(in_order(lines, "POST /api/v1/runs HTTP", "HTTP/1.1 201"))
    assert kept(in_order(lines, approve, "HTTP/1.1 200"))
    assert kept(in_order(lines, f"POST /api/v1/runs/{run}/confirm", "HTTP/1.1 200"))
    assert kept(in_order(lines, "POST /api/v1/runs HTTP", f"{run}-0-"))
    assert kept(in_order(lines, approve, f"{run}-2-"))


def test_the_watch_sees_an_answer_that_comes_too_soon() -> None:
    lines = [
        '7 read(9<TCP:[x]>, "POST /api/v1/runs HTTP/1.1", 9) = 9',
        '8 pwrite64(12</d/opsbook.db-wal>, "", 4096, 32) = 4096',
        "8 fdatasync(12</d/opsbook.db-wal> <unfinished ...>",
        '7 write(9<TCP:[x]>, "HTTP/1.1 201 Created", 9) = 9',
        "8 <... fdatasync resumed>) = 0",
    ]
    assert not kept(in_order(lines, "POST /api/v1/runs HTTP", "HTTP/1.1 201"))
    sooner = [*lines[:3], lines[4], lines[3]]
    assert kept(in_order(sooner, "POST /api/v1/runs HTTP", "HTTP/1.1 201"))


def wait_for(up: Up, run: object, step: str) -> None:
    """Until the run waits with this step."""
    for _ in range(200):
        request = urllib.request.Request(
            f"{up.url}/api/v1/runs/{run}", headers={"Authorization": f"Bearer {up.token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            if [one["step"] for one in json.load(answer)["waits"]] == [step]:
                return
        time.sleep(0.05)
    raise AssertionError(f"run {run} does not wait with {step}")
