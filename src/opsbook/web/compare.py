"""Two runs side by side: why did it work yesterday, and what is different today?

``/runs/compare?b=214`` puts a run beside the one before it of the same runbook; ``a=`` names
another. The runbook's own difference between the two revisions belongs to it: most of what changes
between two runs is the runbook.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from starlette.responses import Response

from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.book import Book, Runbook
from opsbook.runs import comparing, sealed
from opsbook.runs import store as runs
from opsbook.runs.model import PASSED
from opsbook.web import journal, lines, pages, runstore, sayings, sentences, words
from opsbook.web.i18n import N_, Speech
from opsbook.web.numbers import LARGEST
from opsbook.web.runs import find
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)
CHOICE: Final = 12
LONGEST: Final = 600
"""Characters of a saved value that are shown."""
Run = Annotated[int | None, Query(ge=1, le=LARGEST)]


@router.get("/runs/compare")
async def compared(visit: Visitor, a: Run = None, b: Run = None) -> Response:
    """Show two runs side by side, the older one first."""
    if a is None and b is None:
        raise NotFound(
            "No run to compare was named.",
            remedy="Choose Compare beside a run in the list of runs.",
        )
    one, other = (a, b) if b is not None else (None, a)
    found = await pages.read(visit, lambda tx: _read(tx, visit, one, other or 0))
    if found["a"] is not None:
        found |= await asyncio.to_thread(_compare, visit.speech, found)
    return pages.show(visit, "runs/compare.html", found, topics="")


def _read(tx: Transaction, visit: Visit, a: int | None, b: int) -> dict[str, Any]:
    """Read both runs with all that is compared; without `a` the run before `b`."""
    new, book = find(tx, visit, b)
    before = {"id": a} if a is not None else runstore.before_that(tx, new)
    old = find(tx, visit, before["id"])[0] if before is not None else None
    if old is not None and old["id"] > new["id"]:
        old, new = new, old
    names = sentences.Names(tx, visit.speech, visit.kept.app.library)
    both = [None if row is None else _side(tx, visit, row, names) for row in (old, new)]
    return {
        "title": journal.title(visit.speech, book, new),
        "a": both[0],
        "b": both[1],
        "zone": ZoneInfo(book.timezone),
        "others": [
            row for row in runstore.of_runbook(tx, book.id, new["runbook"], CHOICE)
            if row["id"] not in {new["id"], old["id"] if old is not None else 0}
        ],
        "runbook_path": f"/book/{quote(book.id)}/runbooks/{quote(new['runbook'])}",
        "sees_book": visit.may("book:read", book),
        "comparison": None,
        "runbook_lines": [],
        "sentence": "",
        "steps": [],
        "same_runbook": old is None
        or (old["book"], old["runbook"]) == (new["book"], new["runbook"]),
    }  # fmt: skip


def _side(
    tx: Transaction, visit: Visit, row: Mapping[str, Any], names: sentences.Names
) -> dict[str, Any]:
    """One of the two runs, with its steps, what they wrote, and who answered."""
    revision = _revision(tx, visit, row)
    runbook = revision.runbooks.get(row["runbook"]) if revision is not None else None
    return {
        **row,
        "params": sealed.given(row["params"] or {}),
        "cause": journal.cause(visit, row, names),
        "reason": sayings.told(visit.speech, row["reason"]),
        "took": journal.took(visit, row),
        "steps": runs.steps(tx, row["id"]),
        "outputs": runstore.outputs(tx, row["id"]),
        "book_of_run": revision,
        "procedure": runbook,
        "answers": [
            visit.speech.say(
                N_("%(who)s approved.")
                if one["decision"] == "approve"
                else N_("%(who)s rejected."),
                who=names.of(f"account:{one['account_id']}"),
            )
            for one in runstore.approvals_of(tx, row["id"])
        ],
    }


def _revision(tx: Transaction, visit: Visit, row: Mapping[str, Any]) -> Book | None:
    try:
        return visit.kept.app.library.at(tx, row["revision"])
    except NotFound:
        return None


def _compare(speech: Speech, found: Mapping[str, Any]) -> dict[str, Any]:
    """Make the comparison; on a thread, since two long outputs take their time."""
    a, b = found["a"], found["b"]
    hidden = _secrets(a["procedure"]) | _secrets(b["procedure"])
    made = comparing.compare(
        a, b, (a["steps"], b["steps"]), (a["outputs"], b["outputs"]), frozenset(hidden)
    )
    texts = [one["procedure"].source if one["procedure"] else None for one in (a, b)]
    differ = found["sees_book"] and None not in texts and texts[0] != texts[1]
    return {
        "comparison": made,
        "params": [_pair(one) for one in made.params],
        "saved": [_pair(one) for one in made.saved],
        "runbook_lines": lines.difference(*texts) if differ else [],
        "same_text": None not in texts and texts[0] == texts[1],
        "steps": [_step(speech, one) for one in made.steps],
        "longer": _longer(speech, made.longer),
        "sentence": _sentence(speech, made, a, b),
    }


def _secrets(runbook: Runbook | None) -> set[str]:
    """The names of values that nobody may see, of a run as its runbook was then."""
    if runbook is None:
        return set()
    saved = {one.save for one in runbook.steps if one.save and bool(getattr(one, "secret", False))}
    return {name for name, param in runbook.params.items() if param.secret} | saved


def _pair(one: comparing.Pair) -> dict[str, Any]:
    cut = [None if text is None else text[:LONGEST] for text in (one.a, one.b)]
    return {"name": one.name, "a": cut[0], "b": cut[1], "same": one.same}


def _step(speech: Speech, one: comparing.Beside) -> dict[str, Any]:
    return {
        "key": one.key,
        "title": one.title,
        "phase": speech.say(journal.PHASES[one.phase]) if one.phase in journal.PHASES else "",
        "sides": [_of_one(speech, side) for side in (one.a, one.b)],
        "same": one.same,
        "longer": _longer(speech, one.longer) if one.notable else "",
        "more": one.notable and one.longer is not None and one.longer > timedelta(0),
        "output": one.output.lines,
        "bounded": one.output.bounded,
    }


def _of_one(speech: Speech, row: comparing.Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    took = comparing.took(row)
    return {
        "state": row["state"],
        "took": words.fine_span(speech, took) if took is not None else "",
        "message": sayings.told(speech, row["message"]),
        "tries": len(row["attempts"]),
    }


def _longer(speech: Speech, length: timedelta | None) -> str:
    if length is None or abs(length) < timedelta(seconds=0.1):
        return ""
    span = words.fine_span(speech, abs(length))
    longer = length > timedelta(0)
    return speech.say(N_("%(span)s longer") if longer else N_("%(span)s shorter"), span=span)


def _sentence(
    speech: Speech, made: comparing.Comparison, a: Mapping[str, Any], b: Mapping[str, Any]
) -> str:
    """Say in one sentence where the two part."""
    changed = [one.name for one in made.params if not one.same]
    first = next((one for one in made.steps if _parts(one)), None)
    wrote = made.first_difference
    told = []
    if changed:
        told.append(speech.say("Other parameters: %(names)s.", names=", ".join(changed)))
    if first is not None:
        told.append(speech.say("They first differ at “%(step)s”.", step=_called(made, first)))
    elif wrote is not None:
        told.append(
            speech.say(
                "Every step ended the same way; what they wrote or how often they were tried "
                "first differs at “%(step)s”.",
                step=_called(made, wrote),
            )
        )
    elif a["state"] == b["state"]:
        told.append(speech.say("Every step went the same way."))
    return " ".join(told)


def _parts(one: comparing.Beside) -> bool:
    """Whether the runs went another way at a step: its state, or why it failed.

    What it wrote is no such thing. A step that reads says something else each time, as the load of
    a server or a count of rows, and would hide the step that failed after it.
    """
    if one.a is None or one.b is None or one.a["state"] != one.b["state"]:
        return True
    return one.a["state"] not in PASSED and one.a["message"] != one.b["message"]


def _called(made: comparing.Comparison, one: comparing.Beside) -> str:
    """Name a step: by its title, and by its key too where several share it."""
    shared = sum(each.title == one.title for each in made.steps) > 1
    return f"{one.title} ({one.key})" if shared else one.title
