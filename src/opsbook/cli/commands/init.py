"""``opsbook init``."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any

import click

from opsbook.cli import failure, options, output, words


@click.command()
@click.argument("folder", default=".", type=click.Path(path_type=Path))
@click.option("--title", metavar="TEXT", help=words.INIT_TITLE)
@click.option("--id", "book", metavar="ID", help=words.INIT_ID)
@click.option("--timezone", metavar="ZONE", help=words.INIT_TIMEZONE)
@click.option("--language", type=click.Choice(["ko", "en"]), help=words.INIT_LANGUAGE)
@click.option("--owner", metavar="NAME", default="operator", help=words.INIT_OWNER)
@click.option("--url", metavar="URL", help=words.INIT_URL)
@options.output_format
def command(
    folder: Path, title: str | None, book: str | None, timezone: str | None,
    language: str | None, owner: str, url: str | None, form: str,
) -> None:  # fmt: skip
    """Write a small, complete, commented book into FOLDER (this one if left out).

    The folder must be empty or not exist; nothing is ever overwritten. Needs no running server.
    """
    from opsbook.app import vocabulary
    from opsbook.book import BookError, editor, load, starting
    from opsbook.book.starting import machine

    _refuse_what_is_there(folder, starting.SCHEMA)
    name = folder.resolve().name
    zone = timezone or machine.timezone(os.environ)
    if zone is None:
        failure.stop(words.INIT_NO_ZONE, words.INIT_NO_ZONE_REMEDY, 2)
    start = starting.Start(
        id=book or starting.id_of(name) or "book", title=title or name or "book", timezone=zone,
        language="ko" if (language or machine.language(os.environ)) == "ko" else "en",
        owner=owner, folder=shlex.quote(str(folder)), url=url,
    )  # fmt: skip
    known = vocabulary()
    files = starting.files(start)
    try:
        load(files, known)
    except BookError as error:
        _refuse_options(error, start)
    schema = json.dumps(editor.book_schema(known), ensure_ascii=False, separators=(",", ":"))
    _write(folder, {**files, starting.SCHEMA: f"{schema}\n"})
    _tell(folder, [*files, starting.SCHEMA], form)


def _refuse_what_is_there(folder: Path, schema: str) -> None:
    """Stop if the folder holds anything; what begins with a dot (``.git``) is no part of a book."""
    if not folder.exists():
        return
    if not folder.is_dir():
        failure.stop(words.INIT_NO_FOLDER.format(folder=folder), words.INIT_IN_THE_WAY_REMEDY, 1)
    try:
        names = sorted(entry.name for entry in folder.iterdir())
        found = [name for name in names if not name.startswith(".") or name == schema]
    except OSError as error:
        failure.stop(words.INIT_UNWRITTEN.format(file=folder, why=error.strerror))
    if found:
        told = ", ".join(found[:20]) + (", …" if len(found) > 20 else "")
        failure.stop(
            words.INIT_IN_THE_WAY.format(folder=folder, names=told), words.INIT_IN_THE_WAY_REMEDY
        )


def _refuse_options(error: Any, start: Any) -> None:
    """A value that no book can have, told by the option that it came from."""
    known = (("--id", start.id, "id"), ("--title", start.title, "title"),
             ("--timezone", start.timezone, "timezone"), ("--owner", start.owner, "people"),
             ("--url", start.url, "checks.site"))  # fmt: skip
    for option, value, place in known:
        for problem in error.problems:
            if problem.message.startswith((f"{place}:", f"{place}.")):
                _, _, why = problem.message.partition(": ")
                told = words.INIT_BAD.format(option=option, value=value, why=why.rstrip("."))
                failure.stop(told, problem.remedy, 2)
    raise error


def _write(folder: Path, files: dict[str, str]) -> None:
    """Write every file as a new one, or none: what has come into the way meanwhile stays."""
    file, written = folder, []
    try:
        for name, text in files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8", newline="\n") as out:
                written.append(file)
                out.write(text)
    except OSError as error:
        for file_of_ours in written:
            file_of_ours.unlink(missing_ok=True)
        failure.stop(words.INIT_UNWRITTEN.format(file=file, why=error.strerror))


def _tell(folder: Path, files: list[str], form: str) -> None:
    here = shlex.quote(str(folder))
    following = [f"opsbook validate {here}", f"opsbook up {here}", "opsbook checks"]
    if form == "json":
        output.as_json({"path": str(folder), "files": sorted(files), "next": following})
        return
    output.say(words.INIT_WROTE.format(folder=folder, files=words.plural(len(files), "file")))
    for name in files:
        output.say(f"  {name}")
    output.say()
    output.say(words.INIT_NEXT)
    told = (words.INIT_NEXT_VALIDATE, words.INIT_NEXT_UP, words.INIT_NEXT_CHECKS)
    wide = max(map(len, following))
    for line, why in zip(following, told, strict=True):
        output.say(f"  {line:<{wide}}   {why}")
