"""``opsbook validate``."""

from __future__ import annotations

from pathlib import Path

import click

from opsbook.cli import options, output, words


@click.command()
@click.argument(
    "books", nargs=-1, required=True, metavar="BOOK...", type=click.Path(path_type=Path)
)
@options.output_format
def command(books: tuple[Path, ...], form: str) -> int:
    """Read every BOOK and name everything that is wrong with it. Needs no running server.

    Exits with 2 if any of them cannot be run.
    """
    from opsbook.app import vocabulary
    from opsbook.cli import books as reading

    found = reading.read(books, vocabulary())
    bad = [one for one in found if one.problems]
    if form == "json":
        output.as_json({"valid": not bad, "books": [reading.as_data(one) for one in found]})
        return 2 if bad else 0
    for one in found:
        if one.book is not None:
            told = words.BOOK_FINE.format(title=one.book.title, counts=reading.counts(one.book))
            output.say(f"{output.glyph('ok')} {one.folder}  {told}")
            for line in reading.remarks(one.book):
                output.say(f"  {line}")
    reading.complain(bad)
    if bad:
        many = words.plural(sum(len(one.problems) for one in bad), "problem")
        output.say(words.VALID_BAD.format(problems=many, books=words.plural(len(bad), "book")))
    return 2 if bad else 0
