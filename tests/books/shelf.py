"""The example books as they lie in the repository."""

from pathlib import Path

from opsbook.app import vocabulary
from opsbook.book import Book, load, read_folder

FOLDER = Path(__file__).parents[2] / "books"
NAMES = sorted(book.name for book in FOLDER.iterdir() if (book / "book.yaml").is_file())


def book(name: str) -> Book:
    """One of them, with the vocabulary that the program has."""
    return load(read_folder(FOLDER / name), vocabulary())
