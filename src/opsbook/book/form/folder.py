"""Which files are laid out, and writing one so that it is either the old text or the new.

YAML of the book and the pages in ``runbooks/`` and ``drills/``. ``files/`` is what steps use and is
never touched. A file is replaced whole (written beside it, synced, renamed), keeps its mode, and is
left alone if somebody changed it meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from opsbook.book.files import MAX_FILE
from opsbook.book.form.text import Formed, formed
from opsbook.book.problems import Problem

PAGES = ("runbooks", "drills")
UNTOUCHED = "files"
YAML = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A file, its text before and after, and what is wrong with it. Unread: both are empty."""

    file: Path
    before: str
    after: str
    problems: tuple[Problem, ...] = ()
    stamp: tuple[int, int, int] = (0, 0, 0)

    @property
    def changes(self) -> bool:
        """Whether the file is not in its one form yet."""
        return not self.problems and self.before != self.after


def find(path: Path) -> Iterator[Outcome]:
    """Every file at or under `path` that has a form, read and laid out. Raises OSError for none."""
    if path.is_dir():
        yield from _walk(path, _book_of(path))
    else:
        path.stat()
        yield _one(path, _book_of(path.parent))


def write(outcome: Outcome) -> str:
    """Replace the file by its new text; why not, as the end of a sentence, or empty."""
    file = outcome.file.resolve()
    name = ""
    try:
        mode = file.stat().st_mode
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix="~")
        with os.fdopen(handle, "wb") as out:
            out.write(outcome.after.encode("utf-8", "surrogateescape"))
            out.flush()
            with contextlib.suppress(PermissionError):
                os.fchown(out.fileno(), file.stat().st_uid, file.stat().st_gid)
            os.fchmod(out.fileno(), stat.S_IMODE(mode))
            os.fsync(out.fileno())
        if _stamp(file) != outcome.stamp:
            return "it was changed meanwhile; run this again"
        Path(name).replace(file)
        name = ""
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        return f"{error.strerror or error}"
    finally:
        if name:
            with contextlib.suppress(OSError):
                Path(name).unlink()
    return ""


def _stamp(file: Path) -> tuple[int, int, int]:
    found = file.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _book_of(folder: Path) -> Path:
    """The book that a folder belongs to: the nearest one around it that has a ``book.yaml``.

    ``book.yaml`` is a habit and no must; without one a folder of a known name tells.
    """
    here = folder.resolve()
    around = (here, *here.parents)
    known = next((at.parent for at in around if at.name in {UNTOUCHED, *PAGES}), here)
    return next((at for at in around if (at / "book.yaml").is_file()), known)


def _walk(folder: Path, book: Path) -> Iterator[Outcome]:
    if (folder / "book.yaml").is_file():
        book = folder.resolve()
    inside = folder.resolve().relative_to(book).parts if _is_in(folder, book) else ()
    if inside[:1] == (UNTOUCHED,):
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        yield _refused(folder, f"the folder cannot be read: {error.strerror}", "make it readable")
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name.endswith("~"):
            continue
        if entry.is_symlink():
            if (entry.is_dir() or _has_form(entry, inside)) and not _is_in(entry, book):
                told = "this is a symbolic link out of the book"
                yield _refused(entry, told, "copy what it names into the book")
        elif entry.is_dir():
            yield from _walk(entry, book)
        elif _has_form(entry, inside):
            yield _read(entry)


def _has_form(file: Path, inside: tuple[str, ...]) -> bool:
    if inside[:1] and inside[0] in PAGES:
        return file.suffix == ".md"
    return file.suffix in YAML and inside[:1] != (UNTOUCHED,)


def _one(file: Path, book: Path) -> Outcome:
    """A file that was named: it must be one that has a form."""
    if not _is_in(file, book):
        told = "this is a symbolic link out of the book"
        return _refused(file, told, "copy what it names into the book")
    inside = file.resolve().relative_to(book).parts[:-1]
    if inside[:1] == (UNTOUCHED,):
        told = "this is in files/, which is what steps use, and stays as it is"
        return _refused(file, told, "name another file")
    if file.suffix not in {".md", *YAML}:
        return _refused(file, "this is neither YAML nor Markdown", "name a .yaml or .md file")
    return _read(file)


def _is_in(path: Path, book: Path) -> bool:
    with contextlib.suppress(OSError, RuntimeError):
        return path.resolve().is_relative_to(book)
    return False


def _read(file: Path) -> Outcome:
    try:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):
            return _refused(file, "this is not a regular file", "remove it from the book")
        if found.st_size > MAX_FILE:
            told = f"this file is larger than {MAX_FILE // 2**20} MiB"
            return _refused(file, told, "keep large files out of the book")
        text = file.read_bytes().decode("utf-8", "surrogateescape")
        stamp = _stamp(file)
    except OSError as error:
        told = f"this file cannot be read: {error.strerror}"
        return _refused(file, told, "make it readable for this user")
    done: Formed = formed(text, str(file))
    return Outcome(file, text, done.text, done.problems, stamp)


def _refused(file: Path, message: str, remedy: str) -> Outcome:
    return Outcome(file, "", "", (Problem(str(file), 1, 1, message, remedy),))
