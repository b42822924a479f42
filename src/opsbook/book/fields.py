"""The kinds of value a book's fields hold, as pydantic types: durations, bands, ids, references.

`Part` is the base of every model here and of the models that check kinds bring: frozen, and a key
it does not know is an error rather than a setting that silently does nothing.
"""

from __future__ import annotations

import difflib
import functools
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from opsbook.base import quantities
from opsbook.base.quantities import Band, Quantity
from opsbook.book import facts

ID_PATTERN = r"^\w[\w.-]{0,63}$"
_LONGEST_SHOWN = 60
_PLACES: Mapping[str, str] = {
    "KST": "Asia/Seoul",
    "JST": "Asia/Tokyo",
    "HKT": "Asia/Hong_Kong",
    "SGT": "Asia/Singapore",
    "CEST": "Europe/Berlin",
    "EDT": "America/New_York",
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
}
"""Where the clock of an abbreviation is kept; those that mean several places (CST, IST, BST) are
not here. The abbreviation nearest in spelling is another part of the world, so it is never named.
"""

Language = Literal["ko", "en"]
Status = Literal["draft", "active"]
State = Literal["ok", "warning", "critical", "nodata"]


class Part(BaseModel):
    """A piece of a book."""

    model_config = ConfigDict(
        defer_build=True,
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    ref: str | None = Field(default=None, max_length=400)
    """Where in a guide this came from, such as §2.3 L82-110."""


@dataclass(frozen=True, slots=True)
class _Written:
    """An id that somebody wrote into an element, whose key is its id."""

    id: str
    key: str


def _own_id(value: Any) -> Any:
    if isinstance(value, _Written):
        why = f"{value.id!r} would be a second id beside {value.key!r}, its key; remove it"
        raise PydanticCustomError("own_id", "{why}", {"why": why})
    return value


class Named(Part):
    """A piece that is listed by its id; the loader fills `id` from the key it stands under."""

    id: Annotated[str, BeforeValidator(_own_id)] = Field(pattern=ID_PATTERN)


Element = TypeVar("Element", bound=Named)


def _named(value: Any) -> Any:
    """Give each element of a section the id it stands under."""
    if not isinstance(value, dict):
        return value
    return {
        key: {**inner, "id": _Written(str(inner["id"]), key) if "id" in inner else key}
        if isinstance(inner, dict)
        else inner
        for key, inner in value.items()
    }


def refusing(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
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
        if re.fullmatch("[A-Z]{2,5}", text):
            place = _PLACES.get(text, "a place, such as Asia/Seoul")
            raise ValueError(f"{text!r} is not a time zone; write {place}")
        near = difflib.get_close_matches(text, _zones(), n=1)
        remedy = f"did you mean {near[0]!r}?" if near else "write one such as Asia/Seoul or UTC"
        raise ValueError(f"{text!r} is not a time zone; {remedy}")
    return text


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _port(value: Any) -> int | str:
    if isinstance(value, str) and facts.found(value):
        return value
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,5}", str(value)):
        raise ValueError(f"{value!r} is not a port number; write one such as 443")
    if not 0 < int(value) < 65536:
        raise ValueError(f"{value!r} is not a port number; write one from 1 to 65535")
    return int(value)


def regular(text: str, flags: int = 0) -> re.Pattern[str]:
    """A book's regular expression, compiled; raises ValueError for what is none.

    Python's warnings about it are for programmers: a reader of the book cannot act on them.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(text, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(
            f"{_short(text)} is not a regular expression: {error}; put a backslash before what is "
            "meant as it stands"
        ) from None


def _short(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")


def _regex(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a pattern; write it in quotes")
    regular(value)
    return value


def _argument(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    shown = "empty" if value is None else "a list or a map"
    raise ValueError(f"should be one value, not {shown}; write a text or a number")


def _quantity(value: Any) -> Quantity:
    return value if isinstance(value, Quantity) else quantities.parse_quantity(value)


def _day(value: Any) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is not a day; write it as 2026-01-31") from None


def _local(value: Any) -> date | datetime:
    text = str(value).strip()
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return date.fromisoformat(text)
        if re.fullmatch(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?", text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError(
        f"{value!r} is neither a day nor a time of one; write 2026-01-31 or 2026-01-31 18:00"
    )


def _moment(value: timedelta) -> str:
    return quantities.format_duration(value)


_text_schema = WithJsonSchema({"type": "string"})

Flag = Annotated[bool, Strict()]
"""true or false as YAML has them; "yes" and 1 are neither."""
Whole = Annotated[int, Strict()]
"""A whole number; a text that looks like one, and true, are none."""
Id = Annotated[str, Field(pattern=ID_PATTERN)]
Duration = Annotated[
    timedelta,
    BeforeValidator(refusing(quantities.parse_duration)),
    PlainSerializer(_moment),
    _text_schema,
]
BandText = Annotated[Band, BeforeValidator(refusing(_band)), PlainSerializer(str), _text_schema]
Zone = Annotated[str, BeforeValidator(refusing(_zone)), _text_schema]
Port = Annotated[int | str, BeforeValidator(refusing(_port))]
Regex = Annotated[str, BeforeValidator(refusing(_regex))]
Argument = Annotated[str, BeforeValidator(refusing(_argument))]
Listed = Annotated[Mapping[Id, Element], BeforeValidator(_named)]
QuantityText = Annotated[
    Quantity,
    BeforeValidator(refusing(_quantity)),
    PlainSerializer(str),
    WithJsonSchema({"type": ["string", "number"]}),
]
Day = Annotated[date, BeforeValidator(refusing(_day)), PlainSerializer(str), _text_schema]
Moment = Annotated[
    date | datetime, BeforeValidator(refusing(_local)), PlainSerializer(str), _text_schema
]
"""A day, or a day and a time of it, as the clocks of the book's zone show it."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Marks what is loaded and shown while nothing acts on it yet; the pages say so."""


IDLE = Idle()


def zone(name: str) -> ZoneInfo:
    """The time zone of a name that `Zone` has accepted."""
    return ZoneInfo(name)
