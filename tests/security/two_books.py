"""A site with two books: the shop of the page tests, and a vault that its people know nothing of.

Everything that the vault has holds ``MARK``, and no address does: whoever finds it in an answer has
read something of the vault.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2 as httpx
import sqlalchemy as sa
from fastapi.routing import APIRoute

from opsbook import audit
from opsbook.access import accounts, approvals, tokens
from opsbook.access.tables import access_token as token
from opsbook.alerts import silences
from opsbook.alerts.silences import Wanted
from opsbook.base.database import Transaction, metadata
from opsbook.book import Book, load
from opsbook.book.matchers import parse_all
from opsbook.checks import Observation
from opsbook.checks import store as checks
from opsbook.notify.tables import delivery, page
from opsbook.people.tables import override, swap
from opsbook.revisions.tables import draft
from opsbook.runs.tables import attempt, evidence, output, run, step, wait
from opsbook.web.site import create
from opsbook.web.visit import SESSION
from tests.web import rig as sites
from tests.web import seed
from tests.web.rig import Rig, vocabulary

MARK = "zq7elephantine"
VAULT = f"""
id: vault
title: Vault {MARK}
timezone: Asia/Seoul
languages: [en]
people:
  keeper: {{name: Keeper {MARK}, account: keeper, roles: [admin]}}
roles: {{admin: ["*:admin"]}}
teams: {{guards: {{members: [keeper], rotation: nights}}}}
rotations: {{nights: {{title: Nights {MARK}, layers: [{{people: [keeper], starts: 2026-01-05}}]}}}}
escalation: {{call: {{levels: [{{page: [guards]}}]}}}}
severities: {{P1: {{title: Down, acknowledge_within: 15m, escalation: call}}}}
checks:
  watch: {{kind: file, title: Watch {MARK}, path: /{MARK}, measure: size, every: 1h,
          bands: {{critical: "> 10B"}}}}
rules: {{broken: {{check: watch, when: critical, severity: P1, title: Broken {MARK},
                 summary: Broken {MARK}}}}}
webhooks:
  sink: {{title: Sink {MARK}, url: "https://example.com/", events: [run.started]}}
"""
OPEN = f"""---
id: open
title: Open {MARK}
params: {{code: {{}}}}
---
```bash {{#look effect=read}}
echo {MARK}
```
```approval {{#ask by=admin}}
Open {MARK}?
```
"""


@dataclass
class Ids:
    """What the vault's rows are called."""

    run: int
    incident: int
    evidence: int
    account: int
    page: int
    draft: int
    alert: int
    silence: str
    exception: int
    swap: int


def fill(tx: Transaction, book: Book, now: datetime) -> Ids:
    """Give the vault one of everything that can be looked at."""
    keeper = accounts.create(tx, now, "keeper")
    made = tx.insert(
        run, book=book.id, revision=book.revision, runbook="open", title=f"Open {MARK}",
        params={"code": MARK}, saved={"found": MARK}, state="waiting", reason=f"because {MARK}",
        started_by=f"account:{keeper}", trigger="", thread="run:vault", attended=True,
        created_at=now, started_at=now,
    )  # fmt: skip
    tx.execute(run.update().where(run.c.id == made).values(thread=f"run:{made}"))
    looked = tx.insert(
        step, run_id=made, position=0, key="look", title=f"Look {MARK}", kind="bash",
        effect="read", state="succeeded", started_at=now, finished_at=now, message=MARK,
    )  # fmt: skip
    tried = tx.insert(
        attempt, run_id=made, step_id=looked, number=1, epoch=1, state="succeeded",
        intended_at=now, ended_at=now, exit_code=0, bytes_seen=20,
    )  # fmt: skip
    tx.insert(output, attempt_id=tried, start=0, text=f"the code is {MARK}\n")
    asks = tx.insert(
        step, run_id=made, position=1, key="ask", title=f"Ask {MARK}", kind="approval",
        effect="read", state="waiting", started_at=now,
    )  # fmt: skip
    asked = approvals.request(
        tx, now, book=book, subject=f"run:{made}", thread=f"run:{made}", question=f"Open {MARK}?",
        role="admin", need=1, bound_to="v" * 64, excluded=[], expires_at=None,
    )  # fmt: skip
    tx.insert(wait, run_id=made, step_id=asks, kind="approval", role="admin", approval_id=asked,
              since=now, data={})  # fmt: skip
    file = tx.insert(
        evidence, run_id=made, step_id=looked, name=f"{MARK}.html",
        media_type="text/html", size=9, digest="0" * 64, content=f"<b>{MARK}</b>".encode(),
        added_by=f"account:{keeper}", added_at=now,
    )  # fmt: skip
    audit.record(tx, now, f"account:{keeper}", "run.commented", f"run:{made}",
                 thread=f"run:{made}", text=f"look at {MARK}")  # fmt: skip
    alert = seed._alert(tx, book, "broken", "watch", "P1", now, None, MARK)
    opened = seed._incident(tx, book, "broken", "P1", "open", now, alert)
    audit.record(tx, now, "opsbook", "incident.opened", f"incident:{opened}",
                 thread=f"incident:{opened}", text=MARK)  # fmt: skip
    checks.keep(tx, [Observation(book.id, "watch", now, "critical", 12.0, "B", 1.0, MARK)])
    told = tx.insert(
        page, key=MARK, book=book.id, person="keeper", channel="inbox", cause="x", thread="",
        title=MARK, body=MARK, state="sent", created_at=now, sent_at=now,
    )  # fmt: skip
    tx.insert(delivery, key=MARK, book=book.id, hook="sink", event="run.started", body=MARK,
              state="sent", created_at=now, sent_at=now, status=200)  # fmt: skip
    edited = tx.insert(
        draft, book=book.id, base=book.revision, account_id=keeper, state="open",
        files={"book.yaml": {"text": MARK, "base": None}}, reason=MARK, created_at=now,
        updated_at=now,
    )  # fmt: skip
    quiet = silences.put(
        tx, now, book.id,
        Wanted(parse_all('alertname="x"'), now, now + seed.M * 60, "keeper", MARK), "account:1",
    )  # fmt: skip
    later = {"starts_at": now + seed.M * 60, "ends_at": now + seed.M * 120}
    instead = tx.insert(
        override, book=book.id, rotation="nights", person="keeper", reason=MARK,
        made_by=f"account:{keeper}", made_at=now, withdrawn_by="", **later,
    )  # fmt: skip
    asks = tx.insert(
        swap, book=book.id, rotation="nights", giver="keeper", taker="keeper", reason=MARK,
        state="asked", asked_by=f"account:{keeper}", asked_at=now, answered_by="", **later,
    )  # fmt: skip
    return Ids(made, opened, file, keeper, told, edited, alert, quiet.uuid, instead, asks)


@dataclass
class Site:
    """Both books on one server, and who comes to it."""

    rig: Rig
    ids: Ids

    async def browser(self, login: str) -> httpx.AsyncClient:
        client = sites.client(self.rig)
        client.cookies.set(SESSION, await self.rig.session(login))
        return client

    async def program(self, login: str | None, *scopes: str) -> httpx.AsyncClient:
        now = self.rig.clock.now()
        account = self.rig.ids[login] if login else None
        raw = await self.rig.database.write(
            lambda tx: tokens.create(tx, now, account, "a program", scopes, seed.M * 60)
        )
        return httpx.AsyncClient(
            base_url=self.rig.url, timeout=30, headers={"Authorization": f"Bearer {raw}"}
        )

    def routes(self, method: str) -> list[str]:
        """Every address of the pages and of the interface that takes a method."""
        found: list[str] = []

        def walk(routes: list[Any], before: str = "") -> None:
            for one in routes:
                inner = getattr(one, "original_router", None)
                if inner is not None:
                    walk(inner.routes, before + one.include_context.prefix)
                elif isinstance(one, APIRoute) and method in one.methods:
                    found.append(before + one.path)

        walk(create(self.rig).routes)
        return found

    async def state(self) -> dict[str, list[str]]:
        """Every row that a wish could change: not who was seen, nor what is on record."""
        apart = {"session", "account", "audit_entry", "audit_seal", "idempotent_answer", "lease"}

        def read(tx: Transaction) -> dict[str, list[str]]:
            found = {
                table.name: [str(row) for row in tx.rows(table.select())]
                for table in metadata.sorted_tables
                if table.name not in apart
            }
            kept = sa.select(token.c.id, token.c.account_id, token.c.revoked_at)
            return {**found, token.name: [str(row) for row in tx.rows(kept)]}

        return await self.rig.database.read(read)


@contextlib.asynccontextmanager
async def serving(data: Path) -> AsyncIterator[Site]:
    """Serve both."""
    async with sites.serving(data, sites.trouble) as rig:
        now = rig.clock.now()
        book = load({"book.yaml": VAULT, "runbooks/open.md": OPEN}, vocabulary())

        def publish(tx: Transaction) -> Ids:
            rig.library.publish(tx, now, book, "opsbook", "folder:vault")
            return fill(tx, book, now)

        ids = await rig.database.write(publish)
        rig.library.remember(book)
        rig.ids["keeper"] = ids.account
        yield Site(rig, ids)
