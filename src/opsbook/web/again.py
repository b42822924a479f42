"""``/runs/N/rerun``: start a run again, from a step on or from the beginning.

The parameters stand there as they were; secret ones are asked for anew, since they were forgotten
when the run ended. Which steps it may begin with is the engine's to say: what was undone, or was
never done, cannot be passed over.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from opsbook import runs
from opsbook.base.database import Transaction
from opsbook.base.errors import Conflict, Invalid, NotFound
from opsbook.base.sealing import Sealer
from opsbook.book import Book, Runbook
from opsbook.runs import sealed
from opsbook.web import courses, forms, journal, pages, sayings, scene, sentences, startform
from opsbook.web.numbers import Number
from opsbook.web.runs import find
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)


@router.get("/runs/{run_id}/rerun")
async def form(
    visit: Visitor, run_id: Number, step: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """Ask with which step to begin, why, and with which parameters."""
    return await _page(visit, run_id, step, None)


@router.post("/runs/{run_id}/rerun")
async def rerun(visit: Visitor, run_id: Number) -> Response:
    """Start it again; everything that is wrong with the form is shown at once."""

    def look(tx: Transaction) -> tuple[Book, Runbook, dict[str, str]]:
        row, book = find(tx, visit, run_id)
        runbook = _runbook(book, row)
        return book, runbook, _kept(runbook, row)

    book, runbook, kept = await visit.kept.app.database.read(look)
    given = await startform.given_in(visit, runbook)
    step, reason = forms.text(given.raw, "step"), forms.text(given.raw, "reason")
    key = f"{visit.who.actor}/{given.raw['once'][:80]}" if given.raw.get("once") else None
    seals = sealed.has_any(runbook)
    sealer = Sealer.of_file(visit.kept.app.places.seal_key) if seals else None

    def write(tx: Transaction) -> int:
        return runs.rerun(
            tx, visit.now, run_id, visit.who, book, step or None, reason,
            {**_cleared(runbook, kept), **given.params}, sealer, key,
        )  # fmt: skip

    missing = [
        f"parameter {name}: is required."
        for name, param in runbook.params.items()
        if param.must_be_given and not given.params.get(name)
    ]
    try:
        if missing:
            raise Invalid(" ".join(missing), problems=missing)
        if runbook.risk == "dangerous" and forms.text(given.raw, "named") != runbook.id:
            raise Invalid(startform.NOT_NAMED, problems=[startform.NOT_NAMED])
        made = await visit.write(write)
    except (Invalid, Conflict) as error:
        return await _page(visit, run_id, step, given, error)
    return pages.go(visit, f"/runs/{made}", "rerun")


def _cleared(runbook: Runbook, kept: Mapping[str, str]) -> dict[str, str]:
    """What a field that was emptied comes to: its default, and not what the run before had."""
    return {name: runbook.params[name].default or "" for name, value in kept.items() if value}


def _runbook(book: Book, row: Mapping[str, Any]) -> Runbook:
    found = book.runbooks.get(row["runbook"])
    if found is None:
        raise NotFound(
            f"The book {book.id} has no runbook {row['runbook']!r} any more.",
            remedy="Start the one that has taken its place.",
        )
    return found


async def _page(
    visit: Visit, run_id: int, step: str, given: startform.Given | None,
    error: Invalid | Conflict | None = None,
) -> Response:  # fmt: skip
    def read(tx: Transaction) -> dict[str, Any]:
        row, book = find(tx, visit, run_id)
        visit.who.require("runs:write", book)
        runbook = _runbook(book, row)
        names = sentences.Names(tx, visit.speech, visit.kept.app.library)
        now = scene.read(tx, visit, book, row, names)
        filled = given or startform.Given(params=_kept(runbook, row), fresh=False)
        problems = _problems(error)
        fields = [
            startform.field_of(visit.speech, name, param, filled, problems)
            for name, param in runbook.params.items()
        ]
        for one in fields:  # nobody has typed it: it was never here
            one["again"] = one["again"] and given is not None
        begin = courses.beginnings(tx, now, runbook)
        return {
            "run": {"id": run_id, "title": journal.title(visit.speech, book, row)},
            "runbook": {
                "id": runbook.id, "risk": runbook.risk,
                "risk_word": visit.speech.say(journal.RISKS[runbook.risk]),
            },
            "changed": book.revision != row["revision"],
            "steps": begin,
            "chosen": _chosen(begin, step if given is not None else step or now_broken(now)),
            "params": fields,
            "reason": forms.text(filled.raw, "reason"),
            "named": forms.text(filled.raw, "named"),
            "once": filled.raw.get("once") or secrets.token_urlsafe(12),
            "problems": [
                sayings.told(visit.speech, visit.speech.say(one))
                for one in problems
                if not any(startform.is_about(one, name) for name in runbook.params)
            ],
        }  # fmt: skip

    values = await pages.read(visit, read)
    return pages.show(visit, "runs/rerun.html", values, status=422 if error else 200)


def now_broken(now: scene.Scene) -> str:
    """Return the step that a repetition begins with unless somebody chooses: where it failed."""
    broken = now.broken()
    return str(broken["key"]) if broken is not None else ""


def _chosen(steps: list[dict[str, Any]], wanted: str) -> str:
    possible = {one["key"] for one in steps if not one["why"]}
    return wanted if wanted in possible else ""


def _kept(runbook: Runbook, row: Mapping[str, Any]) -> dict[str, str]:
    given = sealed.given(row["params"] or {})
    return {
        name: value
        for name, value in given.items()
        if name in runbook.params and not runbook.params[name].secret
    }


def _problems(error: Invalid | Conflict | None) -> list[str]:
    if error is None:
        return []
    found = error.details.get("problems")
    return [str(one) for one in found] if found else [f"{error.message} {error.remedy}".strip()]
