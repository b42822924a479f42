"""A step that wants to approve what it waits for: from this machine, as another user, by curl."""

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.asking import Caller
from tests.support.front_door import Up, start
from tests.support.shopbook import write_shop

CHEAT = """\
---
id: cheat
title: Cheat
risk: routine
params: {url: {}, run: {}, data: {}}
---
```bash {#cheat effect=read timeout=30s}
ask() { echo "$(curl -s -o /dev/null -w '%{http_code}' "$@")"; }
api="$url/api/v1/runs/$run"
for act in approve reject confirm decide cancel; do
    ask -X POST -H 'Content-Type: application/json' -d '{"step": "allow"}' "$api/$act"
    ask -X POST -H 'Authorization: Bearer opb_local' -d '{"step": "allow"}' "$api/$act"
    ask -X POST -H 'X-Forwarded-For: 127.0.0.1' -d '{"step": "allow"}' "$api/$act"
    ask -X POST -H "Origin: $url" -d "approval=1&note=" "$url/runs/$run/steps/allow/$act"
done
cat "$data/local.token" || true
env | grep -i -e token -e cookie -e secret || true
ask "$url/runs/$run"
```
"""


@pytest.fixture
def up() -> Iterator[Up]:
    """A server with a runbook that waits for an approval, and one whose step wants to give it."""
    folder = Path(tempfile.mkdtemp(prefix="opsbook-cheat-"))
    folder.chmod(0o755)
    book = write_shop(folder)
    (book / "runbooks/cheat.md").write_text(CHEAT)
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    one = start(book, data=folder / "data", OPSBOOK_STEP_USER=user)
    try:
        yield one
    finally:
        one.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="as the server's own user a step may read its token")
def test_a_step_cannot_approve_what_it_waits_for(up: Up) -> None:
    token = (up.data / "local.token").read_text().strip()
    with Caller(up, token) as local:
        waiting = local.start("deploy")["id"]
        local.until(waiting, "waiting")
        params = {"url": up.url, "run": str(waiting), "data": str(up.data)}
        cheat = local.start("cheat", params=params)["id"]
        local.until(cheat, "succeeded")
        told = local.get(f"/runs/{cheat}/output", headers={"Accept": "text/plain"}).text
        lines = told.split()
        codes = [word for word in lines if word.isdigit() and len(word) == 3]
        assert len(codes) == 5 * 4 + 1, told
        assert all(code in {"303", "401", "403", "404"} for code in codes), told
        assert "denied" in told
        assert token not in told
        assert local.get(f"/runs/{waiting}").json()["state"] == "waiting"
