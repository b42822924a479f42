"""``targets``: where steps do their work, and the credentials with which they reach it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from opsbook.book.fields import Part
from opsbook.book.sections.elements import Element
from opsbook.book.sections.webhooks import HEADER_FORM, SECRET_FORM

TargetKind = Literal["command", "postgresql", "sqlite", "prometheus", "http", "redis"]
Executor = Literal["local"]
"""Where processes of steps can run; `opsbook.runs.executors` has one entry for each."""

VARIABLE_FORM: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"
FOLDER_FORM: Final = r"^/[^:\x00-\x1f]{0,1000}$"
USER_FORM: Final = r"^[^\x00-\x1f]{1,100}$"

Variable = Annotated[str, Field(pattern=VARIABLE_FORM)]
Header = Annotated[str, Field(pattern=HEADER_FORM)]
SecretText = Annotated[str, Field(pattern=SECRET_FORM)]
Folder = Annotated[str, Field(pattern=FOLDER_FORM)]

SQL: Final = frozenset({"postgresql", "sqlite"})
WEB: Final = frozenset({"http", "prometheus"})
FITTING: Final[Mapping[str, frozenset[str]]] = {
    "sql": SQL,
    "promql": frozenset({"prometheus"}),
    "http": WEB,
}
"""Which kinds of target a kind of step needs; scripts can be done on any."""


class Credential(Part):
    """What lets steps in: references to secrets, never the secrets themselves."""

    environment: Mapping[Variable, SecretText] = Field(default_factory=dict)
    """Variables that scripts find secrets in."""
    files: Mapping[Variable, SecretText] = Field(default_factory=dict)
    """Variables that scripts find the path of a file in, whose content is the secret."""
    headers: Mapping[Header, SecretText] = Field(default_factory=dict)
    """Headers of each request, for http and prometheus."""
    user: str | None = Field(default=None, pattern=USER_FORM)
    """The role to connect as, for postgresql, or the user, for redis."""
    password: SecretText | None = None
    """Its password, for postgresql and redis."""

    def references(self) -> Iterator[str]:
        """Every secret that it refers to."""
        yield from (*self.environment.values(), *self.files.values(), *self.headers.values())
        if self.password is not None:
            yield self.password


class Target(Element):
    """Where steps do their work: a cluster, a database, a service; steps name it with `on=`."""

    kind: TargetKind = "command"
    """What it is; command is whatever the programs of a script reach."""
    url: str | None = Field(default=None, min_length=1, max_length=2000)
    """Its address, without a password."""
    path: str | None = Field(default=None, pattern=FOLDER_FORM)
    """The file of an SQLite database."""
    environment: Mapping[Variable, str] = Field(default_factory=dict)
    """Variables that scripts find, none of them secret."""
    programs: tuple[Folder, ...] = ()
    """Folders that scripts find programs in before all others."""
    executor: Executor = "local"
    """What runs the steps; local is the machine that Opsbook runs on."""
    read: Credential | None = None
    """What steps with `effect=read` get."""
    change: Credential | None = None
    """What steps with `effect=change` get."""

    def credential(self, effect: Literal["read", "change"]) -> Credential | None:
        """What a step of this effect is let in with."""
        return self.read if effect == "read" else self.change
