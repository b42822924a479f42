"""Check kinds as small as the book's tests need them: the fields, and nothing that looks."""

from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from opsbook.book import BookError, Vocabulary, load, read_folder
from opsbook.book.fields import Duration, Part, Port, Regex

STARTER = Path(__file__).parents[2] / "books" / "starter"


class Host(Part):
    metric: Literal["disk", "memory", "load", "inodes"]
    path: str = "/"

    @property
    def value_unit(self) -> str:
        return "" if self.metric == "load" else "%"


class Tcp(Part):
    host: str
    port: Port


class Http(Part):
    url: str
    status: int = 200
    contains: str | None = None
    verify: bool = True


class Tls(Part):
    host: str | None = None
    port: Port = 443
    file: str | None = None

    @property
    def value_unit(self) -> str:
        return "d"

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.host is None) == (self.file is None):
            raise ValueError("needs a host or a file, one of the two")
        return self


class Log(Part):
    path: str
    pattern: Regex
    window: Duration


class File(Part):
    path: str
    measure: Literal["age", "size"]


VOCABULARY = Vocabulary(
    {"host": Host, "tcp": Tcp, "http": Http, "tls": Tls, "log": Log, "file": File},
    frozenset({"sh", "python"}),
)


def starter():
    """The starter's files, to be changed by a test."""
    return read_folder(STARTER)


def changed(file, old, new):
    """The starter with one text replaced."""
    files = starter()
    assert old in files[file], f"{old!r} is not in {file}"
    return {**files, file: files[file].replace(old, new, 1)}


def problems(files, vocabulary=VOCABULARY):
    """What is wrong with these files, as people read it; empty for a book that loads."""
    try:
        load(files, vocabulary)
    except BookError as error:
        return [str(problem) for problem in error.problems]
    return []
