"""Finding one value in JSON, and comparing it: ``status``, ``items[0].ok``, ``$.data["a.b"]``.

A path leads to one place and no further: no wildcards and no filters, since a check that says what
it expects has to say where. What is expected is a value (``up``, ``3``, ``true``, ``null``) or a
comparison of plain numbers (``"> 3"``, ``"1..5"``). A number that the JSON has as a text counts as
one in a comparison, as programs differ in that.
"""

from __future__ import annotations

import json
import math
import re
from typing import Annotated, Any, Final

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from opsbook.base import quantities
from opsbook.base.quantities import Band, QuantityError
from opsbook.book import facts
from opsbook.checks.fields import complaint

Step = str | int
_STEP: Final = re.compile(
    r"""\.?(?P<name>[^\s.\[\]"'$][^.\[\]"']*)|\[(?P<at>-?\d{1,9})\]|\["(?P<quoted>(?:[^"\\]|\\.)*)"\]"""
)
_LOOKS_LIKE_A_BAND: Final = re.compile(r"\s*(>|<|==|!=|[-+.\d]+\s*\.\.)")


class NotThere(LookupError):
    """The path leads nowhere; the argument says where it ends."""


def parsed(path: str) -> tuple[Step, ...]:
    """Read a path; raises ValueError for what is none."""
    rest = path.removeprefix("$").strip()
    steps: list[Step] = []
    while rest:
        found = _STEP.match(rest)
        if found is None or (not steps and not path.startswith("$") and rest.startswith(".")):
            raise ValueError(
                f"{path!r} is no path into JSON; write one such as status or items[0].ok"
            )
        if found["at"] is not None:
            steps.append(int(found["at"]))
        elif found["quoted"] is not None:
            steps.append(json.loads(f'"{found["quoted"]}"', strict=False))
        else:
            steps.append(found["name"].strip())
        rest = rest[found.end() :]
    return tuple(steps)


def at(whole: Any, path: str) -> Any:
    """Return what stands at a path; raises NotThere."""
    here = whole
    for step in parsed(path):
        try:
            if isinstance(here, dict):
                here = here[str(step)]
            elif isinstance(here, list) and isinstance(step, int):
                here = here[step]
            else:
                raise NotThere(path)
        except (KeyError, IndexError):
            raise NotThere(path) from None
    return here


def decoded(body: bytes) -> Any:
    """Read JSON; raises ValueError for what is none, whatever is wrong with it."""
    try:
        return msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error) or type(error).__name__) from None


def number(value: Any) -> float | None:
    """Return a number, or a text that is one; `None` for everything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def meets(value: Any, expected: Any) -> bool:
    """Whether a value is what was expected; a comparison is a text that reads like one."""
    band = _band(expected)
    if band is not None:
        found = number(value)
        return found is not None and band.holds(found)
    if isinstance(value, bool) or isinstance(expected, bool):
        return value is expected
    return bool(value == expected)


def shown(value: Any) -> str:
    """A value as it can be told; what has parts is not told with them."""
    if isinstance(value, (dict, list)):
        return "a list" if isinstance(value, list) else "an object"
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, TypeError):  # a number with more digits than Python writes
        return "a very long number"


def wanted(expected: Any) -> str:
    """What was expected, for the same sentence."""
    return str(expected) if _band(expected) is not None else shown(expected)


def _band(expected: Any) -> Band | None:
    if not isinstance(expected, str) or not _LOOKS_LIKE_A_BAND.match(expected):
        return None
    try:
        return quantities.parse_band(expected)
    except QuantityError:
        return None


def _path(value: Any) -> str:
    if not isinstance(value, str):
        raise complaint(f"{value!r} is no path into JSON; write one such as status or items[0].ok")
    try:
        parsed(value)
    except ValueError as error:
        raise complaint(str(error)) from None
    return value


def _expected(value: Any) -> Any:
    if isinstance(value, (dict, list, tuple)) or not (
        value is None or isinstance(value, (str, bool, int, float))
    ):
        raise complaint("a list or a map cannot be compared; name the path of one value in it")
    if isinstance(value, str) and not facts.found(value) and _LOOKS_LIKE_A_BAND.match(value):
        try:
            band = quantities.parse_band(value)
        except QuantityError as error:
            raise complaint(str(error)) from None
        if not band.fits(""):
            told = f"{value!r} has a unit, and numbers in JSON have none; write the plain number"
            raise complaint(told)
    return value


def _value(value: str) -> str:
    kind, _, path = value.partition(":")
    if kind != "json":
        raise complaint(
            f"{value!r} names no value; write json: and a path, such as json:queue.depth"
        )
    return f"json:{_path(path.strip())}"


JsonPath = Annotated[
    str, Field(max_length=400), BeforeValidator(_path), WithJsonSchema({"type": "string"})
]
Expected = Annotated[
    str | bool | int | float | None,
    BeforeValidator(_expected),
    WithJsonSchema({"type": ["string", "number", "boolean", "null"]}),
]
JsonValue = Annotated[str, Field(max_length=400), AfterValidator(_value)]
"""``json:`` and a path to a number."""
