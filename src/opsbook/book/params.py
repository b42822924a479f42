"""Parameters of a runbook: what each may be, and checking all that was given at once.

A parameter is the only way from outside into a step, and an alert's label may fill it: every value
is untrusted. It arrives as a string, is judged, and leaves as the same string, in an environment
variable; so the names are names a shell can read, and none that a shell or loader obeys.
"""

from __future__ import annotations

import functools
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

import regex
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from opsbook.base import quantities
from opsbook.book.fields import Argument, Flag, Part, Regex, refusing
from opsbook.book.problems import sentence, suggestion
from opsbook.book.texts import Text

LONGEST_MATCH = 0.2
"""Seconds. A pattern such as ``(a+)+b`` takes a time that doubles with each character of a value
from outside, and while it takes it, pages and checks would stand still."""

LONGEST_VALUE = 4096
"""Characters. An environment is bounded by the kernel, and a label has no business being longer."""

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
RESERVED = re.compile(
    r"(PATH|HOME|LANG|USER|LOGNAME|SHELL|PWD|OLDPWD|TMPDIR|TERM|TZ|ENV|IFS|PS[0-4]|CDPATH|UID|EUID"
    r"|PPID|PROMPT_COMMAND|OPSBOOK_.*|BASH.*|LC_.*|LD_.*|DYLD_.*|PYTHON.*|PERL.*|NODE_.*|GIT_.*"
    r"|SHELLOPTS|GLOBIGNORE|POSIXLY_CORRECT|GCONV_PATH|LOCPATH|HOSTALIASES|RUBY.*|JAVA_TOOL_OPTIONS"
    r"|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|PAGER|EDITOR|VISUAL|LESS(OPEN|CLOSE)|SSH_.*|SUDO_.*|XDG_.*"
    r"|OPENSSL_.*|SSLKEYLOGFILE|CURL_HOME|PSQLRC|(?i:(HTTPS?|FTP|ALL|NO)_PROXY))"
)

Scalar = Literal["text", "integer", "number", "path", "duration", "size", "percent", "boolean"]
Type = Literal[Scalar, "list"]
ORDERED = frozenset({"integer", "number", "duration", "size", "percent"})
"""Types whose values can be compared, and so can have a range."""

SEPARATOR = ","
"""Between the items of a list. Not a line break: a value is one line, in a form field, an address
and a shell's argument; an item that needs a comma is a text and not a list."""


def _joined(value: Any) -> Any:
    """A list in the book as the one text that a run is given; other values as they are."""
    plain = (str, int, float)
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, plain) for item in value):
        return value
    items = [str(item).lower() if isinstance(item, bool) else str(item) for item in value]
    if bad := next((item for item in items if SEPARATOR in item), None):
        raise ValueError(f"{bad!r} has a comma in it, which would end the item; write two items")
    return SEPARATOR.join(items)


Default = Annotated[
    Argument,
    BeforeValidator(refusing(_joined)),
    WithJsonSchema({"type": ["string", "number", "boolean", "array"]}),
]


@functools.lru_cache(maxsize=1024)
def bounded(pattern: str) -> regex.Pattern[str]:
    """A pattern for an engine that can be stopped; raises ValueError for what is none there."""
    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise ValueError(
            f"{pattern!r} is not a regular expression that can be stopped: {error}; "
            "write it in a plainer way"
        ) from None


def _stoppable(text: str) -> str:
    bounded(text)
    return text


Pattern = Annotated[Regex, AfterValidator(refusing(_stoppable))]


class Param(Part):
    """One parameter. Required unless it has a default or says ``required: false`` (then empty).

    A value is judged and kept as the text it is. For a list, what is said of the value is said of
    each of its items. Whether the fields fit each other is `contradictions`, not the model's own
    validation, so that each of them is reported at its place and all of them at once.
    """

    title: Text | None = None
    """What people call it."""
    description: Text | None = None
    """What it is for."""
    type: Type = "text"
    """What its values are."""
    of: Scalar | None = None
    """For a list: what its items are; texts, if left out."""
    choices: tuple[Argument, ...] = Field(default=(), min_length=1)
    """The only values accepted."""
    pattern: Pattern | None = None
    """A regular expression that the whole value must match."""
    range: tuple[Argument | None, Argument | None] | None = None
    """The least and the most, in the parameter's own type; either may be null."""
    under: str | None = Field(default=None, min_length=1, max_length=400)
    """For a path: the folder it must lie in."""
    default: Default | None = None
    """The value if none is given; for a list, a list."""
    required: Flag = True
    """Whether a run needs a value; without one the parameter is empty."""
    secret: Flag = False
    """Whether the value must never be seen: not in the database, in output, logs or audit."""
    from_: str | None = Field(default=None, alias="from", pattern=r"^label:[A-Za-z_]\w*$")
    """The label of the alert that fills it, as label:NAME."""

    @property
    def label(self) -> str | None:
        """The alert label that fills this parameter, if one does."""
        return self.from_.removeprefix("label:") if self.from_ else None

    @property
    def must_be_given(self) -> bool:
        """Whether a run cannot start without a value for it."""
        return self.required and self.default is None

    @property
    def item(self) -> Scalar:
        """The type of one value: the parameter's own, or that of a list's items."""
        return (self.of or "text") if self.type == "list" else self.type


def contradictions(param: Param) -> Iterator[tuple[str, str, str]]:
    """What does not fit within one parameter: the field, what is wrong, and what to do."""
    kind = param.item
    if param.of is not None and param.type != "list":
        yield "of", "belongs to a list", "add type: list, or remove of:"
    for choice in param.choices:
        if _measure(kind, choice) is None:
            yield "choices", f"{choice!r} is not {_a(kind)}", "let every choice be of its type"
    if param.choices and len(set(param.choices)) < len(param.choices):
        yield "choices", "one of them is written twice", "remove one of the two"
    if param.choices and param.pattern is not None:
        yield "pattern", "means nothing beside choices", "leave one of the two"
    if param.range is not None:
        yield from _range_faults(kind, param.range)
    if param.under is not None:
        if kind != "path":
            yield "under", "is a folder for paths", "add type: path, or remove under:"
        elif not _is_folder(param.under):
            told = f"{param.under!r} is no folder that a path can be held against"
            yield "under", told, "write an absolute path without '..', such as /models"
    yield from _value_faults(param)


def _range_faults(
    kind: Scalar, ends: tuple[str | None, str | None]
) -> Iterator[tuple[str, str, str]]:
    if kind not in ORDERED:
        told = f"{_a(kind)} cannot be compared"
        remedy = f"add type: {', '.join(sorted(ORDERED))}, or remove range:"
        yield "range", told, remedy.replace(", size", " or size")
        return
    sizes = []
    for end in ends:
        size = None if end is None else _measure(kind, end)
        if end is not None and size is None:
            yield "range", f"{end!r} is not {_a(kind)}", "write both ends in the parameter's type"
        sizes.append(size)
    low, high = sizes
    if isinstance(low, float) and isinstance(high, float) and low > high:
        yield "range", f"{ends[0]} is more than {ends[1]}", "write the least first"
    if ends == (None, None):
        yield "range", "both of its ends are open", "write one, or remove range:"


def _value_faults(param: Param) -> Iterator[tuple[str, str, str]]:
    if param.secret:
        for field, why in (("default", "stand in the book"), ("from_", "come from an alert"),
                           ("choices", "be one of a few that the book lists")):  # fmt: skip
            if getattr(param, field):
                yield field.rstrip("_"), f"a secret cannot {why}", "remove it, or secret:"
    elif param.default is not None:
        for fault in _faults(param, param.default):
            yield "default", fault, accepted(param)
    if param.default is not None and not param.required:
        yield "required", "means nothing beside a default", "leave one of the two"


def _is_folder(text: str) -> bool:
    return text.startswith("/") and not text.startswith("//") and ".." not in text.split("/")


@dataclass(frozen=True, slots=True)
class ParameterProblem:
    """What is wrong with one given parameter, and what would be accepted."""

    name: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        told = f"parameter {self.name}: {sentence(self.message)}"
        return f"{told} {sentence(self.remedy)}" if self.remedy else told


def check_params(
    params: Mapping[str, Param], given: Mapping[str, str], labels: Mapping[str, str]
) -> tuple[dict[str, str], list[ParameterProblem]]:
    """See `opsbook.book.runbook.check_params`."""
    problems = [
        ParameterProblem(
            _printable(name),
            "this runbook has no such parameter",
            suggestion(name, params, what="its parameters"),
        )
        for name in given
        if name not in params
    ]
    values: dict[str, str] = {}
    for name, param in params.items():
        value = given.get(name)
        if value is None and param.label is not None:
            value = labels.get(param.label)
        if value is None:
            value = param.default
        empty = value == "" != param.default and param.type != "list"
        if (value is None or empty) and param.required:
            problems.append(ParameterProblem(name, "is required", accepted(param)))
        elif value is None:
            values[name] = ""
        elif faults := list(_faults(param, value)):
            problems.append(ParameterProblem(name, ", and ".join(faults), accepted(param)))
        else:
            values[name] = value
    return values, problems


def items(param: Param, value: str) -> tuple[str, ...]:
    """A value's items: those of a list, or the value itself; none of an empty value."""
    if not value:
        return ()
    return tuple(value.split(SEPARATOR)) if param.type == "list" else (value,)


def fault_of(param: Param, value: str) -> str | None:
    """What is wrong with `value` for `param`, as the end of a sentence, or None if nothing is."""
    return next(_faults(param, value), None)


def _faults(param: Param, value: str) -> Iterator[str]:
    if len(value) > LONGEST_VALUE:
        yield f"is {len(value)} characters long; at most {LONGEST_VALUE} are accepted"
        return
    if bad := next((char for char in value if _is_control(char)), None):
        yield f"contains the control character U+{ord(bad):04X}"
        return
    if param.type != "list":
        yield from _item_faults(param, value)
        return
    given = value.split(SEPARATOR)
    for item in dict.fromkeys(given):
        if not item:
            yield "has an empty item" if value else "is an empty list"
        elif item != item.strip():
            yield f"{_shown(param, item)} has space around it"
        else:
            yield from _item_faults(param, item)


def _item_faults(param: Param, value: str) -> Iterator[str]:
    shown, kind = _shown(param, value), param.item
    if param.choices and value not in param.choices:
        yield f"{shown} is not one of its choices"
        return
    measure = _measure(kind, value)
    if measure is None:
        yield f"{shown} is not {_a(kind)}"
    if param.pattern is not None:
        try:
            if not bounded(param.pattern).fullmatch(value, timeout=LONGEST_MATCH, concurrent=True):
                yield f"{shown} does not match its pattern"
        except TimeoutError:
            yield f"{shown} could not be compared with its pattern in {LONGEST_MATCH} s"
    if param.range is not None and isinstance(measure, float):
        low, high = (_measure(kind, end) if end is not None else None for end in param.range)
        if (isinstance(low, float) and measure < low) or (
            isinstance(high, float) and measure > high
        ):
            yield f"{shown} is outside its range"
    if measure is not None and param.under is not None and not _lies_in(value, param.under):
        yield f"{shown} does not lie in {param.under}"


def _shown(param: Param, value: str) -> str:
    """A value as a message may show it: a secret one not at all."""
    return "the given value" if param.secret else repr(value)


def _lies_in(path: str, folder: str) -> bool:
    """Whether a path without ``..`` lies in a folder, as written.

    What a link on the target's disk makes of it is for the step to see.
    """
    inner, outer = PurePosixPath(path), PurePosixPath(folder)
    return inner != outer and inner.is_relative_to(outer)


def _measure(kind: Scalar, value: str) -> float | str | None:
    """The value as its type understands it, None where it is not of it.

    Durations in seconds, sizes in bytes, percentages as they are written (80 for ``80%``).
    """
    try:
        match kind:
            case "integer":
                return float(int(value)) if re.fullmatch(r"[+-]?[0-9]{1,15}", value) else None
            case "number":
                number = float(value) if re.fullmatch(r"[0-9eE+.-]+", value) else math.nan
                return number if math.isfinite(number) else None
            case "duration":
                return quantities.parse_duration(value).total_seconds()
            case "size":
                return float(quantities.parse_size(value))
            case "percent":
                return quantities.parse_percent(value)
            case "boolean":
                return value if value in {"true", "false"} else None
            case "path":
                return None if not value or ".." in value.split("/") else value
            case "text":
                return value
    except ValueError:
        return None


def accepted(param: Param) -> str:
    """What a parameter accepts, for the remedy of a problem."""
    told: list[str] = []
    kind = param.item
    if param.choices:
        told.append(f"one of {', '.join(param.choices)}")
    elif kind != "text" or param.type == "list":
        told.append(_a(kind))
    if param.pattern is not None:
        told.append(f"matching {param.pattern}")
    if param.range is not None:
        low, high = param.range
        told.append(f"from {low}" if low is not None else "of any size")
        told.append(f"up to {high}" if high is not None else "and above")
    if param.under is not None:
        told.append(f"in {param.under}")
    each = "items with commas between them, each " if param.type == "list" else ""
    return f"accepted: {each}{' '.join(told)}" if told else "accepted: text on one line"


def _a(kind: Scalar) -> str:
    return {
        "text": "a text",
        "integer": "an integer",
        "number": "a number",
        "path": "a path without '..'",
        "duration": "a duration such as 30s or 1h30m",
        "size": "a size such as 4Gi or 20GB",
        "percent": "a percentage such as 80%",
        "boolean": "true or false",
    }[kind]


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text[:64])


def name_fault(name: Any) -> str | None:
    """Why a name cannot be a parameter or a saved value, or None if it can."""
    if not isinstance(name, str) or not VARIABLE.fullmatch(name):
        return "is no name for a variable: letters, digits and _ only, not starting with a digit"
    if RESERVED.fullmatch(name):
        return "is a name the shell or Opsbook uses itself"
    return None
