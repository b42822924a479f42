"""``opsbook fmt``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from opsbook.cli import options, output, words

if TYPE_CHECKING:
    from opsbook.book.form import Outcome
    from opsbook.book.problems import Problem


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help=words.FMT_CHECK)
@click.option("--diff", is_flag=True, help=words.FMT_DIFF)
@options.output_format
def command(paths: tuple[Path, ...], check: bool, diff: bool, form: str) -> int:
    """Lay out a book's files in their one form; books, folders or files, else this folder.

    YAML, and the pages in runbooks/ and drills/. No comment, no word and no order is changed, and
    files/ is never touched. A file that cannot be read is named and left as it is. Needs no running
    server. Exits with 1 if a file could not be laid out, or with --check if one would change.
    """
    from opsbook.book.form import find, write

    seen: set[Path] = set()
    found: list[Outcome] = []
    for path in paths or (Path(),):
        try:
            found += [one for one in find(path) if _is_new(one.file, seen)]
        except OSError as error:
            from opsbook.cli import failure

            failure.stop(words.FMT_NO_PATH.format(path=path, why=error.strerror), status=2)
    told: list[Problem] = [problem for one in found for problem in one.problems]
    changes = [one for one in found if one.changes]
    if not check and not diff:
        told += [_unwritten(one, why) for one in changes if (why := write(one))]
    left = {problem.file for problem in told}
    if form == "json":
        _as_json(found, left, told, written=not (check or diff))
    else:
        for problem in told:
            _complain(problem)
        _say(found, [one for one in changes if str(one.file) not in left], check, diff)
    return 1 if told or (check and changes) else 0


def _is_new(file: Path, seen: set[Path]) -> bool:
    """Whether a file has not been met yet, by another of the paths that were given."""
    real = file.resolve()
    if real in seen:
        return False
    seen.add(real)
    return True


def _unwritten(one: Outcome, why: str) -> Problem:
    from opsbook.book.problems import Problem

    return Problem(str(one.file), 1, 1, words.FMT_UNWRITTEN.format(why=why))


def _complain(problem: Problem) -> None:
    from opsbook.cli import failure

    failure.line(output.clean(str(problem)))


def _say(found: list[Outcome], changes: list[Outcome], check: bool, diff: bool) -> None:
    if not found:
        output.say(words.FMT_NOTHING)
        return
    for one in changes:
        if diff:
            output.write(_diff(one))
        else:
            would = words.FMT_WOULD if check else words.FMT_DID
            output.say(would.format(file=output.clean(str(one.file))))
    if diff:
        return
    fine = sum(1 for one in found if not one.problems and not one.changes)
    form = words.FMT_CHECKED if check else words.FMT_DONE
    files = words.plural(len(changes), "file")
    output.say(form.format(changed=files, fine=words.plural(fine, "file")))


def _diff(one: Outcome) -> str:
    """A unified diff; a file whose lines differ only in their ends says so in words."""
    import difflib

    before, after = one.before.splitlines(), one.after.splitlines()
    name = str(one.file)
    lines = list(difflib.unified_diff(before, after, name, name, lineterm=""))
    if not lines:
        return f"--- {name}\n+++ {name}\n{words.FMT_ENDS_ONLY}\n"
    return "".join(f"{output.clean(line)}\n" for line in lines)


def _as_json(found: list[Outcome], left: set[str], told: list[Problem], *, written: bool) -> None:
    files: list[dict[str, Any]] = [
        {
            "file": str(one.file),
            "state": "left"
            if str(one.file) in left
            else "fine"
            if not one.changes
            else "changed"
            if written
            else "would change",
        }
        for one in found
    ]
    problems = [
        {
            "file": problem.file,
            "line": problem.line,
            "column": problem.column,
            "message": problem.message,
            "remedy": problem.remedy,
        }
        for problem in told
    ]
    output.as_json({"files": files, "problems": problems})
