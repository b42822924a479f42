"""`docs/reference/errors` as cases: what is written on its pages, done as it is written.

A case is a heading of the second level and what is below it. Its fences say what they are:

- ```` ```yaml file=checks.yaml ```` is a file of the book. What it defines takes the place of what
  the base book (on the page `index.md`) has under the same key; with the word ``alone`` it is the
  whole book. With ``kinds=run`` steps of that kind are taken for granted.
- ```` ```sh ```` is run by a shell in the book's folder, for what no file can show.
- ```` ```text ```` is what `opsbook validate` says. Files after it mend the book: each takes the
  place of the one of its name, and then nothing is wrong any more.
"""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from opsbook.app import vocabulary
from opsbook.book import BookError, Vocabulary, load, read_folder
from opsbook.book.problems import Problem

PAGES = Path(__file__).parents[2] / "docs" / "reference" / "errors"
BASE = "base.yaml"

_FENCE = re.compile(
    r"^(?P<marks>`{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=marks)[ ]*$", re.MULTILINE | re.DOTALL
)
_SECTION = re.compile(r"^(\w+):", re.MULTILINE)
_ELEMENT = re.compile(r"^  ([\w.-]+):", re.MULTILINE)


MORE = "…"
"""A line that stands for any number of further lines like the one before it."""


@dataclass(frozen=True)
class Piece:
    """A file of a case."""

    name: str
    text: str
    alone: bool = False
    kinds: frozenset[str] = frozenset()


@dataclass
class Case:
    """One mistake, and what is said of it."""

    page: str
    title: str
    prose: str = ""
    pieces: list[Piece] = field(default_factory=list)
    commands: str = ""
    told: list[str] = field(default_factory=list)
    mended: list[Piece] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.page}: {self.title}"

    def files(self) -> dict[str, str]:
        """The book with the mistake; what the commands would add is not in it."""
        return _book(self.pieces)

    def mended_files(self) -> dict[str, str]:
        """The book after the mistake is mended."""
        names = {piece.name for piece in self.mended}
        return _book([*(one for one in self.pieces if one.name not in names), *self.mended])

    def problems(self, place: Path) -> list[Problem]:
        """What is wrong with the book; in `place` commands make the mistake in a folder `book`."""
        files = self.files()
        if not self.commands:
            return judged(files, self.kinds)
        folder = place / "book"
        write(files, folder)
        subprocess.run(["bash", "-euc", self.commands], cwd=folder, check=True, timeout=60)
        try:
            found = read_folder(folder)
        except BookError as error:
            return [_from(place, problem) for problem in error.problems]
        return judged(found, self.kinds)

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of steps that the case takes for granted."""
        return frozenset().union(*(piece.kinds for piece in self.pieces))


def _from(place: Path, problem: Problem) -> Problem:
    """The problem as one is told of it who stands in `place`."""
    return replace(problem, file=problem.file.removeprefix(f"{place}/"))


def shortened(told: list[str], shown: list[str]) -> list[str]:
    """What is said, with `MORE` for the lines that a page leaves out there."""
    if MORE not in shown:
        return told
    before = shown.index(MORE)
    after = len(shown) - before - 1
    return [*told[:before], MORE, *told[len(told) - after :]]


def judged(files: dict[str, str], kinds: frozenset[str] = frozenset()) -> list[Problem]:
    """What is wrong with a book that has these files, where steps of `kinds` are run as well."""
    known = _vocabulary()
    try:
        load(files, replace(known, step_kinds=known.step_kinds | kinds))
    except BookError as error:
        return list(error.problems)
    return []


@functools.cache
def _vocabulary() -> Vocabulary:
    return vocabulary()


def write(files: dict[str, str], folder: Path) -> None:
    """Put a book's files into a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@functools.cache
def cases() -> tuple[Case, ...]:
    """Every case of every page."""
    return tuple(
        case
        for path in sorted(PAGES.glob("*.md"))
        if path.stem != "index"
        for case in _of_page(path.stem, path.read_text())
    )


def _of_page(page: str, text: str) -> Iterator[Case]:
    for part in re.split(r"^## ", _without_fences(text), flags=re.MULTILINE)[1:]:
        title = part.partition("\n")[0].strip()
        yield _filled(Case(page, title), _below(text, title))


def _without_fences(text: str) -> str:
    return _FENCE.sub("", text)


def _below(text: str, title: str) -> str:
    """What is below a heading, up to the next one; a heading within a fence is none."""
    start = text.index(f"\n## {title}\n") + len(title) + 5
    blanked = _FENCE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    end = blanked.find("\n## ", start)
    return text[start : end if end >= 0 else None]


def _filled(case: Case, text: str) -> Case:
    case.prose = _without_fences(text).replace("Instead:", "").strip()
    for fence in _FENCE.finditer(text):
        language, *words = fence["info"].split()
        body = fence["body"]
        said = dict(word.split("=", 1) for word in words if "=" in word)
        if language == "text":
            case.told += body.splitlines()
        elif language == "sh":
            case.commands += body
        elif "file" in said:
            kinds = frozenset(said.get("kinds", "").split(",")) - {""}
            piece = Piece(said["file"].replace("%20", " "), body, "alone" in words, kinds)
            (case.mended if case.told else case.pieces).append(piece)
        else:
            raise AssertionError(f"{case}: a fence says neither file= nor what it is: {body[:60]}")
    return case


@functools.cache
def base() -> dict[str, str]:
    """The base book, as the page `index.md` shows it."""
    case = _filled(Case("index", "base"), (PAGES / "index.md").read_text().split("<!-- end -->")[0])
    return {piece.name: piece.text for piece in case.pieces}


def _book(pieces: list[Piece]) -> dict[str, str]:
    """The base book with the pieces in the place of what they define."""
    files = dict(base())
    if any(piece.alone for piece in pieces):
        files = {}
    for piece in pieces:
        if piece.name.endswith(".yaml") and BASE in files:
            files[BASE] = _leaving_out(files[BASE], piece.text)
    return {**files, **{piece.name: piece.text for piece in pieces}}


def _leaving_out(text: str, piece: str) -> str:
    """The base book's sections without whatever the piece defines."""
    replaced = dict(_sections(piece))
    kept = []
    for name, part in _sections(text):
        if name not in replaced:
            kept.append(part)
            continue
        ids = _ELEMENT.findall(replaced[name])
        elements = [one for one in _elements(part) if not _ELEMENT.match(one) or
                    _ELEMENT.match(one)[1] not in ids]  # fmt: skip
        if len(elements) > 1:
            kept.append("".join(elements))
    return "".join(kept)


def _sections(text: str) -> list[tuple[str, str]]:
    parts = re.split(r"^(?=\w+:)", text, flags=re.MULTILINE)
    return [(_SECTION.match(part)[1], part) for part in parts if _SECTION.match(part)]


def _elements(part: str) -> list[str]:
    """A section's line, and then each of its elements."""
    return re.split(r"^(?=  [\w.-]+:)", part, flags=re.MULTILINE)
