"""Options that commands share, so that the same word means the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from opsbook.cli import words

Command = TypeVar("Command", bound=Callable[..., Any])


def output_format(command: Command) -> Command:
    """``-o table|json``."""
    return click.option(
        "-o", "--output", "form", type=click.Choice(["table", "json"]), default="table",
        show_default=True, help=words.OUTPUT_FORMAT,
    )(command)  # fmt: skip


def talks(command: Command) -> Command:
    """The options of every command that asks the running server: ``-o`` and ``--data``."""
    data = click.option("--data", metavar="DIR", help=words.DATA)
    return output_format(data(command))


def paged(most: int = 500) -> Callable[[Command], Command]:
    """``--limit`` and ``--before``, of lists that are read page by page, newest first."""

    def decorated(command: Command) -> Command:
        before = click.option("--before", type=int, metavar="ID", help=words.BEFORE)
        return click.option(
            "--limit", type=click.IntRange(1, most), default=50, show_default=True,
            help=words.LIMIT,
        )(before(command))  # fmt: skip

    return decorated


def note(command: Command) -> Command:
    """``--note``, a person's words for the timeline."""
    return click.option("--note", default="", metavar="TEXT", help=words.NOTE)(command)


def step(command: Command) -> Command:
    """``--step``, needed only where more than one waits."""
    return click.option("--step", metavar="KEY", help=words.STEP)(command)
