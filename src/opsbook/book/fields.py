"""The kinds of value a book's fields hold, as pydantic types: durations, bands, ids, references.

`Part` is the base of every model here and of the models that check kinds bring: frozen, and a key
it does not know is an error rather than a setting that silently does nothing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from opsbook.base import quantities
from opsbook.base.quantities import Band
from opsbook.book import facts
from opsbook.book.problems import suggestion

ID_PATTERN = r"^\w[\w.-]{0,63}$"

Language = Literal["ko", "en"]
Status = Literal["draft", "active"]
State = Literal["ok", "warning", "critical", "nodata"]


class Part(BaseModel):
    """A piece of a book; `ref` says where in the guide it came from (``§2.3 L82-110``)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True
    )

    ref: str | None = Field(default=None, max_length=400)


class Named(Part):
    """A piece that is listed by its id; the loader fills `id` from the key it stands under."""

    id: str = Field(pattern=ID_PATTERN)


def _refusing(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Let a reader's ValueError become pydantic's, with the sentence unchanged."""

    def validate(value: Any) -> Any:
        try:
            return read(value)
        except ValueError as error:
            raise PydanticCustomError("quantity", "{why}", {"why": str(error)}) from None

    return validate


def _band(value: Any) -> Band:
    return value if isinstance(value, Band) else quantities.parse_band(value)


def _zone(value: Any) -> str:
    text = str(value)
    if text not in _zones():
        raise ValueError(
            f"{text!r} is not a time zone; "
            f"{suggestion(text, _zones(), what='zones are named like Asia/Seoul')}"
        )
    return text


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _port(value: Any) -> int | str:
    if isinstance(value, str) and facts.found(value):
        return value
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,5}", str(value)):
        raise ValueError(f"{value!r} is not a port number; write 443")
    if not 0 < int(value) < 65536:
        raise ValueError(f"{value!r} is not a port number; ports go from 1 to 65535")
    return int(value)


def _regex(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a pattern; write it in quotes")
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is not a regular expression: {error}") from None
    return value


def _argument(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise ValueError("should be one value: a text or a number")


def _moment(value: timedelta) -> str:
    return quantities.format_duration(value)


_text_schema = WithJsonSchema({"type": "string"})

Id = Annotated[str, Field(pattern=ID_PATTERN)]
Duration = Annotated[
    timedelta,
    BeforeValidator(_refusing(quantities.parse_duration)),
    PlainSerializer(_moment),
    _text_schema,
]
BandText = Annotated[Band, BeforeValidator(_refusing(_band)), PlainSerializer(str), _text_schema]
Zone = Annotated[str, BeforeValidator(_refusing(_zone)), _text_schema]
Port = Annotated[int | str, BeforeValidator(_refusing(_port))]
Regex = Annotated[str, BeforeValidator(_refusing(_regex))]
Argument = Annotated[str, BeforeValidator(_refusing(_argument))]


def zone(name: str) -> ZoneInfo:
    """The time zone of a name that `Zone` has accepted."""
    return ZoneInfo(name)


@dataclass(frozen=True, slots=True)
class Condition:
    """When a rule applies: a check's state, or a band over its value. One of the two is set."""

    state: State | None = None
    band: Band | None = None

    @classmethod
    def of(cls, value: Any) -> Condition:
        """Read ``warning``, ``critical``, ``nodata`` or a band such as ``> 90%``."""
        if isinstance(value, Condition):
            return value
        for state in ("warning", "critical", "nodata"):
            if value == state:
                return cls(state=state)
        try:
            return cls(band=quantities.parse_band(value))
        except ValueError:
            raise ValueError(
                f"{value!r} is no condition; write warning, critical, nodata, "
                'or a band such as "> 90%"'
            ) from None

    def holds(self, state: State, value: float | None, unit: str = "") -> bool:
        """Whether an observation meets the condition.

        ``warning`` means warning or worse. Missing data never counts as worse: a rule that should
        fire on silence says ``nodata``, and a band needs a value to compare.
        """
        if self.band is not None:
            return state != "nodata" and value is not None and self.band.holds(value, unit)
        return state == self.state or (self.state == "warning" and state == "critical")

    def __str__(self) -> str:
        return str(self.band or self.state)


ConditionText = Annotated[
    Condition, BeforeValidator(_refusing(Condition.of)), PlainSerializer(str), _text_schema
]
