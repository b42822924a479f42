"""``opsbook schema``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from opsbook.cli import failure, output, words

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command()
@click.option(
    "--for",
    "page",
    type=click.Choice(["book", "runbook", "drill"]),
    default="book",
    show_default=True,
    help=words.SCHEMA_FOR,
)
@click.option("--to", "file", metavar="FILE", type=click.Path(path_type=Path), help=words.SCHEMA_TO)
@click.option(
    "-o", "--output", "form", type=click.Choice(["table", "json"]), default="json",
    show_default=True, help=words.OUTPUT_FORMAT,
)  # fmt: skip
def command(page: str, file: Path | None, form: str) -> None:
    """Write the JSON Schema of a book, for editors that check and complete what is typed.

    With -o table, list the keys that may stand at the top and what they are for. Needs no running
    server.
    """
    from opsbook.book import editor

    if page == "book":
        from opsbook.app import vocabulary

        schema = editor.book_schema(vocabulary())
    else:
        schema = editor.page_schema(page)
    if file is not None:
        _write(file, schema)
    elif form == "table":
        output.table(("KEY", "WHAT IT IS"), _keys(schema["properties"]))
    else:
        output.as_json(schema)


def _keys(properties: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(key, str(about.get("description", ""))) for key, about in properties.items()]


def _write(file: Path, schema: Mapping[str, Any]) -> None:
    text = json.dumps(schema, ensure_ascii=False, indent=2)
    try:
        file.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        failure.stop(words.SCHEMA_UNWRITTEN.format(file=file, why=error.strerror))
    keys = words.plural(len(schema["properties"]), "key")
    output.say(words.SCHEMA_WROTE.format(file=file, keys=keys))
    output.say(words.SCHEMA_LINE.format(file=file))
