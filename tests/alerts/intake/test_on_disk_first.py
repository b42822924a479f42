"""An alert is on disk before it is acknowledged: a whole server, watched from outside by strace."""

import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.alerts.intake.gate import firing, notification
from tests.runs.test_on_disk_first import in_order, kept, watched
from tests.support.front_door import Up, start
from tests.support.shopbook import write_shop

INTAKES = "intakes:\n  next-door: {kind: webhook, title: Next door}\n"


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    tmp_path.chmod(0o755)
    book = write_shop(tmp_path)
    (book / "intakes.yaml").write_text(INTAKES)
    server = start(book, data=tmp_path / "data")
    try:
        yield server
    finally:
        server.stop()


def test_an_alert_is_on_disk_before_it_is_acknowledged(up: Up, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    body = json.dumps(notification(firing())).encode()
    with watched(up, trace):
        for _ in range(3):
            request = urllib.request.Request(
                f"{up.url}/in/shop/next-door", body, {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert json.load(answer) == {"accepted": 1}
    lines = trace.read_text(errors="replace").splitlines()
    for _ in range(3):
        calls = in_order(lines, "POST /in/shop/next-door HTTP", "HTTP/1.1 200")
        assert kept(calls), os.linesep.join(calls)
        at = next(n for n, line in enumerate(lines) if "POST /in/shop/next-door HTTP" in line)
        lines = lines[at + 1 :]
