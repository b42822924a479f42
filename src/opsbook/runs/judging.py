"""Whether what a step gave out is what it must be: ``expect= reject= assert= within= json=``.

Pure: what was seen in, the first fault out. A step that cannot be judged has failed: a pattern that
must not appear cannot be said to be missing from an output of which a part was left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from opsbook.base import quantities
from opsbook.base.quantities import QuantityError, format_duration
from opsbook.book import Step
from opsbook.book.conditions import Assertion
from opsbook.book.params import bounded

LONGEST_SEARCH: Final = 2.0
LONGEST_SHOWN: Final = 60
DEEPEST: Final = 100
"""Levels of lists and objects within one another. Python reads about a thousand, fewer the deeper
it stands itself: what one place can read must not be what another one cannot."""
_PART: Final = re.compile(r"""\.([\w-]+)|\[(\d+)\]|\['([^']+)'\]|\["([^"]+)"\]""")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a step that succeeded has given out.

    `output` is all it wrote, as far as it was kept; `left_out` how many bytes were not. `value` is
    its stdout, or what it gives out instead of one; None where nobody asked for it. `facts` are
    numbers by name that its kind knows: an http step's status.
    """

    took: timedelta
    output: str = ""
    left_out: int = 0
    value: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


class NotFound(ValueError):
    """The output has no such part."""


class TooDeep(ValueError):
    """A JSON text has more lists and objects within one another than anybody reads."""

    def __init__(self) -> None:
        super().__init__(
            f"it is JSON with more than {DEEPEST} lists or objects in one another: print only the "
            "part that is needed, for example with jq"
        )


def read_json(text: str | bytes) -> Any:
    """Return what a JSON text from outside holds.

    Raises:
        TooDeep: it cannot be read again with safety.
        ValueError: it is no JSON.
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise TooDeep from None
    level = [found]
    for _ in range(DEEPEST + 1):
        level = [
            inner
            for one in level
            if isinstance(one, list | dict)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return found
    raise TooDeep


def no_text(text: str) -> str:
    """Return why a text can be no value of a variable, nor be kept; an empty text where it can.

    JSON can write down what no program is given, and what no database keeps: a NUL, and half of a
    character (a surrogate without its other half).
    """
    if "\0" in text:
        return "it holds a NUL character, which no variable can hold: print it without"
    half = next((one for one in text if "\ud800" <= one <= "\udfff"), None)
    if half is None:
        return ""
    return (
        f"it holds half of a character, \\u{ord(half):04x} without its other half: print whole "
        "characters, in UTF-8"
    )


def asks_for_output(step: Step) -> bool:
    """Whether the whole output has to be looked at."""
    return step.expect is not None or step.reject is not None


def asks_for_value(step: Step) -> bool:
    """Whether what it gives out has to be caught: to be saved, or to be held against a band."""
    return step.save is not None or any(one.subject == "value" for one in step.asserts)


def fault(step: Step, seen: Seen, variables: Mapping[str, str]) -> str:
    """Return what is wrong with it, one clause each; an empty text for nothing.

    Messages name patterns and numbers, and never quote the output: it may hold a secret.
    """
    return "; ".join(_faults(step, seen, variables))


def _faults(step: Step, seen: Seen, variables: Mapping[str, str]) -> Iterator[str]:
    if step.within is not None and seen.took > step.within:
        yield f"it took {_short(seen.took)}, longer than {format_duration(step.within)}"
    if step.expect is not None and (why := _missing(step.expect, seen)):
        yield why
    if step.reject is not None and (why := _present(step.reject, seen)):
        yield why
    for one in step.asserts:
        if why := _outside(one, step, seen, variables):
            yield why


def _short(took: timedelta) -> str:
    return format_duration(timedelta(milliseconds=round(took.total_seconds() * 1000)))


def _missing(pattern: str, seen: Seen) -> str:
    found = _search(pattern, seen.output)
    if found:
        return ""
    if found is None:
        return f"its output could not be searched for {pattern!r} in {LONGEST_SEARCH:g} s"
    told = f"its output does not have what is expected: {pattern!r}"
    return f"{told} ({seen.left_out} bytes of it were left out)" if seen.left_out else told


def _present(pattern: str, seen: Seen) -> str:
    found = _search(pattern, seen.output)
    if found:
        return f"its output has what must not be in it: {pattern!r}"
    if found is None:
        return f"its output could not be searched for {pattern!r} in {LONGEST_SEARCH:g} s"
    if seen.left_out:
        told = "its output was too long to be judged"
        return f"{told}: {seen.left_out} bytes were left out, and {pattern!r} may be among them"
    return ""


def _search(pattern: str, text: str) -> bool | None:
    """Whether it is there; None when that took too long to find out."""
    try:
        return bounded(pattern).search(text, timeout=LONGEST_SEARCH, concurrent=True) is not None
    except TimeoutError:
        return None


def _outside(one: Assertion, step: Step, seen: Seen, variables: Mapping[str, str]) -> str:
    if one.subject in {"value", step.save}:
        given = seen.value
    else:
        given = seen.facts.get(one.subject, variables.get(one.subject))
    if given is None:
        return f"{one.subject} is not known, and must be {one.band}"
    try:
        measured = quantities.parse_quantity(given.strip())
        if one.band.holds(measured.value, measured.unit):
            return ""
    except QuantityError:
        told = f"{one.subject} is no number that can be compared with {one.band}"
        return f"{told}: {len(given.strip())} characters"
    return f"{one.subject} is {given.strip()[:LONGEST_SHOWN]}, and must be {one.band}"


def select(path: str, text: str) -> str:
    """Return the part of a JSON text at ``$.items[0].name``; a text as it is, the rest as JSON.

    Raises:
        NotFound: the text is no JSON (or too deep), or has no such part; says at which point.
    """
    try:
        found = read_json(text)
    except TooDeep as error:
        raise NotFound(str(error)) from None
    except ValueError as error:
        raise NotFound(f"it gave out no JSON for json={path}: {error}") from None
    at = "$"
    for matched in _PART.finditer(path):
        name, index = matched[1] or matched[3] or matched[4], matched[2]
        try:
            found = found[int(index)] if index is not None else found[name]
        except (KeyError, IndexError, TypeError):
            raise NotFound(f"the JSON it gave out has no {matched[0]} at {at}") from None
        at += matched[0]
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
