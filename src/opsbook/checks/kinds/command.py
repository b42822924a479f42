"""``command``: what does a program of the book say?

A program is run to its end; its exit status says the state, as plugins of Nagios have it (0 ok,
1 warning, 2 critical, 3 no data, anything else critical), unless `exits` says otherwise. Its output
can be asked for a text (`contains`), a pattern (`matches`) and a `number`, which is then the value,
in the check's ``unit``. The bands judge a value only where the status alone would say ok.

It runs under the supervisor that steps run under: as the steps' user where the server may change
users, without the server's environment, in a folder of its own, with bounded output and disk; at
the end of its time the whole tree below it is ended, and so is whatever left its session. It may
still do whatever that user may do: that a check changes nothing is up to who writes it.

What could not be run, or was ended by a signal, says nothing about what it was to look at: that is
missing data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, model_validator

from opsbook.base import secrets
from opsbook.base.errors import OpsbookError
from opsbook.book.fields import Argument, Part, State
from opsbook.book.sections.targets import Variable
from opsbook.checks import patterns, referred
from opsbook.checks.fields import complaint
from opsbook.checks.kind import Context, Kind
from opsbook.checks.lent import Program
from opsbook.checks.model import CannotLook, Reading

NAGIOS: Final[Mapping[int, State]] = {0: "ok", 1: "warning", 2: "critical", 3: "nodata"}
CANNOT_RUN: Final = frozenset({126, 127})
"""What the supervisor, like a shell, says of a program that could not be started."""
OTHER: Final = "other"


def _exits(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    for status in value:
        if status != OTHER and (isinstance(status, bool) or not re.fullmatch(r"\d+", str(status))):
            raise complaint(f"{status!r} is no exit status; write a number from 0 to 255, or other")
        if status != OTHER and int(status) > 255:
            raise complaint(f"{status} is no exit status; write a number from 0 to 255, or other")
    return {str(status): state for status, state in value.items()}


Exits = Annotated[Mapping[str, State], BeforeValidator(_exits)]


class Command(Part):
    """A program with its arguments, and what its end and its output mean."""

    run: tuple[Argument, ...] = Field(min_length=1, max_length=100)
    exits: Exits = Field(default_factory=dict)
    contains: str | None = Field(default=None, min_length=1, max_length=1000)
    matches: patterns.Pattern | None = None
    number: patterns.NumberPattern | None = None
    environment: Mapping[Variable, Argument] = Field(default_factory=dict)

    def references(self) -> Iterator[str]:
        """The secrets that it refers to."""
        yield from (one for one in self.environment.values() if referred.is_reference(one))

    def state(self, status: int) -> State:
        """What an exit status means."""
        said = self.exits.get(str(status))
        if said is not None:
            return said
        if status in CANNOT_RUN:
            return "nodata"
        return NAGIOS.get(status) or self.exits.get(OTHER) or "critical"

    @model_validator(mode="after")
    def _can_be_run(self) -> Self:
        if not self.run[0] or any("\0" in word for word in self.run):
            raise complaint("names no program; write it and its arguments as a list")
        if any(name.startswith("OPSBOOK_") for name in self.environment):
            raise complaint("names that begin with OPSBOOK_ are set by Opsbook; choose another")
        return self


async def observe(spec: Command, context: Context) -> Reading:
    """Run it and judge its end."""
    lent = context.lent
    if lent is None or lent.programs is None:
        raise CannotLook("no programs are run here")
    book, check = context.key.split("/", 1)
    found = await referred.values({*spec.references()}, context)
    program = Program(
        book=lent.book(book),
        check=check,
        argv=spec.run,
        environment={name: found.get(one, one) for name, one in spec.environment.items()},
        secrets=tuple(part for one in found.values() for part in secrets.telling(one)),
        timeout=context.timeout,
    )
    try:
        ended = await lent.programs(program)
    except OpsbookError as error:
        raise CannotLook(str(error)) from None
    if ended.status is None:
        raise CannotLook(f"{spec.run[0]} was ended: {ended.note or 'by a signal'}")
    return judged(spec, ended.status, ended.output)


def judged(spec: Command, status: int, output: str) -> Reading:
    """Return the reading for an exit status and an output."""
    state = spec.state(status)
    text = output.encode(errors="replace")
    told = _first_line(output) or f"ended with {status}"
    value = patterns.number(spec.number, text) if spec.number is not None else None
    if state != "ok":
        return Reading(value, "", told, state)
    if spec.contains is not None and spec.contains not in output:
        return Reading(value, "", f"does not say {spec.contains!r}: {told}", "critical")
    pattern = patterns.compiled(spec.matches, lines=True) if spec.matches is not None else None
    if pattern is not None and pattern.search(text) is None:
        return Reading(value, "", f"does not match {spec.matches!r}: {told}", "critical")
    if spec.number is None:
        return Reading(None, "", told, "ok")
    if value is None:
        raise CannotLook(f"no number was found in what it said: {told}")
    return Reading(value, "", told)


def _first_line(output: str) -> str:
    """What a plugin says for people: its first line, without what follows the bar for programs."""
    lines = output.strip().splitlines()
    return lines[0].partition("|")[0].strip() if lines else ""


KIND = Kind("command", Command, observe)
