"""Single values in the editor's schema: what each kind of value looks like, with examples.

The patterns are read by Python and by JavaScript, whose ``\\w`` knows no Hangul; so an id is
written as what may not be in it. They are as strict as a pattern can be without being wrong: what
a model accepts they accept, and the rest of the grammar is the model's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any, get_args

from pydantic import BeforeValidator, WithJsonSchema

from opsbook.base.quantities import Band, Quantity
from opsbook.book import fields, intervals, times
from opsbook.book.matchers import Matcher
from opsbook.book.measures import Condition
from opsbook.book.refs import Refers
from opsbook.book.sections.people import LEVELS, Contact, Permission
from opsbook.book.sections.webhooks import Address
from opsbook.book.texts import Text

Schema = dict[str, Any]

_PUNCTUATION = r"\s!-,/:-@\[-^`{-~"
_WORD = rf"[^{_PUNCTUATION}.\-]"
_ID = rf"^{_WORD}[^{_PUNCTUATION}]{{0,63}}$"
_AMOUNT = r"[+-]?(\d+(\.\d+)?|\.\d+)([eE][+-]?\d{1,3})?"
_UNIT = r"([A-Za-z%]*|/\s*[a-z]+)"
_DURATION = r"(\d+(\.\d+)?(ms|[smhdw])\s*)+"

ID: Schema = {
    "type": "string",
    "pattern": _ID,
    "description": "A name of letters, digits, - _ and . (at most 64).",
}
REF: Schema = {
    "type": "string",
    "maxLength": 400,
    "description": "Where in a guide this came from, such as §2.3 L82-110.",
}
REASON: Schema = {"type": "string", "maxLength": 400, "description": "Why it is this value."}


def said(schema: Schema) -> Schema:
    """A value with a word about where it came from, see `opsbook.book.assumed`."""
    return {
        "type": "object",
        "description": "A value with a word about where it came from.",
        "properties": {
            "value": schema,
            "assumed": {"const": True, "description": "The guide leaves it open."},
            "reason": {"$ref": "#/definitions/reason"},
            "ref": {"$ref": "#/definitions/ref"},
        },
        "required": ["value"],
        "minProperties": 2,
        "dependencies": {"assumed": ["reason"], "reason": ["assumed"]},
        "additionalProperties": False,
    }


def _or_said(schema: Schema) -> Schema:
    return {"anyOf": [schema, said(schema)]}


_IN_A_LANGUAGE = _or_said({"type": "string", "pattern": r"\S"})
_SECRET = _or_said({"type": "string", "pattern": r"^(env:[A-Za-z_]|file:/)"})

DURATION: Schema = {
    "anyOf": [
        {"type": "string", "pattern": rf"^\s*{_DURATION}$"},
        {"const": 0},
    ],
    "description": "A number and a unit (ms, s, m, h, d, w), or several: 1h30m.",
    "examples": ["30s", "5m", "1h30m", "7d"],
}
QUANTITY: Schema = {
    "anyOf": [
        {"type": "string", "pattern": rf"^\s*({_AMOUNT}\s*{_UNIT}\s*|{_DURATION})$"},
        {"type": "number"},
    ],
    "description": "A number with a unit.",
    "examples": ["80%", "250ms", "20GB", "50/s"],
}
BAND: Schema = {
    "type": "string",
    "pattern": r"^\s*((>=|<=|==|!=|>|<)\s*\S|\S.*\.\.\s*\S)",
    "description": "A comparison or a range, in quotes.",
    "examples": ["> 80%", ">= 10", "< 14d", "30%..70%"],
}
CONDITION: Schema = {
    "anyOf": [{"enum": ["warning", "critical", "nodata"]}, BAND],
    "description": 'warning (or worse), critical, nodata, or a band such as "> 90%".',
}
PERMISSION: Schema = {
    "type": "string",
    "pattern": rf"^(\*|[a-z][a-z0-9_-]*):({'|'.join(LEVELS)})$",
    "description": f"area:level; the level is one of {', '.join(LEVELS)}, and * is every area.",
    "examples": ["*:read", "incidents:write", "runs:write", "*:admin"],
}
CONTACT: Schema = {
    "anyOf": [
        {"type": "string", "pattern": r"^[A-Za-z][A-Za-z0-9+.-]*://\S"},
        {
            "type": "object",
            "properties": {"secret": _SECRET},
            "required": ["secret"],
            "additionalProperties": False,
        },
    ],
    "description": "An Apprise URL, or a reference to one: {secret: env:NAME}.",
    "examples": ["mailto://…", "ntfy://ntfy.example.org/operations"],
}
ADDRESS: Schema = {
    "anyOf": [
        {"type": "string", "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/@]\S*$", "maxLength": 2000},
        {
            "type": "object",
            "properties": {"secret": _SECRET},
            "required": ["secret"],
            "additionalProperties": False,
        },
    ],
    "description": "An address of the web, or a reference to one: {secret: env:NAME}.",
    "examples": ["https://hooks.example.org/runs"],
}
TEXT: Schema = {
    "anyOf": [
        {"type": "string", "pattern": r"\S"},
        {"type": "number"},
        {
            "type": "object",
            "properties": {"ko": _IN_A_LANGUAGE, "en": _IN_A_LANGUAGE},
            "patternProperties": {"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$": _IN_A_LANGUAGE},
            "additionalProperties": False,
            "minProperties": 1,
        },
    ],
    "description": "One text, or texts by language: {ko: …, en: …}.",
}
ZONE: Schema = {
    "type": "string",
    "pattern": r"^[A-Za-z]",
    "description": "A time zone by its name.",
    "examples": ["Asia/Seoul", "UTC", "Europe/Berlin", "America/New_York"],
}
PORT: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": 65535},
        {"type": "string", "pattern": r"^\d{1,5}$|\{opsbook\."},
    ],
    "description": "A port from 1 to 65535.",
}
ARGUMENT: Schema = {
    "type": ["string", "number", "boolean"],
    "description": "A text, a number, true or false.",
}
REGEX: Schema = {"type": "string", "description": "A regular expression, in quotes."}
DAY: Schema = {
    "type": "string",
    "description": "A day: 2026-01-31.",
    "pattern": r"^\d{4}-?(W?\d|\d\d)",
    "examples": ["2026-01-31"],
}
MOMENT: Schema = {
    "type": "string",
    "pattern": r"^\s*\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?)?\s*$",
    "description": "A day, or a day and a time of it.",
    "examples": ["2026-01-31", "2026-01-31 18:00"],
}
SCHEDULE: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 200,
    "description": "When: words in English or Korean, or five fields of cron.",
    "examples": [
        "every day 09:00", "weekdays 09:00", "first Sunday 02:00", "매일 09:00",
        "매주 월요일 10:00", "0 9 * * *",
    ],
}  # fmt: skip
HOURS: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 200,
    "description": "Hours of the week.",
    "examples": ["weekdays 09:00-18:00", "평일 09:00-18:00"],
}
OFFSET: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 60,
    "description": "A day counted from D-Day.",
    "examples": ["D-7", "D-1", "D-Day", "D+1"],
}

MATCHER: Schema = {
    "type": "string",
    "pattern": r"^[\s{]*(\"([^\"\\]|\\[\s\S])+\"|[^\s{}!=~,\\\"'`]+)\s*(=~|!~|!=|=)",
    "maxLength": 8100,
    "description": "A condition on a label, in quotes, as in Alertmanager: =, !=, =~ or !~.",
    "examples": ['severity="critical"', 'service=~"api|shop"', 'team!="web"'],
}
TIMES: Schema = {
    "type": "string",
    "pattern": r"^ *\d *\d *: *\d *\d *- *\d *\d *: *\d *\d *$",
    "description": "A part of the day, in quotes; its end does not belong to it.",
    "examples": ["09:00-18:00", "18:00-24:00"],
}


def _ranges(one: str, description: str, *examples: str, number: bool = False) -> Schema:
    """One of a kind, or two with a colon between them; in any case of letters."""
    text: Schema = {"type": "string", "pattern": rf"^\s*({one})(:({one}))?\s*$"}
    shape = {"anyOf": [text, {"type": "integer"}]} if number else text
    return {**shape, "description": description, "examples": list(examples)}


def _any_case(words: Iterable[str]) -> str:
    return "|".join("".join(f"[{c}{c.upper()}]" for c in word) for word in words)


WEEKDAYS = _ranges(
    _any_case(intervals.WEEKDAYS), "A weekday or a range; the week begins with sunday.",
    "monday:friday", "saturday",
)  # fmt: skip
DAYS_OF_MONTH = _ranges(
    r"-?\d{1,2}", "A day of the month or a range; -1 is the last day.", "1:5", "-3:-1", number=True
)
MONTHS = _ranges(
    rf"{_any_case(intervals.MONTHS)}|\d{{1,2}}", "A month or a range.", "january:march", "12",
    number=True,
)  # fmt: skip
YEARS = _ranges(r"\d{4}", "A year or a range.", "2026:2027", number=True)

_BY_TYPE: dict[Any, tuple[str, Schema]] = {
    timedelta: ("duration", DURATION),
    Band: ("band", BAND),
    Quantity: ("quantity", QUANTITY),
    Permission: ("permission", PERMISSION),
    Contact: ("contact", CONTACT),
    Address: ("address", ADDRESS),
    Matcher: ("matcher", MATCHER),
    Text: ("text", TEXT),
    date: ("day", DAY),
    datetime: ("moment", MOMENT),
}


def _reader(alias: Any) -> Any:
    """The function that an alias reads by, which tells it from others of the same type."""
    return next(mark.func for mark in get_args(alias)[1:] if isinstance(mark, BeforeValidator))


SHORT: dict[Any, tuple[str, Schema]] = {Condition: ("condition", CONDITION)}
"""Models that a text may stand for, and what that text is."""

_BY_READER: dict[Any, tuple[str, Schema]] = {
    _reader(fields.Zone): ("time-zone", ZONE),
    _reader(fields.Port): ("port", PORT),
    _reader(fields.Argument): ("argument", ARGUMENT),
    _reader(fields.Regex): ("regular-expression", REGEX),
    _reader(fields.Moment): ("moment", MOMENT),
    _reader(times.ScheduleText): ("schedule", SCHEDULE),
    _reader(times.HoursText): ("hours", HOURS),
    _reader(times.OffsetText): ("offset", OFFSET),
    _reader(intervals.Times): ("part-of-the-day", TIMES),
    _reader(intervals.Weekdays): ("weekdays", WEEKDAYS),
    _reader(intervals.DaysOfMonth): ("days-of-the-month", DAYS_OF_MONTH),
    _reader(intervals.Months): ("months", MONTHS),
    _reader(intervals.Years): ("years", YEARS),
}


def known(annotation: Any, marks: Iterable[Any]) -> tuple[str, Schema] | None:
    """The name and schema of a kind of value that has one."""
    marks = tuple(marks)
    if refers := next((mark for mark in marks if isinstance(mark, Refers)), None):
        name = re.sub(r"\W+", "-", f"{refers.what} id")
        return name, {**ID, "description": f"The id of a {refers.what}."}
    readers = [mark.func for mark in marks if isinstance(mark, BeforeValidator)]
    if readers and readers[-1] in _BY_READER:  # the last one reads first, and may take more
        return _BY_READER[readers[-1]]
    if own := next((s for mark in marks if (s := _own(mark))), None):
        return str(own["title"]), own
    if annotation is str and any(_pattern(mark) == fields.ID_PATTERN for mark in marks):
        return "id", ID
    try:
        return _BY_TYPE.get(annotation)
    except TypeError:
        return None


def _own(mark: Any) -> Schema | None:
    """What a field says of its own values, under a title: those of a kind of check do."""
    found = mark.json_schema if isinstance(mark, WithJsonSchema) else None
    return dict(found) if found is not None and "title" in found else None


def plain(annotation: Any, marks: Iterable[Any]) -> Schema:
    """A text, a number or a switch, with its bounds; anything, for a type that is unknown here."""
    if annotation is str:
        found: Schema = {"type": "string"} | bounds(marks, "Length")
        if pattern := next((p for mark in marks if (p := _pattern(mark))), None):
            found["pattern"] = _portable(pattern)
        return found
    if annotation is bool:
        # The model takes yes and no in texts for what they say, since YAML once did.
        words = "|".join("".join(f"[{c.upper()}{c}]" for c in word) for word in _SWITCHES)
        return {"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": f"^({words}|0|1)$"},
                          {"enum": [0, 1]}]}  # fmt: skip
    if annotation is int:
        written = {"type": "string", "pattern": r"^\s*[+-]?\d[\d_]*(\.0*)?\s*$"}
        return {"anyOf": [{"type": "integer"} | _between(marks), written]}
    if annotation is float:
        written = {"type": "string", "pattern": r"^\s*[+-]?(\d|\.\d|[iInN])"}
        return {"anyOf": [{"type": "number"} | _between(marks), written]}
    return {}


_SWITCHES = ("true", "t", "yes", "y", "on", "false", "f", "no", "n", "off")


def _pattern(mark: Any) -> str | None:
    found = getattr(mark, "pattern", None)
    return found if isinstance(found, str) else None


def bounds(marks: Iterable[Any], of: str) -> Schema:
    """``minItems`` and its like from the marks of a field."""
    found: Schema = {}
    for mark in marks:
        for name, word in (("min_length", "min"), ("max_length", "max")):
            if isinstance(limit := getattr(mark, name, None), int):
                found[f"{word}{of}"] = limit
    return found


def _between(marks: Iterable[Any]) -> Schema:
    found: Schema = {}
    for mark in marks:
        for name, word in (
            ("ge", "minimum"), ("le", "maximum"), ("gt", "exclusiveMinimum"),
            ("lt", "exclusiveMaximum"),
        ):  # fmt: skip
            if (limit := getattr(mark, name, None)) is not None:
                found[word] = limit
    return found


def _portable(pattern: str) -> str:
    """A pattern of a model with the letters of every script, for readers that know ASCII alone."""
    if pattern == r"^\w[\w.-]{0,63}$":
        return _ID
    return pattern.replace(r"\w", _WORD) if "[" not in pattern.partition(r"\w")[0][-1:] else "."
