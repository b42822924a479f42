"""Every sentence in the source that can end in a book's problem, found by looking at the source.

All texts of several words in the packages that judge a book are taken for messages, unless they
plainly are something else (a docstring, a regular expression, a bug's words). So it does not matter
how a message reaches its `Problem`, and a new one is found without anybody's thinking of it.
"""

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "opsbook"

JUDGING = ("book", "calendar", "base/quantities.py")
"""Where what is wrong with a book is found."""

NOT_JUDGING = {
    "book/editing.py": "what a form can change in a file, and why not",
    "book/editor.py": "writes the schema for editors",
    "book/editorvalues.py": "writes the schema for editors",
    "book/form": "`opsbook fmt`, which writes and does not judge",
    "book/starting": "`opsbook init`: the text of a new book",
    "book/library.py": "what a server says of revisions",
    "book/store.py": "queries",
    "book/tables.py": "tables",
    "calendar/phrase.py": "schedules told in words",
    "calendar/window.py": "a book's windows and freezes are sections, judged as such",
}

NOT_PROBLEMS = frozenset({"AssertionError", "Bug", "Conflict", "Invalid", "NotFound"})
"""Raised at others than whoever writes a book."""

HOLE = "\0"
"""Stands in a template where the source puts a value."""

_WORDS = re.compile(r"[^\W\d_]{2}\S* \S*[^\W\d_]{2}")
_PATTERN = re.compile(r"\(\?[:P]|\\[dsw]")
_NAMED_HOLE = re.compile(r"\{[a-z_]+\}")


@dataclass(frozen=True, order=True)
class Template:
    """A sentence as the source has it, with a `HOLE` for each value."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.words}"

    @property
    def words(self) -> str:
        """The sentence as people write it down, with dots for the values."""
        return self.text.replace(HOLE, "…")

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """What a printed message that has this sentence in it looks like.

        A reader's error carries message and remedy in one, with a semicolon between them, which
        print as two sentences.
        """
        parts = self.text.split("; ", 1)
        return re.compile(r"(?:; |[.?!…]? )".join(_with_holes(part) for part in parts))


def _with_holes(text: str) -> str:
    return ".*?".join(re.escape(piece) for piece in text.split(HOLE))


def templates() -> list[Template]:
    """All of them, in the order of the files."""
    found = []
    for name in JUDGING:
        place = SOURCE / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            file = path.relative_to(SOURCE).as_posix()
            if not any(file == one or file.startswith(f"{one}/") for one in NOT_JUDGING):
                found += list(of_file(path, file))
    return found


def of_file(path: Path, file: str) -> Iterator[Template]:
    seen = set()
    for node in _texts(ast.parse(path.read_text())):
        text = _template(node)
        if not _WORDS.search(text.replace(HOLE, "xx")) or _PATTERN.search(text):
            continue
        if "this is a bug" in text:
            continue
        if text not in seen:
            seen.add(text)
            yield Template(file, node.lineno, text)


def _texts(node: ast.AST) -> Iterator[ast.Constant | ast.JoinedStr]:
    """Every text below a node that may be a message."""
    if _is_something_else(node):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node
        return
    if isinstance(node, ast.JoinedStr):
        yield node
        inside = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
    else:
        inside = list(ast.iter_child_nodes(node))
    for child in inside:
        yield from _texts(child)


def _is_something_else(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Constant()):
            return True  # a docstring
        case ast.Compare(left=ast.Constant()):
            return True  # looked for in a parser's words
        case ast.Call(func=ast.Attribute(value=ast.Name(id="re"))):
            return True
        case ast.Call(func=ast.Attribute(attr="removeprefix")):
            return True
        case ast.Raise(exc=ast.Call(func=ast.Name(id=name))):
            return name in NOT_PROBLEMS
        case ast.FunctionDef(name="describe" | "_told"):
            return True  # a schedule in words
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
    return False


def _template(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.Constant):  # pydantic fills its templates by name
        return _NAMED_HOLE.sub(HOLE, node.value)
    return "".join(part.value if isinstance(part, ast.Constant) else HOLE for part in node.values)
