"""A data folder with many open runs in it, and a server on it: what two benchmarks need.

The first run is a real one that waits for an approval; the others are copies of its rows, made by
the database itself, since to start a hundred thousand runs one by one would measure that instead.
"""

from __future__ import annotations

import compileall
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

import sqlalchemy as sa

from opsbook.access import accounts, approvals, tokens
from opsbook.base.database import Transaction, sqlite_url

BOOK = """\
id: shop
title: Shop
timezone: Asia/Seoul
languages: [en]
self_approval: record
people:
  lead: {name: Lead, roles: [lead]}
roles:
  lead: ["*:admin"]
"""
DEPLOY = """\
---
id: deploy
title: Deploy
---
```approval {#allow by=lead within=30d}
May it be deployed?
```
```bash {#apply}
date +%s.%N > "$OPSBOOK_WORK/at-$OPSBOOK_RUN"
```
"""
SOURCE = Path(__file__).resolve().parent.parent / "src"
PROGRAM = (sys.executable, "-m", "opsbook")
COPIED = ("run", "run_step", "approval", "run_wait")


class Server:
    """``opsbook up`` in a process of its own, on the data folder of a benchmark."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.process: subprocess.Popen[str] | None = None
        self.url = ""
        self.token = ""
        compileall.compile_dir(SOURCE, quiet=1)  # as the first start on a machine leaves it
        book = folder / "shop"
        (book / "runbooks").mkdir(parents=True, exist_ok=True)
        (book / "book.yaml").write_text(BOOK)
        (book / "runbooks" / "deploy.md").write_text(DEPLOY)
        self.book = book

    def start(self) -> float:
        """Start it; return the seconds until it has answered a request from its database."""
        begun = time.perf_counter()
        self.process = subprocess.Popen(
            [*PROGRAM, "up", str(self.book), "--listen", "127.0.0.1:0", "--data", str(self.data),
             "-o", "json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={name: one for name, one in os.environ.items() if not name.startswith("OPSBOOK_")},
        )  # fmt: skip
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if '"started"' in line:
                self.url = json.loads(line)["url"]
                break
        else:
            raise SystemExit("the server did not start")
        threading.Thread(target=self._listen, args=(self.process.stdout,), daemon=True).start()
        if not self.token:
            self.token = self._token()
        self.ask("/runs?limit=1")
        return time.perf_counter() - begun

    @staticmethod
    def _listen(said: TextIO) -> None:
        for _ in said:
            pass

    def kill(self) -> None:
        """As a machine that loses its power does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As Ctrl-C does."""
        self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None

    def ask(self, path: str, **body: object) -> dict[str, object]:
        """Get, or post where there is a body."""
        data = json.dumps(body).encode() if body else None
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: dict[str, object] = json.load(answer)
            return found

    def cpu(self) -> float:
        """Seconds of processor time that it has used."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """MB of memory that are its own and in use."""
        assert self.process is not None
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        kept = {line.split(":")[0]: line.split()[1] for line in text.splitlines()[1:]}
        return (int(kept["Private_Dirty"]) + int(kept["Private_Clean"])) / 1024

    def _token(self) -> str:
        engine = sa.create_engine(sqlite_url(self.data / "opsbook.db"))
        with engine.begin() as connection:
            tx, now = Transaction(connection), datetime.now(UTC)
            row = accounts.by_login(tx, "lead")
            account = row["id"] if row else accounts.create(tx, now, "lead")
            scopes = ["read", "run", "approve"]
            made = tokens.create(tx, now, account, "bench", scopes, timedelta(days=1))
        engine.dispose()
        return made

    def multiply(self, count: int) -> None:
        """Let the one run that waits be `count` of them; the server must not run."""
        database = sqlite3.connect(self.data / "opsbook.db")
        database.execute("PRAGMA synchronous=OFF")
        last = count - 1
        numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{last})"
        steps = database.execute("SELECT max(id) FROM run_step").fetchone()[0]
        shift = {"run_step": steps}
        for table in COPIED:
            names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            by = shift.get(table, 1)
            moved = {
                "id": f"t.id + i*{by}",
                "run_id": "t.run_id + i",
                "step_id": f"t.step_id + i*{steps}",
                "approval_id": "t.approval_id + i",
                "subject": "'run:' || (1 + i)",
                "thread": "'run:' || (1 + i)",
                "idempotency_key": "NULL",
            }
            values = ", ".join(moved.get(name, f't."{name}"') for name in names)
            columns = ", ".join(f'"{name}"' for name in names)
            database.execute(
                f"{numbers} INSERT INTO {table} ({columns}) SELECT {values} FROM {table} t, n"
            )
        self._bind(database)
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()

    def _bind(self, database: sqlite3.Connection) -> None:
        """Approvals are bound to their run: each copy to its own."""
        rows = database.execute(
            "SELECT a.id, r.id, r.revision, r.runbook, s.key, r.params, r.saved FROM approval a "
            "JOIN run_wait w ON w.approval_id = a.id JOIN run r ON r.id = w.run_id "
            "JOIN run_step s ON s.id = w.step_id"
        ).fetchall()
        database.executemany(
            "UPDATE approval SET bound_to = ? WHERE id = ?",
            [
                (approvals.binding(run=run, revision=revision, runbook=runbook, step=step,
                                   params=json.loads(params), saved=json.loads(saved)), number)
                for number, run, revision, runbook, step, params, saved in rows
            ],
        )  # fmt: skip
