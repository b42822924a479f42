"""``sql``: statements with ``:name`` where a bound parameter stands.

The text is read as PostgreSQL reads it, which covers SQLite but for its own quotes: strings with
doubled quotes, ``E'…'`` with backslashes, ``"names"``, ``$tag$ … $tag$``, comments inside each
other. What is in these is no parameter, nor is ``::type`` or ``:=``. A slice between names is
written with a space: ``list[1 : n]``.

Values are bound by the driver and never become part of the text, so what this misreads becomes an
error of the database, not another statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from opsbook.base.errors import Bug
from opsbook.book.queries.names import Uses

_TOKEN: Final = re.compile(
    r"""(?P<line>--[^\n]*)|(?P<block>/\*)
    |(?P<dollar>(?<![\w$])\$(?:[^\W\d]\w*)?\$)
    |(?P<escaped>(?<![\w$])[eE]'(?:[^'\\]|\\.|'')*')
    |(?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`)
    |(?P<open>['"`])
    |(?P<cast>::|:=)
    |(?P<name>:[A-Za-z_]\w{0,63})
    |(?P<end>;)
    |(?P<other>[^\s\w'"`$/:;-]+|\w+|\s+|.)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")
CONTROL: Final = frozenset(
    {"begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"}
)
"""A step is one transaction: what would end it, and with it what it is held to, is refused."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A token: its sort (``text``, ``name``, ``end`` or ``comment``) and what it is."""

    sort: str
    text: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; `names` are its parameters."""

    pieces: tuple[Piece, ...]

    @property
    def names(self) -> frozenset[str]:
        """The parameters of the statement."""
        return frozenset(one.text[1:] for one in self.pieces if one.sort == "name")

    @property
    def text(self) -> str:
        """As it is written."""
        return "".join(one.text for one in self.pieces).strip()

    @property
    def word(self) -> str:
        """The word it begins with, in small letters."""
        plain = "".join(one.text for one in self.pieces if one.sort != "comment").strip()
        found = re.match(r"\w+", plain)
        return found[0].lower() if found else ""

    @property
    def formatted(self) -> str:
        """With ``%(name)s`` for each parameter and every other ``%`` doubled, as psycopg reads."""
        return "".join(
            f"%({one.text[1:]})s" if one.sort == "name" else one.text.replace("%", "%%")
            for one in self.pieces
        ).strip()


def uses(text: str) -> Uses:
    """The parameters of all statements. Raises ValueError for what a step cannot do."""
    found = statements(text)
    for one in found:
        if one.word in CONTROL:
            raise ValueError(
                f"{one.word.upper()} would end the step's transaction; remove it: a step is one "
                "transaction, and what must not be one is several steps"
            )
    return Uses(frozenset().union(*(one.names for one in found)))


def statements(text: str) -> list[Statement]:
    """The statements of a text, without empty ones. Raises ValueError for what has no end."""
    found: list[Statement] = []
    pieces: list[Piece] = []
    read = (*_pieces(text), Piece("end", ";"))
    for n, piece in enumerate(read, 1):
        last = n == len(read)
        if piece.sort != "end":
            pieces.append(piece)
            continue
        statement = Statement(tuple(pieces))
        if _goes_on(statement) and not last:
            pieces.append(Piece("text", ";"))
            continue
        pieces = []
        if any(one.sort != "comment" and one.text.strip() for one in statement.pieces):
            found.append(statement)
    return found


def _goes_on(statement: Statement) -> bool:
    """Whether what it makes has statements within: a trigger, or a function's BEGIN ATOMIC."""
    if statement.word != "create":
        return False
    # Quoted words are names and texts, whatever they say.
    plain = "".join(one.text for one in statement.pieces if one.sort == "text")
    words = re.findall(r"\w+|;", re.sub(r"""'[^']*'|"[^"]*\"""", " ", plain).lower())
    holds = {"trigger", "function", "procedure"} & set(words[:6])
    return bool(holds) and "begin" in words and words[-2:] != [";", "end"]


def _pieces(text: str) -> Iterator[Piece]:
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise Bug(f"No token begins at {at} of an SQL text: this is a bug.")
        kind, end = token.lastgroup, token.end()
        if kind == "open":
            raise ValueError(f"a text that begins with {token[0]} has no end; close its quote")
        if kind == "block":
            end = _end_of_comment(text, end)
        elif kind == "dollar":
            end = text.find(token[0], end) + len(token[0])
            if end < token.end() + len(token[0]):
                raise ValueError(f"what begins with {token[0]} has no end; write {token[0]} again")
        sort = {"name": "name", "end": "end", "line": "comment", "block": "comment"}
        yield Piece(sort.get(kind or "", "text"), text[at:end])
        at = end


def _end_of_comment(text: str, at: int) -> int:
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(text, at)
        if edge is None:
            raise ValueError("a comment has no end; close it with */")
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return at
