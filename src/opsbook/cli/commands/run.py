"""``opsbook run``."""

from __future__ import annotations

import uuid
from typing import Any

import click

from opsbook.cli import follow, options, output, planned, server, words
from opsbook.cli import given as asked


@click.command()
@click.argument("runbook")
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help=words.PARAM)
@click.option("--book", metavar="ID", help=words.BOOK_OF_RUNBOOK)
@click.option(
    "--follow/--no-follow", "live", default=True, show_default=True, help=words.FOLLOW_RUN
)
@click.option("--wait", "through", is_flag=True, help=words.WAIT)
@click.option("--key", metavar="TEXT", help=words.KEY)
@click.option("--dry-run", "dry", is_flag=True, help=words.DRY_RUN)
@options.talks
def command(
    runbook: str,
    params: tuple[str, ...],
    book: str | None,
    live: bool,
    through: bool,
    key: str | None,
    dry: bool,
    data: str | None,
    form: str,
) -> int:
    """Start a RUNBOOK and follow it until it ends, or until it waits for a person.

    Exits with 1 if the run failed or was cancelled.
    """
    found = server.find(data)
    given = asked.params(found, book, runbook, params)
    if dry:
        plan = found.post("/runs/plan", {"runbook": runbook, "book": book, "params": given})
        output.as_json(plan) if form == "json" else planned.show(plan)
        return int(any(one["sure"] for one in plan["faults"]))
    run = found.post(
        "/runs",
        {"runbook": runbook, "book": book, "params": given},
        Idempotency_Key=key or str(uuid.uuid4()),
    )
    if form == "table":
        output.say(
            words.RUN_STARTED.format(id=run["id"], title=output.clean(run["title"]), url=run["url"])
        )
    if live or through:
        view = follow.Screen(steps=True) if live and form == "table" else follow.Silence()
        follow.follow(lambda: server.find(data), run["id"], view, through_waits=through)
        run = server.find(data).get(f"/runs/{run['id']}")
    if form == "json":
        output.as_json(run)
    elif run["state"] in follow.FINISHED:
        _tell_end(run)
    return int(run["state"] in {"failed", "cancelled"})


def _tell_end(run: dict[str, Any]) -> None:
    state, sign = run["state"], output.glyph(run["state"])
    output.say(words.RUN_ENDED.format(glyph=sign, id=run["id"], state=state, took=follow.took(run)))
    if run["reason"]:
        output.say(f"  {output.clean(run['reason'])}")
