"""What a person must know after something was carried over: each with its place and its remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from opsbook.base.errors import Invalid
from opsbook.book.problems import sentence

Level = Literal["error", "missing", "changed", "deprecated"]
"""``error``: the file is not what it should be, and nothing is carried over. ``missing``: this has
no counterpart and is left out. ``changed``: it is carried over and looks different now.
``deprecated``: it is carried over, and its old form is going to be refused by those who made it.
"""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that was found. Lines and columns count from 1; line 0 is the file as a whole."""

    file: str
    line: int
    column: int
    level: Level
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        told = f"{place}: {sentence(self.message)}"
        return f"{told} {sentence(self.remedy)}" if self.remedy else told


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """A secret that somebody has to put where the new file looks for it.

    `name` is an environment variable or a file, `form` what belongs into it (with the places of the
    secrets in words, never their values), `file` and `line` where that stands now.
    """

    name: str
    form: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.name}: {self.form} ({self.file}:{self.line})"


class NotReadable(Invalid):
    """The file is not what it should be; `findings` says why, all at once."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(sorted(set(findings)))
        super().__init__("\n".join(str(one) for one in self.findings))
