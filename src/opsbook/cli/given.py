"""The parameters of ``opsbook run``: ``-p NAME=VALUE``, and secret ones by another way.

A command line is seen by everybody on the machine (``ps``) and kept in the shell's history, so a
secret is not taken from it: it is asked for without echo, or read from a file or from stdin. Which
parameters are secret is the server's to say, since it has the book.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from opsbook.cli import server, words


def params(
    found: server.Server, book: str | None, runbook: str, given: Sequence[str]
) -> dict[str, str]:
    """Return what the runbook is given.

    Raises:
        click.UsageError: it cannot be understood, or a secret stands on the command line, or one
            is missing and nobody can be asked.
    """
    secret = _secret(found, book, runbook)
    told: dict[str, str | None] = {}
    for one in given:
        name, separator, value = one.partition("=")
        if not name or (not separator and name not in secret):
            raise click.UsageError(words.BAD_PARAM.format(given=one))
        if name in told:
            raise click.UsageError(words.PARAM_TWICE.format(name=name))
        told[name] = value if separator else None
    _refuse_open(told, secret)
    missing = [name for name, required in secret.items() if required and name not in told]
    values = {
        name: _taken(name, value) if name in secret else value or "" for name, value in told.items()
    }
    if missing and not sys.stdin.isatty():
        raise click.UsageError(
            "\n".join(words.SECRET_MISSING.format(name=name) for name in missing)
        )
    if missing:
        values |= {name: _asked(name) for name in missing}
    return values


def _secret(found: server.Server, book: str | None, runbook: str) -> dict[str, bool]:
    """The runbook's secret parameters, and whether each is required.

    Where several books have a runbook of that name, a parameter that is secret in one is so here.
    """
    answer: Mapping[str, Any] = found.get("/books")
    return {
        param["name"]: param["required"]
        for one in answer["books"]
        if book in (None, one["id"])
        for known in one["runbooks"]
        if known["id"] == runbook
        for param in known["params"]
        if param["secret"]
    }


def _refuse_open(told: Mapping[str, str | None], secret: Collection[str]) -> None:
    bare = [
        name
        for name, value in told.items()
        if name in secret and value and value != "-" and not value.startswith("@")
    ]
    if bare:
        raise click.UsageError(words.SECRET_PARAM.format(name=bare[0]))
    if [told[name] for name in secret if name in told].count("-") > 1:
        raise click.UsageError(words.STDIN_TWICE)


def _taken(name: str, value: str | None) -> str:
    if value is None:
        return _asked(name)
    if value == "-":
        return sys.stdin.read().removesuffix("\n")
    if value.startswith("@"):
        try:
            return Path(value[1:]).read_text(encoding="utf-8").removesuffix("\n")
        except (OSError, UnicodeDecodeError) as error:
            told = words.SECRET_FILE.format(name=name, file=value[1:], why=error)
            raise click.UsageError(told) from None
    return value


def _asked(name: str) -> str:
    answer: str = click.prompt(name, hide_input=True, err=True)
    return answer
