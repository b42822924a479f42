"""``opsbook runs show``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from opsbook.cli import follow, options, output, server, waits, words

MOST_ITEMS = 12
URGENT = {"failed": 0, "interrupted": 1, "waiting": 2, "running": 3, "cancelled": 4}
PHASES = {
    "main": words.SHOW_STEPS,
    "rollback": words.SHOW_UNDO,
    "finally": words.SHOW_FINALLY,
}


@click.command()
@click.argument("run", type=int)
@options.talks
def command(run: int, data: str | None, form: str) -> None:
    """Show a RUN: how it stands, what it waits for and what to do, its steps and parameters."""
    answer = server.find(data).get(f"/runs/{run}")
    if form == "json":
        output.as_json(answer)
    else:
        show(answer)


def show(run: dict[str, Any]) -> None:
    """Write a run for a person: the sentence first, then what to do, then all the rest."""
    output.say(f"{output.glyph(run['state'])} {output.clean(run['title'])} · run {run['id']}")
    for line in _sentence(run):
        output.say(f"  {line}")
    waits.show(run)
    cause = words.SHOW_FOR.format(trigger=run["trigger"]) if run["trigger"] else ""
    began = words.SHOW_STARTED.format(
        age=output.age(run["created_at"]), who=run["started_by_name"], cause=cause
    )
    output.say(output.faint(f"  {began} · {run['url']}"))
    for name, value in run["params"].items():
        if value:
            told = output.shorten(output.clean_cell(value), 200)
            output.say(f"  {output.faint(name)}  {told}")
    for phase, heading in PHASES.items():
        _phase(run, phase, heading)
    if run["state"] == "failed":
        _next(run)


def _sentence(run: dict[str, Any]) -> Iterator[str]:
    """How it stands: what it does now, or how it ended and why."""
    state = run["state"]
    if state in words.SHOW_ENDS:
        why = output.clean(run["reason"]) or state
        yield words.SHOW_ENDS[state].format(took=follow.took(run) or "0 s", why=why)
        return
    if run["cancelling"]:
        yield words.SHOW_CANCELLING
    if state == "queued":
        yield words.SHOW_QUEUED
    elif state == "running":
        yield from _running(run)


def _running(run: dict[str, Any]) -> Iterator[str]:
    one = next((step for step in _whole(run) if step["state"] == "running"), None)
    if one is None:
        return
    beside = [step for step in _whole(run) if step["phase"] == one["phase"]]
    told = words.SHOW_RUNS.format(
        n=beside.index(one) + 1, all=len(beside), title=output.clean(one["title"])
    )
    yield f"{told} · {follow.took(one)}"


def _whole(run: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps without the single items of repeated ones."""
    return [one for one in run["steps"] if "[" not in one["key"]]


def _phase(run: dict[str, Any], phase: str, heading: str) -> None:
    steps = [one for one in _whole(run) if one["phase"] == phase]
    if not steps:
        return
    output.say()
    output.say(output.faint(heading))
    rows: list[list[str]] = []
    for number, one in enumerate(steps, 1):
        rows.append(_row(one, str(number), run))
        rows += _items(run, one)
    output.rows(rows, right=[1, 3])


def _row(one: dict[str, Any], number: str, run: dict[str, Any]) -> list[str]:
    said = [output.clean(one["title"])] if one["title"] != one["key"] else []
    if one["message"]:
        said.append(output.clean(one["message"]))
    elif one["state"] == "skipped":
        said.append(words.SHOW_NOT_REACHED)
    if len(one["attempts"]) > 1:
        said.append(words.plural(len(one["attempts"]), "try", "tries"))
    items = _of(run, one)
    if items:
        done = sum(item["state"] in {"succeeded", "skipped"} for item in items)
        said.append(words.SHOW_ITEMS.format(done=done, all=len(items)))
    took = follow.took(one) if one["finished_at"] or one["state"] == "running" else ""
    return [output.glyph(one["state"]), number, one["key"], took, " · ".join(said)]


def _of(run: dict[str, Any], one: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for item in run["steps"] if item["key"].startswith(f"{one['key']}[")]


def _items(run: dict[str, Any], one: dict[str, Any]) -> list[list[str]]:
    """The items to look at: those that failed first; done ones are counted, not named."""
    urgent = [item for item in _of(run, one) if item["state"] in URGENT]
    urgent.sort(key=lambda item: (URGENT[item["state"]], item["position"]))
    rows = [_row(item, "", run) for item in urgent[:MOST_ITEMS]]
    if len(urgent) > MOST_ITEMS:
        rows.append(["", "", "", "", words.SHOW_MORE.format(n=len(urgent) - MOST_ITEMS)])
    return rows


def _next(run: dict[str, Any]) -> None:
    """What somebody does after a failure: read what it wrote, go on, or start again."""
    broken: Sequence[dict[str, Any]] = [one for one in run["steps"] if one["state"] == "failed"]
    output.say()
    item = next((one for one in broken if "[" in one["key"]), broken[0] if broken else None)
    if item is not None and item["attempts"]:
        logs = words.SHOW_LOGS.format(id=run["id"], key=waits.quoted(item["key"]))
        output.say(words.SHOW_NEXT.format(logs=logs))
    undone = any(one["phase"] == "rollback" and one["started_at"] for one in run["steps"])
    if not run["cannot_resume"]:
        output.say(words.SHOW_RESUME.format(id=run["id"]))
    main = next((one for one in broken if one["phase"] == "main" and "[" not in one["key"]), None)
    first = next((one for one in _whole(run) if one["phase"] == "main"), None)
    start = first if undone else main or first
    if start is not None:
        output.say(words.SHOW_RERUN.format(id=run["id"], key=start["key"]))
