"""Starting a runbook: a field for each typed parameter, and beside it what would happen.

The plan is made anew as somebody types, by the same address that the button "Show the plan" sends
the form to; the script takes out of that page what has changed. A plan is asked for by POST: a
parameter may be secret, and an address is written down on its way.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.responses import Response

from opsbook import runs
from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid, NotFound
from opsbook.base.sealing import Sealer
from opsbook.book import Book, Param, Runbook
from opsbook.book.params import SEPARATOR
from opsbook.runs import dry, pausing, sealed
from opsbook.web import forms, journal, pages, planned, sayings, words
from opsbook.web.i18n import N_, Speech
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)
NOT_NAMED: Final = N_("The runbook's name was not typed as it is.")
BAD_DAY: Final = N_("The day is not a date such as 2026-03-31.")
PREFIX: Final = "param-"
"""Before a parameter's name in the form, so that none can be taken for a field of our own."""

TYPES: Final = {
    "integer": N_("a whole number"),
    "number": N_("a number"),
    "path": N_("a path"),
    "duration": N_("a time such as 30s, 15m or 1h"),
    "size": N_("a size such as 500MB or 4Gi"),
    "percent": N_("a percentage such as 80%"),
    "boolean": N_("yes or no"),
    "list": N_("one a line, or with commas"),
}
EXAMPLES: Final = {"duration": "15m", "size": "4Gi", "percent": "80%"}


@dataclass(frozen=True)
class Given:
    """What a form holds. `raw` are its own fields, `params` what was filled in for the runbook.

    `typing` is whether somebody is still at it: then nothing that is merely missing is a mistake.
    """

    raw: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    day: date | None = None
    bad_day: bool = False
    typing: bool = False
    fresh: bool = True


@router.get("/book/{book_id}/runbooks/{runbook_id}/start")
async def form(visit: Visitor, book_id: str, runbook_id: str) -> Response:
    """Ask for the parameters of a runbook, and show what would happen."""
    book = visit.book(book_id, "runs:write")
    return await page(visit, book, find(book, runbook_id), Given(typing=True))


@router.post("/book/{book_id}/runbooks/{runbook_id}/plan")
async def plan(visit: Visitor, book_id: str, runbook_id: str) -> Response:
    """Show the form again with the plan of what was filled in; nothing is started."""
    book = visit.book(book_id, "runs:write")
    runbook = find(book, runbook_id)
    return await page(visit, book, runbook, await given_in(visit, runbook))


@router.post("/book/{book_id}/runbooks/{runbook_id}/start")
async def start(visit: Visitor, book_id: str, runbook_id: str) -> Response:
    """Start a runbook; everything that is wrong with its parameters is shown at once."""
    book = visit.book(book_id, "runs:write")
    runbook = find(book, runbook_id)
    given = await given_in(visit, runbook)
    visit.who.require("runs:write", book)
    wrong = []
    if runbook.risk == "dangerous" and forms.text(given.raw, "named") != runbook.id:
        wrong.append(NOT_NAMED)
    if given.bad_day:
        wrong.append(BAD_DAY)
    key = f"{visit.who.actor}/{given.raw['once'][:80]}" if given.raw.get("once") else None
    seals = sealed.has_any(runbook)
    sealer = Sealer.of_file(visit.kept.app.places.seal_key) if seals else None
    try:
        if wrong:
            raise Invalid(" ".join(wrong), problems=wrong)
        run_id = await visit.write(
            lambda tx: runs.start(
                tx, visit.now, book=book, runbook=runbook.id, params=given.params,
                started_by=visit.who.actor, attended=True, idempotency_key=key, day=given.day,
                sealer=sealer,
            )
        )  # fmt: skip
    except Invalid as error:
        return await page(visit, book, runbook, given, error)
    return pages.go(visit, f"/runs/{run_id}", "started")


def find(book: Book, runbook_id: str) -> Runbook:
    """Return a runbook of a book.

    Raises:
        NotFound: it has none of that name.
    """
    found = book.runbooks.get(runbook_id)
    if found is None:
        raise NotFound(f"The book {book.id} has no runbook {runbook_id!r}.")
    return found


async def given_in(visit: Visit, runbook: Runbook) -> Given:
    """Return what was sent; an empty optional parameter was not given."""
    fields = await forms.read_lists(visit.request, visit.secret)
    params = {}
    for name, param in runbook.params.items():
        value = _sent(param, fields.get(PREFIX + name, []))
        if value or param.must_be_given:
            params[name] = value
    raw = {name: values[-1] for name, values in fields.items()}
    day, bad = _day(raw.get("day", ""))
    return Given(raw, params, day, bad, bool(raw.get("typing")), fresh=False)


def _sent(param: Param, values: list[str]) -> str:
    """One parameter's value: of a list all that were ticked, or its lines, as one text.

    A box that is not ticked is not sent, and means no whatever the default says.
    """
    if param.type == "boolean" and not param.choices:
        return "true" if "true" in values else "false"
    if param.type != "list":
        return values[-1].strip() if values else ""
    parts = (part.strip() for value in values for part in re.split(r"[\n,]", value))
    return SEPARATOR.join(part for part in parts if part)


def _day(text: str) -> tuple[date | None, bool]:
    if not text.strip():
        return None, False
    try:
        found = date.fromisoformat(text.strip())
    except ValueError:
        return None, True
    known = pausing.EARLIEST <= found <= pausing.LATEST
    return (found, False) if known else (None, True)


async def page(
    visit: Visit, book: Book, runbook: Runbook, given: Given, error: Invalid | None = None
) -> Response:
    """Show the form, with what was filled in, what is wrong with it, and what would happen."""

    def read(tx: Transaction) -> dry.Plan:
        around = dry.around(tx, visit.now, book, runbook, visit.who)
        values = {name: one for name, one in given.params.items() if one}
        return dry.plan(book, runbook, values, visit.now, around=around, day=given.day)

    made = await pages.read(visit, read)
    problems = _problems(given, made, error)
    today = visit.now.astimezone(ZoneInfo(book.timezone)).date()
    about = {
        "id": runbook.id,
        "title": words.text(visit.speech, runbook.title),
        "description": words.text(visit.speech, runbook.description),
        "path": f"/book/{quote(book.id)}/runbooks/{quote(runbook.id)}",
        "risk": runbook.risk,
        "risk_word": visit.speech.say(journal.RISKS[runbook.risk]),
        "book": words.text(visit.speech, book.title),
        "file": runbook.file,
    }
    values = {
        "runbook": about,
        "params": [
            field_of(visit.speech, name, param, given, problems)
            for name, param in runbook.params.items()
        ],
        "problems": [
            sayings.told(visit.speech, visit.speech.say(one))
            for one in problems
            if not any(is_about(one, name) for name in runbook.params)
        ],
        "day": (given.day or today).isoformat() if made.phased else "",
        "named": forms.text(given.raw, "named"),
        "once": given.raw.get("once") or secrets.token_urlsafe(12),
        "plan": planned.shaped(visit, book, made),
        "book_id": book.id,
    }
    return pages.show(visit, "runs/start.html", values, status=422 if error else 200)


def _problems(given: Given, made: dry.Plan, error: Invalid | None) -> list[str]:
    """Everything wrong with what was filled in, as one sentence each; nothing of a fresh form."""
    told = [one.note.english for one in made.faults if one.param]
    if given.typing:
        told = [one for one in told if ": is required." not in one]
    if given.bad_day:
        told.append(BAD_DAY)
    if error is not None:
        found = [str(one) for one in error.details.get("problems", [error.message])]
        told = list(dict.fromkeys([*told, *found]))
    return told


def field_of(
    speech: Speech, name: str, param: Param, given: Given, problems: list[str]
) -> dict[str, Any]:
    wrong = [one for one in problems if is_about(one, name)]
    value = given.params.get(name, "") if not given.fresh else param.default or ""
    low, high = param.range or (None, None)
    return {
        "name": PREFIX + name,
        "title": words.text(speech, param.title) if param.title else name,
        "form": _form(param, value),
        "choices": list(param.choices),
        "chosen": set(value.split(SEPARATOR)),
        "required": param.must_be_given,
        "optional": not param.required,
        "value": "" if param.secret else value,
        "again": param.secret and bool(value),
        "lines": value.replace(SEPARATOR, "\n"),
        "low": low,
        "high": high,
        "step": "1" if param.type == "integer" else "any",
        "example": f"{param.under.rstrip('/')}/…" if param.under else EXAMPLES.get(param.type, ""),
        "hint": " · ".join(_hints(speech, param)),
        "wrong": " ".join(_told(speech, one) for one in wrong),
    }


def _form(param: Param, value: str) -> str:
    """Which input fits. A number that is none stays visible in a field for text."""
    if param.secret:
        return "secret"
    if param.choices:
        return "ticks" if param.type == "list" else "select"
    if param.type in {"integer", "number"} and not re.fullmatch(r"[-+]?[0-9.eE+-]*", value):
        return "text"
    forms_ = {"boolean": "boolean", "integer": "number", "number": "number", "list": "lines"}
    return forms_.get(param.type, "text")


def _hints(speech: Speech, param: Param) -> list[str]:
    hints = []
    if param.description is not None:
        hints.append(words.text(speech, param.description))
    if param.type in TYPES and not param.choices and param.type != "boolean":
        hints.append(speech.say(TYPES[param.type]))
    if param.type == "list" and param.of in TYPES and not param.choices:
        hints.append(speech.say("each %(kind)s", kind=speech.say(TYPES[param.of])))
    if param.under is not None:
        hints.append(speech.say("in %(folder)s", folder=param.under))
    if param.range is not None:
        low, high = (one or "…" for one in param.range)
        hints.append(speech.say("from %(low)s to %(high)s", low=low, high=high))
    if param.pattern is not None:
        hints.append(speech.say("matching %(pattern)s", pattern=param.pattern))
    if param.secret:
        hints.append(speech.say("secret: never shown again"))
    return hints


def is_about(problem: str, name: str) -> bool:
    return problem.startswith(f"parameter {name}:")


def _told(speech: Speech, problem: str) -> str:
    """What is wrong, and apart from it what would be accepted."""
    parts = re.split(r"(?<=\.) (?=accepted: )", problem)
    return " ".join(sayings.told(speech, one) for one in parts)
