"""What stands between the two ``---`` lines of a runbook or a drill, read into its model.

The model of the page says which keys there are. What is wrong with one key is reported, and the
page's steps are looked at all the same: a person should see everything in one go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final, Generic, TypeVar

from markdown_it.token import Token
from pydantic import ValidationError

from opsbook.book import complaints, yamlpos
from opsbook.book.assumed import Assumption
from opsbook.book.fields import ID_PATTERN, Part
from opsbook.book.positions import Mark, Path, Positions, dotted
from opsbook.book.problems import Problem

_ID: Final = re.compile(r"^id:[ \t]*([\w.-]+)[ \t]*$", re.MULTILINE)

Model = TypeVar("Model", bound=Part)


@dataclass(slots=True)
class About(Generic[Model]):
    """What a page says of itself: `model` is None where that cannot be used, `data` as written."""

    id: str
    file: str
    has_id: bool = False
    model: Model | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    assumed: Mapping[Path, Assumption] = field(default_factory=dict)
    positions: Positions = field(default_factory=Positions)
    problems: list[Problem] = field(default_factory=list)

    @property
    def id_mark(self) -> Mark:
        """Where the id is said; worked out when asked for, which is when something is wrong."""
        found = self.positions.value(("id",)) if self.has_id else None
        return found or Mark(self.file, 1, 1)

    def problem(self, path: Sequence[str | int], message: str, remedy: str = "") -> None:
        """Report something about a value, at its place."""
        mark = self.positions.value(path) or Mark(self.file, 1, 1)
        self.problems.append(Problem(*mark, f"{dotted(path)}: {message}", remedy))


@dataclass(slots=True)
class Reading(Generic[Model]):
    """What a page came to, whatever it is a page of: the loader needs no more."""

    about: About[Model]

    @property
    def id(self) -> str:
        """The page's id, also where the rest of it cannot be read."""
        return self.about.id

    @property
    def id_mark(self) -> Mark:
        """Where the id is said."""
        return self.about.id_mark

    @property
    def assumed(self) -> Mapping[Path, Assumption]:
        """What the front matter says of its own values, by path: assumed and why, or from where."""
        return self.about.assumed

    @property
    def positions(self) -> Positions:
        """Where everything is said: front matter, ``("steps", key)`` and what these refer to."""
        return self.about.positions

    @property
    def problems(self) -> list[Problem]:
        """Everything that is wrong with the page."""
        return self.about.problems


def read(tokens: Sequence[Token], text: str, file: str, model: type[Model]) -> About[Model]:
    """The page's front matter; a page without one has all of the model's defaults."""
    about: About[Model] = About(PurePosixPath(file).stem, file)
    data = _data(tokens, text, about)
    if data is None:
        return about
    about.data = data
    if isinstance(id := data.get("id"), str) and id:
        about.id, about.has_id = id, True
    elif "id" not in data and not re.match(ID_PATTERN, about.id):
        told = f"the file's name {about.id!r} cannot be its id"
        about.problems.append(Problem(file, 1, 1, told, "write id: in the front matter"))
    try:
        about.model = model.model_validate(data)
    except ValidationError as error:
        about.problems += complaints.told(
            error, model, (), about.positions, whose="the front matter", main=file
        )
    return about


def _data(tokens: Sequence[Token], text: str, about: About[Any]) -> dict[str, Any] | None:
    """The keys as plain data; None where it cannot be read at all."""
    file = about.file
    token = next((token for token in tokens if token.type == "front_matter"), None)
    if token is None:
        if text.partition("\n")[0].rstrip() != "---":
            return {}
        told = "the front matter is not closed"
        about.problems.append(Problem(file, 1, 1, told, "write --- on a line below it"))
        return None
    yaml = yamlpos.read(token.content, file, first_line=2)
    about.problems += yaml.problems
    about.positions, about.assumed = yaml.positions, yaml.assumed
    if yaml.data is None:
        if yaml.problems:
            guessed = _ID.search(token.content)
            about.id = guessed[1] if guessed else about.id
            return None
        return {}
    if not isinstance(yaml.data, dict):
        told = "the front matter holds no keys"
        about.problems.append(Problem(file, 2, 1, told, "write key: value"))
        return None
    return yaml.data
