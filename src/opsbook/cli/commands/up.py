"""``opsbook up``."""

from __future__ import annotations

import contextlib
import errno
import gc
from pathlib import Path
from typing import TYPE_CHECKING

import click

from opsbook.cli import failure, options, words

if TYPE_CHECKING:
    from opsbook.app import App
    from opsbook.base.errors import StartError
    from opsbook.cli.console import Console
    from opsbook.settings import Settings


@click.command()
@click.argument("books", nargs=-1, required=True, metavar="BOOK...")
@click.option("--data", metavar="DIR", help=words.UP_DATA_OPTION)
@click.option("--listen", metavar="HOST:PORT", help=words.UP_LISTEN_OPTION)
@click.option("--database", metavar="URL", help=words.UP_DATABASE_OPTION)
@options.output_format
def command(
    books: tuple[str, ...], data: str | None, listen: str | None, database: str | None, form: str
) -> int:
    """Run every BOOK: start the server, show what happens, stop with Ctrl-C.

    A BOOK is a folder, or a git remote with branch and subfolder where needed:
    https://host/books.git#main:shop. What changes there is followed while the server runs.

    Reads the books first. If anything is wrong with a folder that never ran here, names all of it,
    exits with 2 and starts and writes nothing. One that ran before goes on as it was, and says so.
    """
    gc.disable()  # nothing that a start makes is garbage; `serving` lets it go on
    from opsbook.settings import Settings

    settings = Settings.from_env(books, data=data, listen=listen, database=database)
    from opsbook.cli.console import choose

    console = choose(form)
    try:
        app = _build(settings, console)
        if app is None:
            return 2
        from opsbook.cli.serving import serve

        return serve(app, console)
    except KeyboardInterrupt:
        console.told(words.UP_START_STOPPED)
        return 0
    finally:
        gc.enable()


def _build(settings: Settings, console: Console) -> App | None:
    """Read the books and make the server; None when that is impossible and has been said."""
    with console.working(words.UP_READING.format(books=", ".join(map(_shown, settings.books)))):
        from opsbook.app import build, vocabulary
        from opsbook.book import BookError

        with contextlib.suppress(BookError):
            return build(settings)
        from opsbook.cli import books as reading

        folders = [one for one in settings.books if isinstance(one, Path)]
        bad = [one for one in reading.read(folders, vocabulary()) if one.problems]
    reading.complain(bad)
    many = words.plural(sum(len(one.problems) for one in bad), "problem")
    failure.line(words.NOTHING_STARTED.format(problems=many))
    return None


def _shown(book: Path | str) -> str:
    """Return a book's address without a password in it."""
    from opsbook.revisions.address import masked

    return masked(str(book))


def tell_start_failure(error: StartError, settings: Settings) -> int:
    """Say why the server did not start; of a taken port also who has it."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
        from opsbook.cli import ports

        host, port = settings.listen
        holder = ports.holder(port)
        form = words.PORT_HELD if holder else words.PORT_TAKEN
        failure.complain(
            form.format(host=host, port=port, holder=holder),
            words.PORT_REMEDY.format(host=host, other=port + 1 if port < 65535 else port - 1),
        )
        return 2
    return failure.explain(error)
