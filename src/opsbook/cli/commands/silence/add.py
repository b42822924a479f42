"""``opsbook silence add``."""

from __future__ import annotations

import click

from opsbook.cli import options, output, server, words


@click.command()
@click.argument("matchers", nargs=-1, required=True)
@click.option("--for", "length", required=True, metavar="TIME", help=words.SILENCE_LENGTH)
@click.option("--comment", required=True, metavar="TEXT", help=words.SILENCE_COMMENT)
@click.option("--schedule", default="", metavar="WHEN", help=words.SILENCE_SCHEDULE)
@click.option("--each", default="", metavar="TIME", help=words.SILENCE_EACH)
@click.option("--book", metavar="ID", help=words.BOOK)
@options.talks
def command(
    matchers: tuple[str, ...], length: str, comment: str, schedule: str, each: str,
    book: str | None, data: str | None, form: str,
) -> None:  # fmt: skip
    """Keep alerts quiet whose labels match all MATCHERS, such as service=api severity=~"P3|P4".

    They go on firing, and are told once the silence ends if they still do.
    """
    asked = {
        "book": book, "matchers": list(matchers), "length": length, "comment": comment,
        "schedule": schedule, "each": each,
    }  # fmt: skip
    answer = server.find(data).post("/silences", asked)
    if form == "json":
        output.as_json(answer)
        return
    output.say(
        words.SILENCED.format(
            glyph=output.glyph(answer["state"]), until=output.clock_time(answer["ends_at"]),
            matchers=", ".join(answer["matchers"]), faint=output.faint(answer["id"]),
        )
    )  # fmt: skip
    if not answer["quiet"]:
        output.say(f"  {words.SILENCED_NONE}")
