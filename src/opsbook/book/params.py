"""Parameters of a runbook: what each may be, and checking all that was given at once.

A parameter is the only way from outside into a step, and an alert's label may fill it: every value
is untrusted. It arrives as a string, is judged, and leaves as the same string, in an environment
variable; so the names are names a shell can read, and none that a shell or loader obeys.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from opsbook.base import quantities
from opsbook.book.fields import Argument, Part, Regex
from opsbook.book.problems import sentence, suggestion
from opsbook.book.texts import Text

LONGEST_VALUE = 4096
"""Characters. An environment is bounded by the kernel, and a label has no business being longer."""

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
RESERVED = re.compile(
    r"(PATH|HOME|LANG|USER|LOGNAME|SHELL|PWD|OLDPWD|TMPDIR|TERM|TZ|ENV|IFS|PS[0-4]|CDPATH|UID|EUID"
    r"|PPID|PROMPT_COMMAND|OPSBOOK_.*|BASH.*|LC_.*|LD_.*|DYLD_.*|PYTHON.*|PERL.*|NODE_.*|GIT_.*)"
)

Type = Literal["text", "integer", "number", "path", "duration"]


class Param(Part):
    """One parameter. Required unless it has a default or says ``required: false`` (then empty).

    `range` is ``[least, most]`` in the parameter's own type, either end open as null. `pattern`
    must match the whole value. `from_` is ``label:NAME`` of the alert that starts the run.
    """

    title: Text | None = None
    description: Text | None = None
    type: Type = "text"
    choices: tuple[Argument, ...] = ()
    pattern: Regex | None = None
    range: tuple[Argument | None, Argument | None] | None = None
    default: Argument | None = None
    required: bool = True
    from_: str | None = Field(default=None, alias="from", pattern=r"^label:[A-Za-z_]\w*$")

    @property
    def label(self) -> str | None:
        """The alert label that fills this parameter, if one does."""
        return self.from_.removeprefix("label:") if self.from_ else None

    @property
    def must_be_given(self) -> bool:
        """Whether a run cannot start without a value for it."""
        return self.required and self.default is None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.range is not None:
            if self.type in {"text", "path"}:
                raise PydanticCustomError(
                    "param",
                    "has a range but no type that can be compared; "
                    "add type: integer, number or duration",
                )
            for end in self.range:
                if end is not None and _measure(self.type, end) is None:
                    raise PydanticCustomError(
                        "param",
                        "{end} in its range is not {type}",
                        {"end": repr(end), "type": _a(self.type)},
                    )
        if self.default is not None and (fault := fault_of(self, self.default)):
            raise PydanticCustomError("param", "the default {fault}", {"fault": fault})
        return self


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
        if value is None and param.required:
            problems.append(ParameterProblem(name, "is required", accepted(param)))
        elif value is None:
            values[name] = ""
        elif fault := fault_of(param, value):
            problems.append(ParameterProblem(name, fault, accepted(param)))
        else:
            values[name] = value
    return values, problems


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
    shown = repr(value)
    if param.choices and value not in param.choices:
        yield f"{shown} is not one of its choices"
    measure = _measure(param.type, value)
    if measure is None:
        yield f"{shown} is not {_a(param.type)}"
    if param.pattern is not None and not re.fullmatch(param.pattern, value):
        yield f"{shown} does not match its pattern"
    if param.range is not None and isinstance(measure, float):
        low, high = (_measure(param.type, end) if end else None for end in param.range)
        if (isinstance(low, float) and measure < low) or (
            isinstance(high, float) and measure > high
        ):
            yield f"{shown} is outside its range"


def _measure(kind: Type, value: str) -> float | str | None:
    """The value as its type understands it (durations in seconds), None where it is not of it."""
    try:
        match kind:
            case "integer":
                return float(int(value)) if re.fullmatch(r"[+-]?[0-9]{1,15}", value) else None
            case "number":
                number = float(value) if re.fullmatch(r"[0-9eE+.-]+", value) else math.nan
                return number if math.isfinite(number) else None
            case "duration":
                return quantities.parse_duration(value).total_seconds()
            case "path":
                return None if not value or ".." in value.split("/") else value
            case "text":
                return value
    except ValueError:
        return None


def accepted(param: Param) -> str:
    """What a parameter accepts, for the remedy of a problem."""
    told: list[str] = []
    if param.choices:
        told.append(f"one of {', '.join(param.choices)}")
    elif param.type != "text":
        told.append(_a(param.type))
    if param.pattern is not None:
        told.append(f"matching {param.pattern}")
    if param.range is not None:
        low, high = param.range
        told.append(f"from {low}" if low is not None else "of any size")
        told.append(f"up to {high}" if high is not None else "and above")
    return f"accepted: {' '.join(told)}" if told else "accepted: text on one line"


def _a(kind: Type) -> str:
    return {
        "text": "a text",
        "integer": "an integer",
        "number": "a number",
        "path": "a path without '..'",
        "duration": "a duration such as 30s or 1h30m",
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
