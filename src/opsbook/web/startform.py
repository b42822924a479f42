"""The form that starts a runbook: a field for each typed parameter, and what is about to happen."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from opsbook.base.errors import Invalid, NotFound
from opsbook.book import Book, Param, Runbook
from opsbook.web import journal, pages, sayings, words
from opsbook.web.i18n import N_, Speech
from opsbook.web.visit import Visit

NOT_NAMED: Final = N_("The runbook's name was not typed as it is.")
PREFIX: Final = "param-"
"""Before a parameter's name in the form, so that none can be taken for a field of our own."""

TYPES: Final = {
    "integer": N_("a whole number"),
    "number": N_("a number"),
    "path": N_("a path"),
    "duration": N_("a time such as 30s, 15m or 1h"),
}


def find(book: Book, runbook_id: str) -> Runbook:
    """Return a runbook of a book.

    Raises:
        NotFound: it has none of that name.
    """
    found = book.runbooks.get(runbook_id)
    if found is None:
        raise NotFound(f"The book {book.id} has no runbook {runbook_id!r}.")
    return found


def given(runbook: Runbook, fields: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters that were filled in; an empty optional one was not given."""
    found = {}
    for name, param in runbook.params.items():
        value = fields.get(PREFIX + name, "").strip()
        if value or param.must_be_given:
            found[name] = value
    return found


async def page(
    visit: Visit, book: Book, runbook: Runbook, fields: Mapping[str, str] | None = None,
    error: Invalid | None = None,
) -> Response:  # fmt: skip
    """Show the form, with what was filled in and what is wrong with it."""
    await pages.read(visit, lambda tx: None)
    problems = [str(one) for one in error.details.get("problems", [error.message])] if error else []
    about = {
        "id": runbook.id,
        "title": words.text(visit.speech, runbook.title),
        "description": words.text(visit.speech, runbook.description),
        "path": f"/book/{quote(book.id)}/runbooks/{quote(runbook.id)}",
        "risk": runbook.risk,
        "risk_word": visit.speech.say(journal.RISKS[runbook.risk]),
        "changes": [step.title for step in runbook.in_phase("main") if _changes(step)],
        "waits": sum(step.kind in {"approval", "manual"} for step in runbook.steps),
        "steps": len(runbook.in_phase("main")),
        "book": words.text(visit.speech, book.title),
    }
    values = {
        "runbook": about,
        "params": [
            _field(visit.speech, name, param, (fields or {}).get(PREFIX + name), problems)
            for name, param in runbook.params.items()
        ],
        "problems": [
            sayings.told(visit.speech, one)
            for one in problems
            if not any(_names(one, name) for name in runbook.params)
        ],
        "once": (fields or {}).get("once") or secrets.token_urlsafe(12),
    }
    return pages.show(visit, "runs/start.html", values, status=422 if error else 200)


def _changes(step: Any) -> bool:
    return bool(step.effect == "change" and step.kind not in {"approval", "check", "manual"})


def _field(
    speech: Speech, name: str, param: Param, value: str | None, problems: list[str]
) -> dict[str, Any]:
    hints = []
    if param.description is not None:
        hints.append(words.text(speech, param.description))
    if param.type in TYPES:
        hints.append(speech.say(TYPES[param.type]))
    if param.range is not None:
        low, high = (one or "…" for one in param.range)
        hints.append(speech.say("from %(low)s to %(high)s", low=low, high=high))
    if param.pattern is not None:
        hints.append(speech.say("matching %(pattern)s", pattern=param.pattern))
    wrong = [one for one in problems if _names(one, name)]
    return {
        "name": PREFIX + name,
        "title": words.text(speech, param.title) if param.title else name,
        "choices": list(param.choices),
        "numeric": param.type in {"integer", "number"},
        "required": param.must_be_given,
        "value": "" if param.secret else value if value is not None else param.default or "",
        "hint": " · ".join(hints),
        "wrong": " ".join(sayings.told(speech, one) for one in wrong),
    }


def _names(problem: str, name: str) -> bool:
    return problem.startswith(f"parameter {name}:")
