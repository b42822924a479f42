"""Writing an edit to where a book comes from: file by file, each whole or not at all.

Every file is written beside itself, synced and renamed, and only if what is on disk is still what
the editor's change was made from. If one cannot be written, those already written are put back. In
a git checkout the same, and then a commit of just these paths, whatever else is staged there.

The calls block: use a thread. They may be repeated after a crash: what is there already counts as
written.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from opsbook.revisions import git
from opsbook.revisions.errors import DraftConflict, NotWritten
from opsbook.revisions.git import GitFailed

NEW_FILE: Final = 0o644


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file: what it was made from and what it becomes; ``None`` is no file."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Signature:
    """Who made an edit, and why, for the commit."""

    name: str
    login: str
    reason: str


def to_folder(root: Path, changes: tuple[FileChange, ...], signed: Signature) -> None:
    """Write an edit into a folder, and commit it where the folder is a git checkout.

    Raises:
        DraftConflict: a file on disk is not what the edit was made from, or has changes that are
            not committed.
        NotWritten: something cannot be written; what had been written is as it was.
    """
    top = checkout_of(root)
    if top is not None:
        _refuse_uncommitted(root, changes)
    done: list[FileChange] = []
    try:
        for change in changes:
            done.append(change)
            _write(root, change)
        if top is not None:
            commit(root, changes, signed)
    except DraftConflict:
        _put_back(root, done[:-1])
        raise
    except (OSError, GitFailed) as error:
        _put_back(root, done)
        if top is not None:
            _unstage(root, changes)
        told = error.strerror if isinstance(error, OSError) else str(error)
        where = f" ({done[-1].path})" if isinstance(error, OSError) and done else ""
        raise NotWritten(
            f"The edit could not be written to {root}{where}: {told}",
            remedy="Nothing was published; mend that and publish again.",
        ) from error


def carry_on(root: Path, changes: tuple[FileChange, ...], signed: Signature) -> None:
    """Finish what a crash has cut off: write what is not written yet, commit what is not committed.

    Raises:
        DraftConflict: somebody has changed one of the files since.
        NotWritten: it still cannot be written.
    """
    for change in changes:
        found = _content(root, change.path)
        if found not in (change.before, change.after):
            raise _changed_since(change.path)
    try:
        for change in changes:
            if _content(root, change.path) != change.after:
                _write(root, change)
        if checkout_of(root) is not None and _status(root, changes):
            commit(root, changes, signed)
    except (OSError, GitFailed) as error:
        raise NotWritten(f"The edit could not be written to {root}: {error}") from error


def checkout_of(root: Path) -> Path | None:
    """Return the top of the git checkout that keeps this book; ``None`` for a plain folder.

    Raises:
        NotWritten: it is a checkout that git refuses to touch.
    """
    try:
        top = git.text(root, "rev-parse", "--show-toplevel")
        kept = git.text(root, "ls-files", "--", "book.yaml")
    except GitFailed as failure:
        if "not a git repository" in failure.said or failure.status_code == 127:
            return None
        raise NotWritten(
            f"{root} lies in a git checkout that cannot be used: {failure.said}",
            remedy="Nothing was published; let the user that runs Opsbook work there.",
        ) from failure
    return Path(top) if kept else None


def commit(root: Path, changes: tuple[FileChange, ...], signed: Signature) -> None:
    """Commit just these paths, as the editor.

    Raises:
        GitFailed: with what git said.
    """
    paths = [change.path for change in changes]
    git.run(root, "--literal-pathspecs", "add", "--all", "--", *paths)
    git.run(
        root, "--literal-pathspecs", "commit", "--quiet", "--no-verify", "--cleanup=verbatim",
        "-F", "-", "--only", "--", *paths, given=message(signed).encode(),
        more=git.committer(signed.name, signed.login),
    )  # fmt: skip


def message(signed: Signature) -> str:
    """Return the commit's message: the reason as the person wrote it."""
    return f"{signed.reason.strip() or 'Edit the book'}\n"


def _refuse_uncommitted(root: Path, changes: tuple[FileChange, ...]) -> None:
    try:
        dirty = _status(root, changes)
    except GitFailed as failure:
        raise NotWritten(f"git cannot tell what is changed in {root}: {failure.said}") from failure
    if dirty:
        raise DraftConflict(
            f"In {root} these have changes that are not committed: {', '.join(dirty)}.",
            remedy="Commit or discard them there, then publish again.",
            files=[{"path": path} for path in dirty],
        )


def _status(root: Path, changes: tuple[FileChange, ...]) -> list[str]:
    out = git.run(
        root, "--literal-pathspecs", "status", "--porcelain", "-z", "--untracked-files=all",
        "--no-renames", "--", *(change.path for change in changes),
    )  # fmt: skip
    return [line[3:].decode("utf-8", "replace") for line in out.split(b"\0") if line]


def _unstage(root: Path, changes: tuple[FileChange, ...]) -> None:
    """Take a refused commit's paths out of the index again."""
    with contextlib.suppress(GitFailed):
        paths = [change.path for change in changes]
        git.run(root, "--literal-pathspecs", "reset", "--quiet", "HEAD", "--", *paths)


def _write(root: Path, change: FileChange) -> None:
    target = root / change.path
    _inside(root, target, change.path)
    if _content(root, change.path) != change.before:
        raise _changed_since(change.path)
    if change.after is None:
        target.unlink()
    else:
        _replace(target, change.after.encode("utf-8", "surrogateescape"))
    _sync_folder(target.parent)


def _inside(root: Path, target: Path, path: str) -> None:
    """Refuse links: an edit goes into the book's folder and nowhere else."""
    parts = [target, *target.parents]
    for one in parts[: parts.index(root)]:
        if one.is_symlink():
            raise NotWritten(
                f"{path} is, or lies behind, a symbolic link.",
                remedy="Edit the file it points at.",
            )


def _replace(target: Path, raw: bytes) -> None:
    _make_folders(target.parent)
    before = target.stat() if target.exists() else None
    owner = before or target.parent.stat()
    mode = stat.S_IMODE(before.st_mode) if before is not None else NEW_FILE
    beside = target.with_name(f".{target.name}.{secrets.token_hex(6)}.opsbook")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(raw)
            out.flush()
            with contextlib.suppress(PermissionError):
                os.fchown(out.fileno(), owner.st_uid, owner.st_gid)
            os.fchmod(out.fileno(), mode)
            os.fsync(out.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _make_folders(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    folder.mkdir()
    above = folder.parent.stat()
    with contextlib.suppress(PermissionError):
        os.chown(folder, above.st_uid, above.st_gid)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _put_back(root: Path, done: list[FileChange]) -> None:
    """Undo what was written, as far as it is still what we wrote."""
    for change in reversed(done):
        with contextlib.suppress(OSError, DraftConflict, NotWritten):
            if _content(root, change.path) == change.after != change.before:
                _write(root, FileChange(change.path, change.after, change.before))


def _content(root: Path, path: str) -> str | None:
    try:
        return (root / path).read_bytes().decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return None


def _changed_since(path: str) -> DraftConflict:
    return DraftConflict(
        f"{path} has been changed on disk since the edit was made.",
        remedy="Look at what it says now, take that into the edit, and publish again.",
        files=[{"path": path}],
    )
