"""The files of a book, where its steps can read them: ``$OPSBOOK_FILES``.

A run keeps its revision for ever, so the files lie under the revision and are never written twice:
they are put together beside the place and moved there whole, which a crash can only leave undone.
Steps may read them and nothing else; a script (``#!``) may be run.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from opsbook.base.places import Places
from opsbook.book import Book

FOLDER = "files/"


def of_book(book: Book, places: Places) -> Path | None:
    """The folder that holds what is under ``files/`` in this revision; None if nothing is."""
    names = [name for name in book.files if name.startswith(FOLDER)]
    if not names:
        return None
    folder = places.files / book.revision
    if not folder.is_dir():
        _write(folder, {name.removeprefix(FOLDER): book.files[name] for name in names})
    return folder


def _write(folder: Path, files: dict[str, str]) -> None:
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name[:12]}-", dir=folder.parent))
    try:
        for name, text in files.items():
            path = beside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8", "surrogateescape"))
            path.chmod(0o555 if text.startswith("#!") else 0o444)
        for inner, _, _ in os.walk(beside, topdown=False):
            Path(inner).chmod(0o555)
        beside.chmod(0o755)  # only a folder that its owner may write to can be renamed everywhere
        beside.rename(folder)
    except OSError:
        for inner, _, _ in os.walk(beside):
            Path(inner).chmod(0o700)
        shutil.rmtree(beside, ignore_errors=True)
        if not folder.is_dir():  # and not because another step has just put it there
            raise
