"""``opsbook audit list``."""

from __future__ import annotations

import click

from opsbook.cli import options, output, server, words


@click.command()
@click.option("--thread", metavar="SUBJECT", help=words.THREAD)
@options.paged(1_000)
@click.option("--after", type=int, metavar="ID", help=words.AFTER)
@options.talks
def command(
    thread: str | None, limit: int, before: int | None, after: int | None, data: str | None,
    form: str,
) -> None:  # fmt: skip
    """List audit entries, newest first."""
    answer = server.find(data).get("/audit", thread=thread, limit=limit, before=before, after=after)
    entries = answer["entries"]
    if form == "json":
        output.as_json(answer)
    elif not entries:
        output.say(words.NO_ENTRIES)
    else:
        rows = [
            [
                str(one["id"]),
                output.clock_time(one["at"]),
                one["actor_name"],
                one["subject"],
                output.sentence(one),
            ]
            for one in entries
        ]
        output.table(["ID", "WHEN", "WHO", "SUBJECT", "WHAT"], rows, right=[0])
