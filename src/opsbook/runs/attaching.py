"""Files that people attach to a manual step: the screenshot, the signed form, the other log.

They lie in the database beside the step, so that a copy of the database is whole, and their digests
lie in the audit chain, so that nobody can exchange one unseen. Files are somebody else's bytes:
whoever sends one out sends it as a download, never as a page of ours.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from opsbook import audit
from opsbook.access import Principal
from opsbook.base.database import Transaction
from opsbook.base.errors import Conflict, Invalid, NotFound
from opsbook.base.quantities import format_quantity
from opsbook.book import Book
from opsbook.runs import answers, confirmations, store
from opsbook.runs.errors import Over
from opsbook.runs.tables import evidence as table
from opsbook.runs.tables import step, wait

Row = dict[str, Any]
LARGEST: Final = 5 * 2**20
MOST: Final = 20
"""Files a step."""
LONGEST_NAME: Final = 200
UNKNOWN: Final = "application/octet-stream"
MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls, marks that turn the direction of writing, and what is no text: nobody sees them."""


def attach(
    tx: Transaction, now: datetime, run_id: int, step_key: str, principal: Principal, book: Book,
    name: str, media_type: str, content: bytes,
) -> int:  # fmt: skip
    """Attach a file to a manual step and return its number.

    From when the step begins to wait until the run ends. Once it is done whoever confirmed it may
    still add to it, and whoever has runs:write. The same file under the same name a second time is
    the first one: a browser that repeats a request makes no copy.

    Raises:
        Refused: not a person, or somebody who may not do this step.
        NotFound: the run has no such step.
        Over: the run has ended.
        Conflict: the step has not begun, or has as many files as it may have.
        Invalid: no manual step; the name, the type or the content cannot be kept.
    """
    row = store.lock_run(tx, run_id)
    about = _step(tx, run_id, step_key)
    account = _allowed(tx, about, principal, book)
    called, kind = _name(name), _media_type(media_type)
    _fits(content)
    if row["state"] in store.FINISHED:
        raise Over(f"Run {run_id} is over: it {row['state']}.")
    if about["state"] == "pending":
        raise Conflict(
            f"Step {step_key!r} of run {run_id} has not begun.",
            remedy="Attach it once the step waits for you.",
        )
    digest = hashlib.sha256(content).hexdigest()
    given = [one for one in evidence(tx, run_id) if one["step_id"] == about["id"]]
    for one in given:
        if (one["name"], one["digest"]) == (called, digest):
            return int(one["id"])
    if len(given) >= MOST:
        raise Conflict(
            f"Step {step_key!r} has {len(given)} files, and {MOST} fit.",
            remedy="Put several into one archive.",
        )
    made = tx.insert(
        table, run_id=run_id, step_id=about["id"], name=called, media_type=kind, size=len(content),
        digest=digest, content=content, added_by=f"account:{account}", added_at=now,
    )  # fmt: skip
    audit.record(
        tx, now, principal.actor, "step.evidence_attached", f"run:{run_id}", thread=row["thread"],
        data={"step": step_key, "title": about["title"], "evidence": made, "sha256": digest,
              "size": len(content), "media_type": kind},
        text=called,
    )  # fmt: skip
    return made


def evidence(tx: Transaction, run_id: int) -> list[Row]:
    """Return what is attached to a run, in order, without the contents; ``step`` is the key."""
    columns = [column for column in table.c if column.name != "content"]
    joined = table.join(step, step.c.id == table.c.step_id)
    query = sa.select(*columns, step.c.key.label("step")).select_from(joined)
    return tx.rows(query.where(table.c.run_id == run_id).order_by(table.c.id))


def evidence_content(tx: Transaction, evidence_id: int) -> Row:
    """Return one attached file whole, with its run.

    Raises:
        NotFound: there is none of that number.
    """
    row = tx.row(sa.select(table).where(table.c.id == evidence_id))
    if row is None:
        raise NotFound(f"There is no attached file {evidence_id}.")
    return row


def _step(tx: Transaction, run_id: int, key: str) -> Row:
    """The step that a file can be attached to, with the roles it asks for while it waits."""
    joined = step.outerjoin(wait, (wait.c.step_id == step.c.id) & (wait.c.kind == "person"))
    columns = (*step.c, wait.c.id.label("wait_id"), wait.c.role)
    mine = (step.c.run_id == run_id) & (step.c.key == key)
    row = tx.row(sa.select(*columns).select_from(joined).where(mine))
    if row is None:
        raise NotFound(f"Run {run_id} has no step {key!r}.", remedy="Use one of its steps' keys.")
    if row["kind"] != "manual":
        raise Invalid(
            f"Step {key!r} is of kind {row['kind']}; files are attached to manual steps.",
            remedy="Attach it to a step that a person does, or link to it in a comment.",
        )
    return row


def _allowed(tx: Transaction, about: Row, principal: Principal, book: Book) -> int:
    if about["wait_id"] is not None:
        return answers.may_do(principal, about["role"], book)
    principal.require_person()
    did = {one["account_id"] for one in confirmations.of_step(tx, about["id"])}
    if principal.account_id not in did:
        principal.require("runs:write", book)
    return principal.account_id or 0


def _name(name: str) -> str:
    called = unicodedata.normalize("NFC", name).strip()
    wrong = ""
    if not called or called in {".", ".."}:
        wrong = "it says nothing"
    elif len(called) > LONGEST_NAME:
        wrong = f"it has {len(called)} characters, and {LONGEST_NAME} fit"
    elif "/" in called or "\\" in called:
        wrong = "it is a path"
    elif any(unicodedata.category(one) in UNSEEN for one in called):
        wrong = "it holds a character that cannot be seen"
    if wrong:
        shown = called[:60].encode("ascii", "backslashreplace").decode()
        raise Invalid(
            f"A file cannot be called {shown!r}: {wrong}.", remedy="Give it another name."
        )
    return called


def _media_type(given: str) -> str:
    """The type as it is kept: without parameters, and the one for any bytes where none is given."""
    kind = given.partition(";")[0].strip().lower()
    if not kind:
        return UNKNOWN
    if not MEDIA_TYPE.fullmatch(kind):
        raise Invalid(
            f"{kind[:60]!r} is no media type.", remedy="Write one as image/png, or leave it out."
        )
    return kind


def _fits(content: bytes) -> None:
    if not content:
        raise Invalid("The file is empty.", remedy="Attach one with something in it.")
    if len(content) > LARGEST:
        size, most = format_quantity(len(content), "bytes"), format_quantity(LARGEST, "bytes")
        raise Invalid(
            f"The file has {size}; {most} fit.",
            remedy="Attach the part that proves it, or keep it elsewhere and note the link.",
        )
