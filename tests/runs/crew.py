"""A crew for runs in which people answer: six persons, one of whom is always refused."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from opsbook import runs
from opsbook.access import approvals
from opsbook.base import events
from opsbook.base.database import Transaction
from opsbook.book import Book, load
from opsbook.notify.tables import page
from opsbook.runs.tables import run
from tests.support.runs import VOCABULARY, Stage, runbook

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BOOK = """
id: shop
title: Shop
timezone: Asia/Seoul
languages: [en, ko]
owner: guards
self_approval: {self_approval}
people:
  operator: {{name: Operator, roles: [responder]}}
  relief: {{name: Relief, roles: [responder]}}
  officer: {{name: Officer, roles: [security, responder]}}
  second: {{name: Second officer, roles: [security]}}
  dba: {{name: Database administrator, roles: [dba]}}
  viewer: {{name: Viewer, roles: [viewer]}}
roles:
  responder: ["runs:write"]
  security: ["runs:read"]
  dba: ["runs:read"]
  viewer: ["*:read"]
teams:
  guards: {{members: [officer, relief]}}
"""
AGREE = "```approval {#agree by=security within=4h}\nIs this all right?\n```\n"
ASK_TWO = AGREE.replace("by=security", 'by="security, dba" need=2')
CHANGE = '```bash {#change}\necho change >> "$OPSBOOK_WORK/ran"\n```\n'
HAND = "- [ ] Count the boxes. {#count by=responder}\n"
BROKEN = "## Break\n```bash {#broken on-fail=ask}\nexit 3\n```\n"
BACK = '## Back {.rollback of=broken}\n```bash {#back}\necho back >> "$OPSBOOK_WORK/ran"\n```\n'


def shop(body: str, head: str = "", self_approval: str = "forbid") -> Book:
    """A book of six people whose runbook `fix` has this body."""
    book = BOOK.format(self_approval=self_approval)
    return load({"book.yaml": book, "runbooks/fix.md": runbook(body, head)}, VOCABULARY)


async def begun(stage: Stage, body: str, by: str = "operator", **more: str) -> tuple[int, Book]:
    """A run of `fix` that has gone as far as it can by itself, and its book."""
    book = await stage.publish(shop(body, **more))
    return await stage.run(by=by), book


async def account(stage: Stage, login: str) -> int:
    found = (await stage.person(login)).account_id
    assert found is not None
    return found


async def vote(stage: Stage, run_id: int, login: str, decision: str = "approve") -> str:
    asked = (await stage.waits(run_id))[0]["approval_id"]
    who, book = await stage.person(login), stage.library.current("shop")
    return await stage.act(runs.vote, asked, who, book, decision)


async def excluded(stage: Stage, run_id: int) -> dict[str, str]:
    """Who may not approve what a run asks now, by login, and why."""
    asked = (await stage.waits(run_id))[0]["approval_id"]
    row = await stage.write(lambda tx: approvals.require(tx, asked))
    people = {str(await account(stage, one)): one for one in shop(CHANGE).people}
    return {people[number]: why for number, why in row["excluded_because"].items()}


async def pages(stage: Stage) -> list[dict[str, Any]]:
    """What people find in their inboxes."""
    consumer = runs.Telling(stage.library).consumer
    await events.drain(stage.database, consumer, stage.clock.now())
    inbox = sa.select(page).where(page.c.channel == "inbox").order_by(page.c.id)
    return await stage.write(lambda tx: tx.rows(inbox))


async def start(stage: Stage, book: Book, *, by: str = "opsbook", **columns: Any) -> int:
    """Start a run whose row is also this, before the engine sees it."""
    names = {name: columns.pop(name) for name in ("trigger",) if name in columns}

    def write(tx: Transaction) -> int:
        made = runs.start(
            tx, stage.clock.now(), book=book, runbook="fix", params={}, started_by=by,
            attended=by != "opsbook", **names,
        )  # fmt: skip
        if columns:
            tx.execute(sa.update(run).where(run.c.id == made).values(**columns))
        return made

    made = await stage.write(write)
    await stage.settle()
    return made
