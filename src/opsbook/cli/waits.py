"""Saying what a run waits for, for whom, until when, and the command that answers."""

from __future__ import annotations

import os
from typing import Any

import click

from opsbook.cli import output, words

TOLD = {
    "approval": words.WAITS_APPROVAL,
    "person": words.WAITS_PERSON,
    "decision": words.WAITS_DECISION,
    "check": words.WAITS_CHECK,
}
ANSWER = {
    "approval": words.ANSWER_APPROVAL,
    "person": words.ANSWER_PERSON,
    "decision": words.ANSWER_DECISION,
}


def told(run: dict[str, Any], wait: dict[str, Any], *, hint: bool = True) -> str:
    """Return one line about a wait; with ``hint`` also how to answer it from here."""
    form = TOLD.get(wait["kind"], words.WAITS_OTHER)
    text = form.format(step=_what(wait), role=wait["role"] or words.ANYBODY)
    if wait["due_at"]:
        text += f" ({output.left(wait['due_at'])})"
    if hint and wait["kind"] in ANSWER:
        text += f"\n    {ANSWER[wait['kind']].format(id=run['id'], key=wait['step'])}"
        if not os.environ.get("OPSBOOK_TOKEN"):  # the local token answers for nobody
            page = f"{run['url']}#step-{wait['step']}"
            text += f"\n    {words.ANSWER_PAGE.format(page=page)}"
    return text


def show(run: dict[str, Any], *, aside: bool = False) -> None:
    """Write every wait of a run; ``aside`` keeps it out of what a pipe is meant to get."""
    for wait in run["waits"]:
        click.echo(f"{output.glyph('waiting')} {told(run, wait)}", err=aside)


def _what(wait: dict[str, Any]) -> str:
    """Return what is asked: an approval's question, else the step, on one line."""
    asked = (wait["approval"] or {}).get("question") or wait["title"] or wait["step"]
    return output.clean(str(asked).strip().split("\n")[0])
