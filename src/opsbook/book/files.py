"""The files of a book: read once from a folder, then only a map from relative path to text.

Everything after this works on the map, so a revision stored in the database loads exactly as the
folder did. Content that is not UTF-8 survives the journey (each wrong byte as a lone surrogate, as
Python's ``surrogateescape`` does it); whether it may is the reader's matter: a script in ``files/``
may, a page of YAML may not.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from opsbook.base.errors import Invalid
from opsbook.book.problems import BookError, Problem

Files = Mapping[str, str]

MAX_FILE = 5 * 1024 * 1024
MAX_BOOK = 64 * 1024 * 1024
MAX_FILES = 10_000


class Revision(str):
    """A book's content hash: 64 hexadecimal digits; the same files give the same revision."""

    __slots__ = ()

    @property
    def short(self) -> str:
        """The first twelve digits, for people."""
        return self[:12]


def read_folder(folder: Path | str) -> dict[str, str]:
    """Every file of the book at `folder`, by its path with forward slashes.

    Names that start with a dot and editors' backups (``~``) are not part of a book. Symbolic links
    may point at files inside the book only. Raises BookError naming every file that cannot be
    taken: a link out, no regular file, too large, unreadable, or a folder that is not there.
    """
    root = Path(folder)
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise BookError([Problem(str(folder), 1, 1, f"the book {what}", "give a book's folder")])
    problems: list[Problem] = []
    found = sorted(_walk(root, problems))
    if len(found) > MAX_FILES:
        told = f"the book has more than {MAX_FILES:,} files"
        raise BookError([Problem(str(folder), 1, 1, told, "is this the right folder?")])
    files: dict[str, str] = {}
    total = 0
    for name in found:
        text = _read(root, name, problems)
        if text is not None:
            files[name] = text
            total += len(text)
        if total > MAX_BOOK:
            told = f"the book is larger than {MAX_BOOK // 2**20} MiB"
            problems.append(Problem(name, 1, 1, told, "keep large files out of the book"))
            break
    if problems:
        raise BookError(problems)
    return files


def revision_of(files: Files) -> Revision:
    """SHA-256 over each path and content in order, each with its length so that none can merge."""
    digest = hashlib.sha256()
    for name in sorted(files):
        for part in (name, files[name]):
            raw = part.encode("utf-8", "surrogateescape")
            digest.update(len(raw).to_bytes(8, "big"))
            digest.update(raw)
    return Revision(digest.hexdigest())


def dump(files: Files) -> str:
    """The files as one line of ASCII JSON, to be stored; `parse` gives them back unchanged."""
    return json.dumps(dict(files), ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def parse(stored: str) -> dict[str, str]:
    """The files from what `dump` wrote; raises Invalid for anything else."""
    try:
        files = json.loads(stored)
    except ValueError as error:
        raise Invalid(f"The stored book is no JSON: {error}.") from None
    if not isinstance(files, dict) or not all(isinstance(text, str) for text in files.values()):
        raise Invalid("The stored book is not a map from path to text.")
    return files


def _walk(root: Path, problems: list[Problem]) -> list[str]:
    found: list[str] = []
    for parent, folders, names in os.walk(root):
        at = Path(parent)
        folders[:] = sorted(name for name in folders if not _ignored(name))
        for name in [name for name in folders if (at / name).is_symlink()]:
            folders.remove(name)
            problems.append(
                _fault(root, at / name, "is a symbolic link to a folder", "copy the folder here")
            )
        found += [(at / name).relative_to(root).as_posix() for name in names if not _ignored(name)]
        if len(found) > MAX_FILES:
            break
    return found


def _read(root: Path, name: str, problems: list[Problem]) -> str | None:
    path = root / name
    try:
        name.encode()
        if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
            fault = "is a symbolic link out of the book", "copy the file into the book"
        elif not stat.S_ISREG((info := path.stat()).st_mode):
            fault = "is not a regular file", "remove it from the book"
        elif info.st_size > MAX_FILE:
            fault = f"is larger than {MAX_FILE // 2**20} MiB", "keep large files out of the book"
        else:
            return path.read_bytes().decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        fault = "has a name that is not UTF-8", "rename it"
    except OSError as error:
        fault = f"cannot be read: {error.strerror}", "make it readable for this user"
    problems.append(_fault(root, path, *fault))
    return None


def _fault(root: Path, path: Path, message: str, remedy: str) -> Problem:
    name = path.relative_to(root).as_posix().encode("utf-8", "replace").decode()
    return Problem(name, 1, 1, f"the file {message}", remedy)


def _ignored(name: str) -> bool:
    return name.startswith(".") or name.endswith("~")
