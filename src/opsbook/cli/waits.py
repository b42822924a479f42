"""Saying what a run waits for, for whom, until when, and the command that answers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import click

from opsbook.cli import output, words

TOLD = {
    "approval": words.WAITS_APPROVAL,
    "person": words.WAITS_PERSON,
    "decision": words.WAITS_DECISION,
    "check": words.WAITS_CHECK,
    "time": words.WAITS_TIME,
    "run": words.WAITS_RUN,
}
ANSWER = {
    "approval": words.ANSWER_APPROVAL,
    "person": words.ANSWER_PERSON,
    "decision": words.ANSWER_DECISION,
}


def told(
    run: dict[str, Any], wait: dict[str, Any], *, hint: bool = True,
    step: Mapping[str, Any] | None = None,
) -> str:  # fmt: skip
    """Return one line about a wait; with ``hint`` also how to answer it from here.

    ``step`` is the step that waits, where it is at hand: it knows whether it is tried again, and
    whether what is to be decided about has failed or was interrupted.
    """
    text = _line(wait, step)
    more = []
    if wait["need"] > 1:
        more.append(words.WAITS_GIVEN.format(given=wait["given"], need=wait["need"]))
    if wait["due_at"]:
        again = wait["kind"] == "time"
        more.append(output.age(wait["due_at"]) if again else output.left(wait["due_at"]))
    if more:
        text += f" ({', '.join(more)})"
    if hint and wait["kind"] in ANSWER:
        form = ANSWER[wait["kind"]]
        answer = form.format(id=run["id"], key=quoted(wait["step"]), choices=choices(step))
        text += f"\n    {answer}"
        if not os.environ.get("OPSBOOK_TOKEN"):  # the local token answers for nobody
            page = f"{run['url']}#step-{wait['step']}"
            text += f"\n    {words.ANSWER_PAGE.format(page=page)}"
    return text


def _line(wait: Mapping[str, Any], step: Mapping[str, Any] | None) -> str:
    if wait["kind"] == "time" and step is not None and step["attempts"]:
        why, tries = output.clean(step["message"]), len(step["attempts"])
        return words.WAITS_RETRY.format(step=_what(wait), why=why, n=tries + 1)
    form = TOLD.get(wait["kind"], words.WAITS_OTHER)
    role = ", ".join(wait["roles"]) or words.ANYBODY
    what = _what(wait)
    if wait["kind"] == "decision" and step is not None:
        why = f": {output.clean(step['message'])}" if step["message"] else ""
        what += f" {'failed' if failed(step) else 'was interrupted'}{why}"
    return form.format(step=what, role=role)


def failed(step: Mapping[str, Any]) -> bool:
    """Whether what is to be decided about has failed: an interrupted step has its own state."""
    return bool(step["state"] != "interrupted")


def choices(step: Mapping[str, Any] | None) -> str:
    """Return what can be chosen for a step; ``stop`` only after a main step that has failed."""
    stops = step is not None and failed(step) and step["phase"] == "main"
    return "retry|skip|fail|stop" if stops else "retry|skip|fail"


def quoted(key: str) -> str:
    """Return a step's key as it is typed: an item's has brackets, which a shell would take."""
    return f"'{key}'" if "[" in key else key


def show(
    run: dict[str, Any], *, aside: bool = False, steps: Mapping[str, Any] | None = None
) -> None:
    """Write every wait of a run; ``aside`` keeps it out of what a pipe is meant to get."""
    known = steps if steps is not None else {one["key"]: one for one in run.get("steps", ())}
    for wait in run["waits"]:
        line = told(run, wait, step=known.get(wait["step"]))
        click.echo(f"{output.glyph('waiting')} {line}", err=aside)


def _what(wait: Mapping[str, Any]) -> str:
    """Return what is asked: an approval's question, else the step, on one line."""
    asked = (wait["approval"] or {}).get("question") or wait["title"] or wait["step"]
    return output.clean(str(asked).strip().split("\n")[0])
