"""What a kind of intake is, what it is handed, and what it makes of that.

A kind reads one sender's form. It decides nothing about HTTP, limits or the database: it is given a
letter (headers and a whole body, unpacked) and gives back alerts, and sentences about what it could
not take. Unknown fields are never a mistake, since senders add some with each version.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, ClassVar, Final, Literal, TypeVar

import msgspec

from opsbook.alerts.intake import cleaning, faults
from opsbook.alerts.intake.posted import Posted
from opsbook.base.errors import Invalid, OpsbookError
from opsbook.book.sections.intakes import Intake

Form = TypeVar("Form")

UNTIL_TOLD: Final = timedelta(days=365)
"""How long an alert stays whose sender tells its end, once, when it comes: until that is told."""


class Unreadable(Invalid):
    """The body cannot be read. `faults` are its mistakes one by one, where there may be several."""

    status: ClassVar[int] = 400
    remedy = "Correct what is sent: the same again is refused again."

    def __init__(self, message: str, *, remedy: str = "", faults: Sequence[str] = ()) -> None:
        super().__init__(message, remedy=remedy)
        self.faults = tuple(faults)


class Unproven(OpsbookError):
    """Nothing shows that this comes from whom it should."""

    status: ClassVar[int] = 401


class Later(OpsbookError):
    """It cannot be taken now, through no fault of the sender's."""

    status: ClassVar[int] = 503

    def __init__(self, message: str, *, after: float = 5.0, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.after = after


@dataclass(frozen=True, slots=True)
class Letter:
    """What came in. Names of headers are in small letters."""

    intake: Intake
    headers: Mapping[str, str]
    body: bytes
    now: datetime


@dataclass(slots=True)
class Handed:
    """What a letter holds: alerts, and why there are fewer than the sender meant.

    `note` is for whoever looks after the door, about what is no fault: alerts that the sender left
    out by itself, a letter that is none about an alert. `said` is for the answer, for senders that
    wait for a word of ours. `once` is what tells this letter from one sent again, if anything does.
    """

    alerts: list[Posted] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    note: str = ""
    said: str = ""
    once: str = ""


Fetch = Callable[[str], Awaitable[bytes]]
"""Gets what stands at an address, or raises `Later`; never goes where it may not."""

Receive = Callable[[Letter], Awaitable[Handed]]

Answer = tuple[int, Any]
"""A status, and what is written as JSON."""


def accepted(handed: Handed) -> Answer:
    """The answer to whoever was understood."""
    return HTTPStatus.OK, {"accepted": len(handed.alerts)}


@dataclass(frozen=True, slots=True)
class Kind:
    """One sender's form.

    `proof` says where the sender shows that it may hand in here: ``header`` is a token in a header
    or in the path, looked at before the body is read; ``body`` is what `prove` finds in the letter,
    given what the intake's `token` refers to. `begin` stands in for `read` where more is needed
    than the letter itself: it is called once, with the means to ask the outside.
    """

    read: Callable[[Letter], Handed] | None = None
    begin: Callable[[Fetch], Receive] | None = None
    proof: Literal["header", "body"] = "header"
    prove: Callable[[Letter, str], bool] | None = None
    taken: Callable[[Handed], Answer] = accepted
    refused: Callable[[Sequence[str]], Answer] | None = None
    paths: frozenset[str] = frozenset({""})
    """What may follow the intake's name in the path, for senders that insist on something."""


def until_told(intake: Intake, ends: datetime | None, now: datetime) -> datetime | None:
    """Return the end of an alert whose sender does not repeat it but tells its end.

    What the book says of the intake goes first: a sender that died tells no end.
    """
    if ends is not None or "resolve_after" in intake.model_fields_set:
        return ends
    return now + UNTIL_TOLD


# ---- reading -------------------------------------------------------------------------------------


def decoded(body: bytes | msgspec.Raw, form: type[Form]) -> Form:
    """Return what a JSON body holds, in its form.

    Raises:
        Unreadable: with all that is wrong, where, and what belongs there.
    """
    try:
        try:
            return _decoder(form).decode(body)  # type: ignore[no-any-return,arg-type]
        except msgspec.ValidationError as error:
            found = faults.of(msgspec.json.decode(body), form) or [str(error)]
        told = "; ".join(found)
        raise Unreadable(f"The body is not of the form that is read here: {told}.", faults=found)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        told = "it is no UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        remedy = "Send whole JSON in UTF-8."
        raise Unreadable(f"The body is no JSON: {told}.", remedy=remedy) from None
    except RecursionError:
        raise Unreadable("The body is nested too deeply.") from None


@functools.cache
def _decoder(form: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(form)


def each(raws: Iterable[msgspec.Raw], form: type[Form]) -> tuple[list[tuple[int, Form]], list[str]]:
    """Return the parts of a list that are of a form, with their places, and why others are not.

    One by one: a part that is wrong must not take the others with it.
    """
    good: list[tuple[int, Form]] = []
    bad: list[str] = []
    for n, raw in enumerate(raws):
        try:
            good.append((n, decoded(raw, form)))
        except Unreadable as error:
            bad.append(f"alerts[{n}]: {'; '.join(error.faults) or error.message}")
    return good, bad


def word(value: Any) -> str:
    """Return a loosely typed value as a text; an empty one for nothing, and for what is no value.

    Senders that fill in templates write numbers where texts are meant, and the reverse.
    """
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"{value:.15g}" if isinstance(value, float) else str(value)
    return ""


def first(*values: Any) -> str:
    """Return the first that says something."""
    return next((found for value in values if (found := word(value).strip())), "")


def inner(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return what stands under a name, if it is a mapping; an empty one for anything else."""
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def pairs(**values: Any) -> dict[str, str]:
    """Return what is said of these, without those of which nothing is."""
    return {name: found for name, value in values.items() if (found := word(value))}


def moment(value: Any) -> datetime | None:
    """Return a time: RFC 3339, or seconds or milliseconds since 1970; none for anything else."""
    if isinstance(value, str):
        value = value.strip()
        if value.replace(".", "", 1).isdigit():
            value = float(value) if value.isascii() else None
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        if abs(value) >= 1e15:
            return None
        seconds = value / 1000 if abs(value) >= 1e11 else value
        value = cleaning.since_1970(seconds)
    if isinstance(value, str):
        try:
            value = msgspec.convert(value, datetime)
        except msgspec.ValidationError:
            return None
    return cleaning.moment(value) if isinstance(value, datetime) else None
