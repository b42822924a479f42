"""A book's folder on the disk: its files read once, and whether somebody is writing to it.

A folder is other people's: what lies in it may be a link, a pipe that never ends, a name that is no
text, or half of a file, and it may change while it is read. Nothing here follows a link out of the
book, waits for a pipe, or reads without bound; what cannot be taken is a problem with a name.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from opsbook.book.problems import BookError, Problem

MAX_FILE = 5 * 1024 * 1024
MAX_BOOK = 64 * 1024 * 1024
MAX_FILES = 10_000
MAX_DEPTH = 20

_CHUNK = 1024 * 1024
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Signature:
    """What a folder looks like from outside, without reading a file: enough to see it change.

    One entry for each file: its name, size, times of change in nanoseconds, and inode (an editor
    that saves by renaming a new file into place keeps neither). A folder that is not there, or
    cannot be listed, has no entries.

    A file system tells times only so finely (a few milliseconds, on some network ones a second or
    two), and a change of the same length within that time cannot be seen; whoever polls should load
    once more, after such a time, what has changed a moment ago. An unchanged book costs nothing.
    """

    entries: tuple[tuple[str, int, int, int, int], ...] = ()


def signature(folder: Path | str) -> Signature:
    """The folder's signature now: one look at each name, no content."""
    seen = []
    for entry, name in _walk(Path(folder), []):
        if (info := _stat(entry)) is not None:
            seen.append((name, info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino))
    return Signature(tuple(sorted(seen)))


def _stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    """A file's data, a link's own where it leads nowhere, or None for what is gone by now."""
    try:
        return entry.stat()
    except OSError:
        try:
            return entry.stat(follow_symlinks=False)
        except OSError:
            return None


def settled(before: Signature, now: Signature) -> bool:
    """Whether nobody has written to the folder between the two: then it may be read.

    Take them a fifth of a second apart or more: an editor or `git checkout` that is still saving
    does more to a file in that time.
    """
    return before == now and bool(now.entries)


def read_as_seen(folder: Path | str, seen: Signature) -> dict[str, str] | None:
    """The files of a folder that still looks as it did when `seen` was taken, else None.

    So that what is loaded was on the disk at one moment, and half of a saved change is never
    reported as a mistake of the person who is saving. Raises BookError as `read_folder` does.
    """
    try:
        files = read_folder(folder)
    except BookError:
        if signature(folder) != seen:
            return None
        raise
    return files if signature(folder) == seen else None


def read_folder(folder: Path | str) -> dict[str, str]:
    """Every file of the book at `folder`, by its path with forward slashes.

    Names that start with a dot and editors' backups (``~``) are not part of a book. Symbolic links
    may point at files inside the book only. Raises BookError naming every file that cannot be
    taken: a link out, no regular file, too large, unreadable, a name that other systems cannot
    tell from another's, or a folder that is not there.
    """
    root = Path(folder)
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise BookError([Problem(str(folder), 1, 1, f"the book {what}", "give a book's folder")])
    problems: list[Problem] = []
    found = sorted((name, entry.is_symlink()) for entry, name in _walk(root, problems))
    if len(found) > MAX_FILES:
        told = f"the book has more than {MAX_FILES:,} files"
        raise BookError([Problem(str(folder), 1, 1, told, "is this the right folder?")])
    problems += _alike(name for name, _ in found)
    inside = str(root.resolve())
    files: dict[str, str] = {}
    total = 0
    for name, is_link in found:
        raw = _read(inside, name, is_link, problems)
        if raw is not None:
            files[name] = raw.decode("utf-8", "surrogateescape")
            total += len(raw)
        if total > MAX_BOOK:
            told = f"the book is larger than {MAX_BOOK // 2**20} MiB"
            problems.append(Problem(name, 1, 1, told, "keep large files out of the book"))
            break
    if problems:
        raise BookError(problems)
    return files


def _walk(root: Path, problems: list[Problem]) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Each file with its path in the book; ends as soon as there are too many."""
    waiting = [(str(root), "", 0)]
    files = folders = 0
    while waiting and folders <= MAX_FILES:
        at, prefix, depth = waiting.pop()
        folders += 1
        try:
            entries = os.scandir(at)
        except OSError as error:
            told = f"cannot be read: {error.strerror}"
            _add(problems, prefix, told, "make it readable for this user", folder=True)
            continue
        with entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.name.startswith(".") or entry.name.endswith("~"):
                    continue
                if not entry.is_dir(follow_symlinks=False):
                    if _leads_to_folder(entry):
                        told, remedy = "is a symbolic link to a folder", "copy the folder here"
                        _add(problems, name, told, remedy)
                        continue
                    yield entry, name
                    files += 1
                    if files > MAX_FILES:
                        return
                elif depth < MAX_DEPTH:
                    waiting.append((entry.path, f"{name}/", depth + 1))
                else:
                    told = f"is more than {MAX_DEPTH} folders deep"
                    _add(problems, name, told, "move it up", folder=True)
    if waiting:
        told = f"has more than {MAX_FILES:,} folders"
        _add(problems, root.name, told, "is this the right folder?", folder=True)


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:  # it leads in a circle, as reading it will tell
        return False


def _alike(names: Iterator[str]) -> Iterator[Problem]:
    """Names that a system which minds neither case nor Unicode's forms takes for one."""
    first: dict[str, str] = {}
    for name in names:
        key = unicodedata.normalize("NFC", name).casefold()
        other = first.setdefault(key, name)
        if other != name:
            told = f"has the name of {shown(other)} but for case or accents"
            remedy = "rename one of the two: on many machines they are one file"
            yield Problem(shown(name), 1, 1, f"the file {told}", remedy)


def _read(root: str, name: str, is_link: bool, problems: list[Problem]) -> bytes | None:
    path = f"{root}/{name}"
    try:
        name.encode()
        if _UNPRINTABLE.search(name):
            fault = "has a name with a control character", "rename it"
        elif is_link and not (path := os.path.realpath(path, strict=True)).startswith(f"{root}/"):
            fault = "is a symbolic link out of the book", "copy the file into the book"
        else:
            return _regular(path)
    except UnicodeEncodeError:
        fault = "has a name that is not UTF-8", "rename it"
    except _NotTaken as why:
        fault = why.fault
    except OSError as error:
        fault = f"cannot be read: {error.strerror}", "make it readable for this user, or remove it"
    _add(problems, name, *fault)
    return None


class _NotTaken(Exception):
    def __init__(self, told: str, remedy: str) -> None:
        self.fault = told, remedy


def _regular(path: str) -> bytes:
    """A regular file's content, all of one moment; opening a pipe does not wait for its writer."""
    if not stat.S_ISREG(Path(path).lstat().st_mode):
        raise _NotTaken("is not a regular file", "remove it from the book")
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        before = os.fstat(handle)
        if not stat.S_ISREG(before.st_mode):
            raise _NotTaken("is not a regular file", "remove it from the book")
        content = bytearray()
        while len(content) <= MAX_FILE and (chunk := os.read(handle, _CHUNK)):
            content += chunk
        after = os.fstat(handle)
    finally:
        os.close(handle)
    if len(content) > MAX_FILE:
        told = f"is larger than {MAX_FILE // 2**20} MiB"
        raise _NotTaken(told, "keep large files out of the book")
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, len(content)):
        raise _NotTaken("has changed while it was read", "try again when it is saved")
    return bytes(content)


def _add(
    problems: list[Problem], name: str, message: str, remedy: str, *, folder: bool = False
) -> None:
    what = "folder" if folder else "file"
    problems.append(Problem(shown(name.rstrip("/")), 1, 1, f"the {what} {message}", remedy))


def shown(name: str) -> str:
    """A file's name as it can be printed on one line, whatever bytes it is made of."""
    text = name.encode("utf-8", "replace").decode()
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)
