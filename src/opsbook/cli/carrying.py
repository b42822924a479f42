"""What ``export`` and ``import`` share: books and files read, files written, findings told.

Files go to standard output or into a folder, everything else to standard error, so that a file can
be piped on. An export may overwrite what it wrote before; an import never overwrites anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from opsbook.cli import failure, output, words

if TYPE_CHECKING:
    from opsbook.alerts.exchange import Finding, Known, Setting
    from opsbook.alerts.exchange.alertmanager_in import Imported
    from opsbook.alerts.exchange.alertmanager_out import Exported
    from opsbook.book import Book

Command = TypeVar("Command", bound=Callable[..., Any])

URL = "http://127.0.0.1:8420"


def into(command: Command) -> Command:
    """``--into``, where an export is written."""
    kind = click.Path(path_type=Path, file_okay=False)
    return click.option("--into", type=kind, metavar="DIR", help=words.EXPORT_INTO)(command)


def url(command: Command) -> Command:
    """``--url``, by which others reach Opsbook."""
    return click.option("--url", default=URL, show_default=True, help=words.EXPORT_URL)(command)


def severities(command: Command) -> Command:
    """``--severity``, what a word for a severity is in the book."""
    decorate = click.option(
        "--severity", "severities", multiple=True, metavar="[WORD=]ID", help=words.IMPORT_SEVERITY
    )
    return decorate(command)


def book(folder: Path) -> Book:
    """Read a book; one with mistakes ends the command, with all of them."""
    from opsbook.app import vocabulary
    from opsbook.cli import books

    (found,) = books.read([folder], vocabulary())
    if found.book is None:
        books.complain([found])
        raise click.exceptions.Exit(2)
    return found.book


def text(file: Path) -> str:
    """A file's text; what is no UTF-8 is kept for the reader to name."""
    try:
        return file.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        failure.stop(words.CARRY_UNREADABLE.format(file=file, why=error.strerror), status=2)


def known(folder: Path | None) -> Known | None:
    """What the book that something is carried into has; a folder that is not there has nothing."""
    from opsbook.alerts.exchange import Known
    from opsbook.book import BookError, read_folder
    from opsbook.book.memory import Memory
    from opsbook.book.merging import merge

    if folder is None or not folder.is_dir():
        return None
    try:
        merged = merge(read_folder(folder), Memory())
        return Known.of(merged.raw, merged.positions, str(folder))
    except BookError:
        return None


@contextmanager
def refusals(file: Path, form: str) -> Iterator[None]:
    """Tell all that makes a file unusable, and end the command with 2."""
    from opsbook.alerts.exchange.findings import NotReadable

    try:
        yield
    except NotReadable as refused:
        if form == "json":
            _as_json({}, refused.findings, ())
        else:
            _tell(refused.findings, ())
            many = words.plural(len(refused.findings), "mistake")
            failure.line(words.CARRY_REFUSED.format(problems=many, file=file))
        raise click.exceptions.Exit(2) from None


def exported(made: Exported, folder: Path, to: Path | None, form: str) -> int:
    """Write what was exported, and tell what was found; 1 where there was nothing to export."""
    findings = [_within(folder, one) for one in made.findings]
    settings = [_within(folder, one) for one in made.settings]
    _out(made.files, findings, settings, to, form, fresh=False)
    return 0 if made.files else 1


def imported(made: Imported, file: Path, to: Path | None, form: str) -> int:
    """Write what was imported, and tell what was found; 1 where there was nothing to import."""
    if to is not None:
        _refuse_what_is_there(to, made.files)
    _out(made.files, made.findings, made.settings, to, form, fresh=True)
    return 0 if made.files else 1


def _within(folder: Path, one: Any) -> Any:
    """A finding in a file of the book, with the path from here."""
    from dataclasses import replace

    return replace(one, file=str(folder / one.file)) if one.file else one


def _out(
    files: Mapping[str, str],
    findings: Iterable[Finding],
    settings: Iterable[Setting],
    to: Path | None,
    form: str,
    *,
    fresh: bool,
) -> None:
    findings, settings = list(findings), list(settings)
    if to is not None:
        _write(files, to, fresh=fresh)
    if form == "json":
        _as_json(files, findings, settings)
        return
    if to is not None:
        for name in files:
            output.say(words.CARRY_WROTE.format(file=to / name))
    elif fresh:
        output.write("\n".join(files.values()))
    elif len(files) > 1:
        names = ", ".join(files)
        told = words.CARRY_SEVERAL.format(n=len(files), names=names)
        failure.stop(told, words.CARRY_SEVERAL_REMEDY, 2)
    else:
        output.write("".join(files.values()))
    _tell(findings, settings)


def _write(files: Mapping[str, str], folder: Path, *, fresh: bool) -> None:
    """Write every file; of fresh ones all or none, and never over another."""
    file, begun = folder, []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            file = folder / name
            with file.open("x" if fresh else "w", encoding="utf-8", newline="\n") as out:
                begun.append(file)
                out.write(content)
    except OSError as error:
        for file_of_ours in begun if fresh else ():
            file_of_ours.unlink(missing_ok=True)
        failure.stop(words.CARRY_UNWRITTEN.format(file=file, why=error.strerror))


def _refuse_what_is_there(folder: Path, files: Mapping[str, str]) -> None:
    if there := [name for name in files if (folder / name).exists()]:
        told = words.CARRY_IN_THE_WAY.format(folder=folder, names=", ".join(there))
        failure.stop(told, words.CARRY_IN_THE_WAY_REMEDY)


def _tell(findings: Iterable[Finding], settings: Iterable[Setting]) -> None:
    """Write findings and what is to be set to standard error."""
    from opsbook.book.problems import sentence

    for one in findings:
        place = f"{one.file}:{one.line}:{one.column}"
        told = sentence(one.message) + (f" {sentence(one.remedy)}" if one.remedy else "")
        line = words.CARRY_FOUND.format(place=place, level=one.level, message=told)
        failure.line(output.clean(line))
    settings = list(settings)
    if settings:
        failure.line(words.CARRY_SET)
    for setting in settings:
        place = f"{setting.file}:{setting.line}"
        line = words.CARRY_SETTING.format(name=setting.name, form=setting.form, place=place)
        failure.line(output.clean(line))


def _as_json(
    files: Mapping[str, str], findings: Iterable[Finding], settings: Iterable[Setting]
) -> None:
    from dataclasses import asdict

    output.as_json(
        {
            "files": dict(files),
            "findings": [asdict(one) for one in findings],
            "settings": [asdict(one) for one in settings],
        }
    )
