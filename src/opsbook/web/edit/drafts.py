"""One draft: what is wrong with it, what it changes, publishing it, and two people at once."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid, NotFound, OpsbookError, Refused
from opsbook.book import BookError, Problem
from opsbook.book.problems import sentence
from opsbook.revisions import Checked, drafts
from opsbook.revisions import store as rows
from opsbook.revisions.model import digest_of
from opsbook.web import forms, lines, pages, revisions, sayings, sentences
from opsbook.web.edit import desk
from opsbook.web.edit.desk import Desk
from opsbook.web.edit.files import around
from opsbook.web.numbers import Number
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter()
MOST_FINDINGS = 200


@router.get("/book/{book_id}/drafts/{draft_id}")
async def shown(visit: Visitor, book_id: str, draft_id: Number, path: str = "") -> Response:
    """Show a draft: findings, the plan, the lines that differ, and what can be done with it."""
    return await _page(visit, book_id, draft_id, path)


@router.post("/book/{book_id}/drafts/{draft_id}/publish")
async def publish(visit: Visitor, book_id: str, draft_id: Number) -> Response:
    """Publish a draft: it runs, or waits for somebody's approval."""
    fields = await visit.form()
    here = await desk.opened(visit, book_id, str(draft_id))
    reason = forms.text(fields, "reason")
    try:
        if not reason:
            raise Invalid("The reason is empty.", remedy="Say why; the history keeps it.")
        if fields.get("seen") != _mark(here):
            raise Invalid(
                "The draft is not what this page showed.", remedy="Read it again, then publish."
            )
        done = await drafts.publish(
            visit.kept.app.revisions, draft_id, visit.who, reason, visit.now
        )
    except (Refused, NotFound):
        raise
    except BookError:
        return await _page(visit, book_id, draft_id, "", reason=reason, status=422)
    except OpsbookError as error:
        return await _page(visit, book_id, draft_id, "", reason=reason, error=error)
    return pages.go(visit, f"{here.path}/drafts/{draft_id}", "held" if done.waits else "published")


@router.post("/book/{book_id}/drafts/{draft_id}/discard")
async def discard(visit: Visitor, book_id: str, draft_id: Number) -> Response:
    """Drop a draft."""
    await visit.form()
    here = await desk.opened(visit, book_id, str(draft_id))
    await visit.write(lambda tx: drafts.discard(tx, visit.now, draft_id, visit.who))
    return pages.go(visit, f"{here.path}/edit", "discarded")


@router.post("/book/{book_id}/drafts/{draft_id}/renew")
async def renew(visit: Visitor, book_id: str, draft_id: Number) -> Response:
    """Put a draft on top of what runs now, with the files as somebody has merged them.

    ``theirs`` says what each merged text was read beside, and ``mine`` which text of the draft it
    replaces: whatever has changed since is not overwritten.
    """
    fields = await visit.form()
    here = await desk.opened(visit, book_id, str(draft_id))
    count = int(fields.get("files", "0")) if fields.get("files", "0").isdigit() else 0
    paths = [fields.get(f"path.{n}", "") for n in range(min(count, drafts.MOST_FILES))]
    resolved = {path: fields.get(f"theirs.{n}") or None for n, path in enumerate(paths)}

    def write(tx: Transaction) -> None:
        drafts.renew(tx, visit.now, draft_id, visit.who, here.book, resolved)
        for n, path in enumerate(paths):
            sent = fields.get(f"text.{n}")
            if sent is not None:
                text = lines.as_sent(here.book.files.get(path), sent)
                mine = fields.get(f"mine.{n}") or None
                drafts.change(tx, visit.now, draft_id, visit.who, path, text, mine)

    try:
        await visit.write(write)
    except Refused:
        raise
    except OpsbookError as error:
        typed = {path: fields.get(f"text.{n}", "") for n, path in enumerate(paths)}
        return await _page(visit, book_id, draft_id, "", error=error, typed=typed)
    return pages.go(visit, f"{here.path}/drafts/{draft_id}", "renewed")


async def _page(
    visit: Visit, book_id: str, draft_id: int, path: str, *, reason: str = "",
    error: OpsbookError | None = None, status: int = 200, typed: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    app = visit.kept.app
    here = await desk.opened(visit, book_id, str(draft_id))
    row = here.draft or {}
    checked = Checked()
    if row["state"] in desk.UNDER_WORK:
        goes_on = await app.database.read(
            lambda tx: revisions.goes_on(tx, visit.who, app.library, here.book)
        )
        checked = await drafts.check(app.revisions, draft_id, visit.now, goes_on)

    def read(tx: Transaction) -> dict[str, Any]:
        names = sentences.Names(tx, visit.speech, app.library)
        waits = rows.open_held(tx, draft=draft_id)
        base = rows.files_of(tx, row["base"])
        return {
            "who": names.of(f"account:{row['account_id']}"),
            "waits": revisions.shaped(tx, visit, here.book, waits[-1], names) if waits else None,
            "asks": revisions.would_ask(tx, visit, here.book, row["account_id"], names)
            if checked.plan.loosens
            else None,
            "clashes": [
                {**one, "author": names.of(one["author"]) if one["author"] else ""}
                for one in _clashes(here, checked, base, typed or {})
            ],
            "changed": [
                {
                    "path": name,
                    "edit": here.edit(path=name),
                    "removed": change["text"] is None,
                    "lines": lines.difference(base.get(name), change["text"]),
                }
                for name, change in sorted(row["files"].items())
            ],
        }

    values = around(visit, here) | await pages.read(visit, read)
    mine = row["account_id"] == visit.who.account_id
    under_work = row["state"] in desk.UNDER_WORK
    edited = path if path in row["files"] else next(iter(sorted(row["files"])), "")
    text = here.files.get(edited)
    findings = [_finding(here, one) for one in checked.problems[:MOST_FINDINGS]]
    values |= {
        "still": False,
        "draft": row,
        "mine": mine and under_work,
        "under_work": under_work,
        "findings": findings,
        "more_findings": max(0, len(checked.problems) - MOST_FINDINGS),
        "plan": revisions.told(visit, here.files, checked.plan.changes, here.edit),
        "loosens": bool(checked.plan.loosens),
        "publishes": bool(row["files"]) and not findings and not checked.clashes,
        "reason": reason or row["reason"],
        "seen": _mark(here),
        "more": here.edit(),
        "editor": {"path": edited, "text": text, "seen": here.digest(edited)}
        if mine and under_work and text is not None and not lines.why_not(text)
        else None,
        "said": sayings.told(visit.speech, row["said"]),
        "error": sayings.error(visit.speech, error) if error else "",
    }
    return pages.show(
        visit, "edit/draft.html", values, topics=f"draft:{draft_id} books approvals",
        status=error.status if error else status,
    )  # fmt: skip


def _mark(here: Desk) -> str:
    """A mark of what a page of a draft shows; another page of the same person may change it."""
    files = (here.draft or {}).get("files", {})
    return digest_of(repr(sorted((path, one["text"]) for path, one in files.items()))) or ""


def _clashes(
    here: Desk, checked: Checked, base: dict[str, str], typed: dict[str, str]
) -> list[dict[str, Any]]:
    """Each file that both have changed, with a text that has both changes where that is plain."""
    found = []
    for one in checked.clashes:
        path = one["path"]
        mine, theirs = here.files.get(path), here.book.files.get(path)
        both = lines.merged(base.get(path), mine, theirs)
        carried = all(not lines.why_not(text) for text in (mine, theirs) if text is not None)
        found.append(
            {
                "path": path,
                "author": one["author"],
                "revision": one["revision"],
                "merged": both is not None,
                "text": typed.get(path) or (both if both is not None else mine),
                "carried": carried,
                "mine": digest_of(mine) or "",
                "theirs": digest_of(theirs) or "",
                "gone": theirs is None,
                "lines": lines.difference(base.get(path), theirs),
            }
        )
    return found


def _finding(here: Desk, problem: Problem) -> dict[str, Any]:
    known = problem.file in here.files
    return {
        "where": f"{problem.file}:{problem.line}:{problem.column}",
        "link": here.edit(path=problem.file, line=problem.line, way="text") if known else "",
        "message": sentence(problem.message),
        "remedy": sentence(problem.remedy) if problem.remedy else "",
    }
