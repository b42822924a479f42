"""What an error becomes on the terminal: a sentence, a remedy, an exit status."""

from __future__ import annotations

import os
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from opsbook.base.errors import Bug, Invalid, OpsbookError, StartError
from opsbook.cli import output, words


def explain(error: Exception) -> int:
    """Show an error in one or two lines and return the exit status.

    Errors raised on purpose carry their own remedy. Anything else is our bug: its trace goes to a
    file, and the line on the terminal names the file.
    """
    if isinstance(error, OpsbookError) and not isinstance(error, Bug):
        complain(error.message, error.remedy)
        return 2 if isinstance(error, (Invalid, StartError)) else 1
    log = write_trace(error)
    complain(
        words.BUG.format(error=f"{type(error).__name__}: {error}"), words.BUG_LOG.format(log=log)
    )
    return 1


def complain(message: str, remedy: str = "") -> None:
    """Write what is wrong, and under it what to do, to standard error."""
    click.echo(f"{output.paint('error:', 'red')} {output.clean(message)}", err=True)
    if remedy:
        click.echo(f"  {output.clean(remedy)}", err=True)


def line(text: str) -> None:
    """Write one line to standard error as it is."""
    click.echo(text, err=True)


def stop(message: str, remedy: str = "", status: int = 1) -> NoReturn:
    """Say why the command ends here, and end it."""
    complain(message, remedy)
    raise click.exceptions.Exit(status)


def write_trace(error: Exception) -> Path:
    """Append the trace to a file that only this user can read, and return its path."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    text = "".join(traceback.format_exception(error))
    file = Path(state) / "opsbook" / "errors.log"
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError:
        handle, name = tempfile.mkstemp(prefix="opsbook-errors-", suffix=".log")
        file = Path(name)
    with os.fdopen(handle, "a", encoding="utf-8", errors="replace") as out:
        out.write(f"{datetime.now(UTC).isoformat()}\n{text}\n")
    return file
