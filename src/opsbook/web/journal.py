"""A run as pages show it: its state in a sentence, each step with its attempts, output and answers.

Used on the run's own page and inside its incident, so that approving is the same in both places.
The steps come from the journal; titles of sections and the lines in the book from the revision the
run was started with, which is the one it runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from markupsafe import Markup

from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.base.quantities import format_quantity
from opsbook.book import Book, Runbook
from opsbook.runs import store as runs
from opsbook.web import ansi, readings, sayings, sentences, store, waiting, words
from opsbook.web.i18n import N_, Speech
from opsbook.web.visit import Visit

ALIVE: Final = frozenset({"queued", "running", "waiting"})
OVER: Final = frozenset({"succeeded", "failed", "skipped", "cancelled"})
RISKS: Final = {"routine": N_("routine"), "change": N_("change"), "dangerous": N_("dangerous")}
PHASES: Final = {"rollback": N_("To undo"), "finally": N_("In any case")}
# The answers to each kind of wait: value, word, whether it ends something, its own address if any.
CHOICES: Final[Mapping[str, Sequence[tuple[str, str, bool, str]]]] = {
    "approval": (
        ("approve", N_("Approve"), False, "approve"),
        ("reject", N_("Reject"), True, "reject"),
    ),
    "person": (("done", N_("Done"), False, "confirm"),),
    "decision": (
        ("retry", N_("Run it again"), False, ""),
        ("skip", N_("It is done, go on"), False, ""),
        ("fail", N_("It failed"), True, ""),
    ),
}
ACTS: Final = {"approval": "approve", "person": "confirm", "decision": "decide"}


def shaped(
    tx: Transaction, visit: Visit, book: Book, row: Mapping[str, Any], names: sentences.Names
) -> dict[str, Any]:
    """Return everything the templates show of one run; ``book`` is the running one."""
    revision = _revision(tx, visit, row)
    runbook = revision.runbooks.get(row["runbook"]) if revision is not None else None
    steps = runs.steps(tx, row["id"])
    shared = Counter(step["title"] for step in steps)
    found = store.waits_of(tx, row["id"])
    votes = store.votes(tx, [one["approval_id"] for one in found if one["approval_id"]])
    waits = {one["key"]: one for one in waiting.answered(tx, visit, [book], found, votes)}
    tails = store.output_tails(tx, row["id"])
    alive = row["state"] in ALIVE
    zone = ZoneInfo(book.timezone)
    shown: list[dict[str, Any]] = []
    for step in steps:
        wait = waits.get(step["key"])
        mine = votes.get(wait["approval_id"], []) if wait and wait["approval_id"] else []
        one = _step(visit, book, runbook, step, wait, mine, tails, names)
        one["of_several"] = shared[step["title"]] > 1
        one["group"] = _group(visit, one, shown)
        shown.append(one)
    risk = runbook.risk if runbook is not None else ""
    return {
        **row,
        "title": title(visit.speech, book, row),
        "zone": zone,
        "alive": alive,
        "fed": store.last_output(tx, row["id"]),
        "steps": shown,
        "sentence": _sentence(
            visit,
            book,
            row,
            shown,
            runs.ahead_in_line(tx, row) if row["state"] == "queued" else None,
        ),
        "asks_me": next((one["key"] for one in shown if one["wait"] and one["wait"]["mine"]), ""),
        "progress": f"{sum(one['state'] in OVER for one in shown)}/{len(shown)}",
        "cause": cause(visit, row, names),
        "params": list(row["params"].items()),
        "saved": list((row["saved"] or {}).items()),
        "risk": risk if risk != "routine" else "",
        "risk_word": visit.speech.say(RISKS[risk]) if risk else "",
        "runbook_path": f"/book/{quote(row['book'])}/runbooks/{quote(row['runbook'])}",
        "outdated": book.revision != row["revision"],
        "may_cancel": alive and not row["cancelling"] and visit.may("runs:write", book),
        "cancel_says": _cancel_says(visit, runbook, shown),
    }


def title(speech: Speech, book: Book, row: Mapping[str, Any]) -> str:
    """Return what a run is called: its runbook's title in the visitor's language if it has one."""
    runbook = book.runbooks.get(row["runbook"])
    return words.text(speech, runbook.title) if runbook is not None else str(row["title"])


def cause(visit: Visit, row: Mapping[str, Any], names: sentences.Names) -> Markup:
    """Say why the run began: who started it, or which incident or routine."""
    kind, _, which = (row["trigger"] or "").partition(":")
    if kind == "incident":
        link = Markup('<a href="/incidents/{}">{}</a>').format(
            which, visit.speech.say("incident %(id)s", id=which)
        )
        return visit.html("started by %(what)s", what=link)
    if kind == "routine":
        return visit.html("started by the routine %(name)s", name=which.rpartition("/")[2])
    return visit.html("started by %(who)s", who=names.of(row["started_by"]))


def took(visit: Visit, row: Mapping[str, Any]) -> str:
    """Return how long a run or a step took, or has taken so far; empty before it began."""
    if row["started_at"] is None:
        return ""
    if row["finished_at"] is None:
        return ""
    return words.fine_span(visit.speech, row["finished_at"] - row["started_at"])


def _revision(tx: Transaction, visit: Visit, row: Mapping[str, Any]) -> Book | None:
    try:
        return visit.kept.app.library.at(tx, row["revision"])
    except NotFound:
        return None


def _step(
    visit: Visit, book: Book, runbook: Runbook | None, step: Mapping[str, Any],
    wait: Mapping[str, Any] | None, votes: list[dict[str, Any]],
    tails: Mapping[int, store.OutputEnd], names: sentences.Names,
) -> dict[str, Any]:  # fmt: skip
    written = runbook.step(step["key"]) if runbook is not None else None
    state = words.state("step", step["state"])
    alive = step["state"] == "running"
    return {
        **step,
        "tone": state.tone,
        "message": sayings.told(visit.speech, step["message"]),
        "watch": _watch(visit, book, wait) if wait is not None else "",
        "word": visit.speech.say(state.word) if step["state"] != "succeeded" else "",
        "section": written.section if written is not None else "",
        "where": f"{runbook.file}:{written.line}" if runbook is not None and written else "",
        "took": _time(visit, step, alive),
        "wait": _ask(visit, book, wait, votes) if wait and wait["kind"] in ACTS else None,
        "votes": [_vote(visit, one, names) for one in votes],
        "attempts": [
            _attempt(visit, one, tails.get(one["id"]), step, len(step["attempts"]))
            for one in step["attempts"]
        ],
    }


def _group(visit: Visit, step: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> str:
    """Return the heading above a step: its section's where that says more than the step's title.

    Several blocks under one heading share its title; they stand under it by their own keys.
    """
    last = before[-1] if before else {"section": "", "phase": "main", "of_several": False}
    same = (last["section"], last["phase"]) == (step["section"], step["phase"])
    if same and before and last["of_several"] == step["of_several"]:
        return ""
    says_more = step["of_several"] or step["section"] != step["title"]
    phase = PHASES.get(step["phase"])
    told = [visit.speech.say(phase)] if phase else []
    if says_more and step["section"]:
        told.append(step["section"])
    if step["phase"] == last["phase"] and not says_more:
        return ""
    return ": ".join(told)


def _time(visit: Visit, step: Mapping[str, Any], alive: bool) -> Any:
    if alive and step["started_at"] is not None:
        return words.moment(visit.speech, step["started_at"], visit.now, visit.zone, words.FOR)
    return took(visit, step)


def _watch(visit: Visit, book: Book, wait: Mapping[str, Any]) -> Any:
    """Say which check a step waits for, and until when; empty for other waits."""
    check = book.checks.get(str(wait["data"].get("check", "")))
    if wait["kind"] != "check" or check is None:
        return ""
    link = Markup('<a href="{}">{}</a>').format(
        readings.path(book.id, check.id), words.text(visit.speech, check.title)
    )
    said = visit.html("watches %(check)s until it holds", check=link)
    if wait["due_at"] is None:
        return said
    zone = ZoneInfo(book.timezone)
    left = words.moment(visit.speech, wait["due_at"], visit.now, zone, words.LEFT)
    return Markup(" · ").join([said, left])


def _ask(
    visit: Visit, book: Book, wait: Mapping[str, Any], votes: list[dict[str, Any]]
) -> dict[str, Any]:
    say = visit.speech.say
    kind = wait["kind"]
    due = wait["due_at"] or wait["expires_at"]
    zone = ZoneInfo(book.timezone)
    told: list[Any] = [waiting.whom(visit.speech, book, wait)]
    if due is not None:
        told.append(words.moment(visit.speech, due, visit.now, zone, words.LEFT))
    question = {
        "approval": wait["question"],
        "person": "",
        "decision": say(
            "The server stopped while this ran, and nobody knows how far it came. "
            "Look at the target first, then decide."
        ),
    }[kind]
    mine = waiting.may_answer(visit, book, wait, votes)
    return {
        "kind": kind,
        "act": ACTS[kind],
        "approval_id": wait["approval_id"],
        "seen": wait["bound_to"],
        "question": question,
        "whom": Markup(" · ").join(told),
        "mine": mine,
        "oneself": mine and kind == "approval" and waiting.excluded(visit, wait),
        "why_not": "" if mine else waiting.why_not(visit, book, wait, votes),
        "choices": [
            {"value": value, "word": say(word), "danger": danger, "act": act}
            for value, word, danger, act in CHOICES[kind]
        ],
    }


def _vote(visit: Visit, vote: Mapping[str, Any], names: sentences.Names) -> str:
    who = names.of(f"account:{vote['account_id']}")
    approved = vote["decision"] == "approve"
    said = N_("%(who)s approved.") if approved else N_("%(who)s rejected.")
    told = visit.speech.say(said, who=who)
    return f"{told} {vote['note']}".strip()


def _attempt(
    visit: Visit, attempt: Mapping[str, Any], tail: store.OutputEnd | None,
    step: Mapping[str, Any], count: int,
) -> dict[str, Any]:  # fmt: skip
    say = visit.speech.say
    start, text, last_piece = tail or store.OutputEnd(0, "", 0)
    alive = attempt["state"] == "intended"
    last = attempt["number"] == count
    told = [say("Output")] if count == 1 else [say("Try %(n)s", n=attempt["number"])]
    if attempt["exit_code"]:
        told.append(say("exit code %(code)s", code=attempt["exit_code"]))
    if attempt["message"] and attempt["message"] != step["message"]:
        told.append(attempt["message"])
    dropped = attempt["bytes_dropped"]
    return {
        **attempt,
        "text": ansi.render(text),
        "end": last_piece,
        "cut": start > 0,
        "size": format_quantity(attempt["bytes_seen"], "bytes"),
        "alive": alive,
        "open": last and (alive or step["state"] != "succeeded" or step["effect"] == "read"),
        "label": " · ".join(told),
        "dropped": say("%(size)s more was not kept", size=format_quantity(dropped, "bytes"))
        if dropped
        else "",
    }


def _sentence(
    visit: Visit, book: Book, row: Mapping[str, Any], steps: Sequence[Mapping[str, Any]],
    ahead: Mapping[str, Any] | None,
) -> Any:  # fmt: skip
    say = visit.speech.say
    if row["cancelling"] and row["state"] in ALIVE:
        return say("It is being cancelled.")
    if row["state"] == "waiting":
        found = next((one for one in steps if one["wait"] is not None), None)
        if found is not None:
            ask = found["wait"]
            due = Markup("{}: {}").format(found["title"], ask["whom"])
            return (
                visit.html("It waits for you: %(step)s", step=found["title"])
                if ask["mine"]
                else due
            )
        watching = next((one for one in steps if one["watch"]), None)
        if watching is not None:
            return Markup("{}: {}").format(watching["title"], watching["watch"])
        return say("It waits.")
    if row["state"] == "running":
        found = next((one for one in steps if one["state"] == "running"), None)
        if found is not None:
            return say(
                "Step %(n)s of %(all)s runs: %(title)s",
                n=steps.index(found) + 1, all=len(steps), title=found["title"],
            )  # fmt: skip
        return say("It runs.")
    if row["state"] == "queued":
        if ahead is not None:
            link = Markup('<a href="/runs/{}">{}</a>').format(
                ahead["id"], say("run %(id)s", id=ahead["id"])
            )
            return visit.html(
                "It waits in line behind %(run)s (lock %(lock)s).", run=link, lock=row["lock"]
            )
        return say("It starts in a moment.")
    span = took(visit, row)
    told = {
        "succeeded": N_("Succeeded after %(span)s."),
        "failed": N_("Failed after %(span)s."),
        "cancelled": N_("Cancelled after %(span)s."),
    }.get(row["state"])
    said = say(told, span=span) if told and span else say(words.state("run", row["state"]).word)
    reason = sayings.told(visit.speech, row["reason"])
    return f"{said} {reason}".strip() if row["state"] != "succeeded" else said


def _cancel_says(visit: Visit, runbook: Runbook | None, steps: Sequence[Mapping[str, Any]]) -> str:
    say = visit.speech.say
    running = next((one for one in steps if one["state"] == "running"), None)
    told = (
        [say("The step that runs now is stopped: %(title)s.", title=running["title"])]
        if running is not None
        else [say("No further step is started.")]
    )
    undo = [
        one["title"]
        for one in steps
        if one["phase"] == "rollback" and one["state"] == "pending" and runbook is not None
    ]
    if undo:
        told.append(say("Then these undo what was done: %(titles)s.", titles=", ".join(undo)))
    return " ".join(told)
