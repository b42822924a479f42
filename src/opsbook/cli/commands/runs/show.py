"""``opsbook runs show``."""

from __future__ import annotations

from typing import Any

import click

from opsbook.cli import follow, options, output, server, waits


@click.command()
@click.argument("run", type=int)
@options.talks
def command(run: int, data: str | None, form: str) -> None:
    """Show a RUN: its parameters, its steps and what it waits for."""
    answer = server.find(data).get(f"/runs/{run}")
    if form == "json":
        output.as_json(answer)
    else:
        show(answer)


def show(run: dict[str, Any]) -> None:
    """Write a run for a person."""
    sign, title = output.glyph(run["state"]), output.clean(run["title"])
    cause = f" for {run['trigger']}" if run["trigger"] else ""
    output.say(
        f"{sign} {title} · run {run['id']}, {run['state']}"
        f" · started {output.age(run['created_at'])} by {run['started_by_name']}{cause}"
    )
    output.say(f"  {run['url']}")
    for name, value in run["params"].items():
        output.say(f"  {output.faint(name)}  {output.clean(value)}")
    if run["reason"]:
        output.say(f"  {output.clean(run['reason'])}")
    output.say()
    rows = [
        [
            output.glyph(step["state"]),
            str(step["position"] + 1),
            step["key"],
            step["kind"],
            step["state"],
            follow.took(step),
            step["message"] or step["title"],
        ]
        for step in run["steps"]
    ]
    output.table(["", "", "STEP", "KIND", "STATE", "TOOK", "SAYS"], rows, right=[1, 5])
    if run["waits"]:
        output.say()
        waits.show(run)
