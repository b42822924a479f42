"""A service that can go down and be restarted, and the book that looks after it.

The service is a small HTTP server under supervisord, a real process manager: a step restarts it the
way a step on a server would (`supervisorctl restart`), and the restarted process belongs to the
manager and not to the step. Every start is appended to a file, so that a test can prove how often
it was started.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from opsbook.base.places import passable
from tests.support.servers import free_port

PROGRAM = """
import http.server, sys
starts, port = sys.argv[1], int(sys.argv[2])
with open(starts, "a") as out:
    out.write("start\\n")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"fine")
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""

CONF = """
[supervisord]
nodaemon=true
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
childlogdir={folder}
user={user}
[inet_http_server]
port=127.0.0.1:{control}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=http://127.0.0.1:{control}
[program:web]
command={python} {folder}/program.py {folder}/starts {port}
autorestart=false
startsecs=0
"""


@dataclass(frozen=True)
class Watched:
    """The service under its manager."""

    folder: Path
    port: int
    control: int

    @property
    def restart(self) -> str:
        """The command line that a runbook uses to restart the service."""
        server = f"http://127.0.0.1:{self.control}"
        return f'"{sys.executable}" -m supervisor.supervisorctl -s {server} restart web'

    def ctl(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisorctl", "-s",
             f"http://127.0.0.1:{self.control}", *words],
            capture_output=True, text=True, check=False, timeout=20,
        )  # fmt: skip
        return done.stdout

    def stop(self) -> None:
        self.ctl("stop", "web")

    def until_up(self) -> None:
        """Wait until the service takes connections: its manager does not."""
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() < deadline, "the service did not come up"
                time.sleep(0.02)
            else:
                return

    def starts(self) -> int:
        return (self.folder / "starts").read_text().count("start")


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A running service on a free port."""
    folder = tmp_path / "watched"
    folder.mkdir()
    found = Watched(folder, free_port(), free_port())
    (folder / "program.py").write_text(PROGRAM)
    (folder / "supervisord.conf").write_text(
        CONF.format(
            folder=folder, control=found.control, port=found.port, python=sys.executable,
            user="root" if os.geteuid() == 0 else os.environ.get("USER", ""),
        )
    )  # fmt: skip
    manager = subprocess.Popen(
        [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", folder / "supervisord.conf"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    found.until_up()
    yield found
    manager.terminate()
    manager.wait(20)


def step_user() -> str:
    """Whom the steps of a test run as: nobody, unless nobody cannot reach this Python."""
    real = Path(sys.executable).resolve().parent
    reachable = passable(real) and passable(Path(sys.executable).parent)
    return "nobody" if reachable else "root"


BOOK = """
id: shop
title: {{ko: 가게, en: Shop}}
timezone: Asia/Seoul
self_approval: record
people:
  operator:
    name: {{ko: 담당자, en: Operator}}
    roles: [admin]
    language: en
    contacts: [{contact}]
  standby: {{name: {{ko: 대기자, en: Standby}}, roles: [responder], language: ko}}
roles:
  admin: ["*:admin"]
  responder: ["incidents:write", "runs:write"]
teams:
  all: {{members: [operator, standby]}}
escalation:
  night:
    levels:
      - {{after: 0m, page: [all]}}
      - {{after: 10m, page: [standby]}}
severities:
  P1: {{title: {{ko: 장애, en: Outage}}, acknowledge_within: 15m, escalation: night}}
checks:
  web:
    kind: http
    title: {{ko: 가게 응답, en: Shop answers}}
    url: http://127.0.0.1:{port}/
    every: {every}
    timeout: 1s
rules:
  web-down:
    check: web
    when: critical
    for: {hold}
    severity: P1
    summary: {{ko: 가게가 응답하지 않음, en: The shop does not answer}}
    runbook: restart-web
    params: {{check: "label:check"}}
routines:
  morning: {{title: Morning, schedule: "every day 09:00", runbook: morning}}
"""

RESTART = """---
id: restart-web
title: {{ko: 가게 다시 시작, en: Restart the shop}}
risk: change
params:
  check: {{pattern: "[a-z-]+"}}
---
## Look
```bash {{#processes effect=read timeout=20s}}
echo processes >> "$OPSBOOK_WORK/ran"
echo "looking at $check"
```
```bash {{#port effect=read timeout=20s}}
echo port >> "$OPSBOOK_WORK/ran"
{slow}
echo "port {port} is asked"
```
```bash {{#disk effect=read timeout=20s}}
echo disk >> "$OPSBOOK_WORK/ran"
df -P / | tail -1
```
## Repair
```approval {{#may-restart by=admin within=1h}}
Restart the shop?
```
```bash {{#restart timeout=60s}}
echo restart >> "$OPSBOOK_WORK/ran"
{slow_repair}
{restart}
```
## Verify
```check {{#holds for={holds} within=2m}}
$check
```
- [ ] Write down what happened {{#note by=admin}}
"""

MORNING = """---
id: morning
title: Morning
risk: routine
---
## Look
```bash {#load effect=read timeout=20s}
cat /proc/loadavg
```
- [ ] Signed off {#sign by=admin}
"""


def write_book(
    folder: Path, watched: Watched, *, every: str = "10s", hold: str = "30s", holds: str = "20s",
    slow: str = "", slow_repair: str = "", contact: str = '"json://127.0.0.1:9/"',
) -> Path:  # fmt: skip
    """Write the book that watches the service; `slow` goes into the second step."""
    (folder / "runbooks").mkdir(parents=True, exist_ok=True)
    (folder / "book.yaml").write_text(
        BOOK.format(port=watched.port, every=every, hold=hold, contact=contact)
    )
    (folder / "runbooks" / "restart-web.md").write_text(
        RESTART.format(
            port=watched.port, restart=watched.restart, slow=slow, slow_repair=slow_repair,
            holds=holds,
        )
    )  # fmt: skip
    (folder / "runbooks" / "morning.md").write_text(MORNING)
    return folder
