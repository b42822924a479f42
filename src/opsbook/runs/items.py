"""The items that a repeated step is repeated over, and the keys of their rows.

A list is a parameter of type ``list``, or a saved value: a list in JSON, such as the rows that a
query gave, or else a text with one item a line. The items are written down when the step is
entered, so that a run that goes on later goes on with the same ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from opsbook.base.errors import OpsbookError
from opsbook.book import Runbook
from opsbook.book import params as typed
from opsbook.runs import judging
from opsbook.runs.kinds.kind import of_item

MOST: Final = 1000


class CannotRepeat(OpsbookError):
    """A step cannot be repeated over this list."""


class TooMany(CannotRepeat):
    """A list has more items than a run has room for."""


class NoItem(CannotRepeat):
    """Something in a list can be no item: no variable can hold it, or nobody can read it."""


def of(runbook: Runbook, name: str, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return the items of the list that a variable holds.

    Raises:
        TooMany: more than MOST.
        NoItem: with the first that can be none. Told here, the step fails; each place that came
            upon it later would fail in its own way, and again in every turn.
    """
    value = variables.get(name, "")
    param = runbook.params.get(name)
    try:
        found = typed.items(param, value) if param is not None else _saved(value)
    except judging.TooDeep as error:
        raise NoItem(f"{name} can be no list: {error}") from None
    if len(found) > MOST:
        raise TooMany(f"{name} has {len(found)} items; a step is repeated over {MOST} at most")
    for number, item in enumerate(found, 1):
        if wrong := _unfit(item):
            raise NoItem(f"item {number} of {name} cannot be used: {wrong}")
    return found


def _saved(value: str) -> tuple[str, ...]:
    if value.lstrip().startswith("["):
        try:
            found = judging.read_json(value)
        except judging.TooDeep:
            raise
        except ValueError:
            found = None
        if isinstance(found, list):
            return tuple(_text(one) for one in found)
    return tuple(line.strip() for line in value.splitlines() if line.strip())


def _unfit(item: str) -> str:
    """Why a text can be no item: itself, or one of the fields that become variables beside it."""
    if wrong := judging.no_text(item):
        return wrong
    if not item.startswith("{"):
        return ""
    try:
        judging.read_json(item)
    except judging.TooDeep as error:
        return str(error)
    except ValueError:  # a text that begins like one
        return ""
    fields = ((name, judging.no_text(text)) for name, text in of_item(item))
    return next((f"in ${name}, {wrong}" for name, wrong in fields if wrong), "")


def _text(item: object) -> str:
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)


def key(step: str, number: int) -> str:
    """The key of an item's row: ``move[2]``, which no step can be called."""
    return f"{step}[{number}]"


def step_of(key: str) -> str:
    """The step that a row's key belongs to: its own, or the one it is an item of."""
    return key.partition("[")[0]


def gathered(saved: Mapping[str, str], name: str, count: int) -> tuple[str, dict[str, str]]:
    """What the items saved under `name` as one list, and the saved values without theirs."""
    keys = [key(name, number) for number in range(1, count + 1)]
    texts = [saved[one] for one in keys if one in saved]
    return json.dumps(texts, ensure_ascii=False), {
        one: text for one, text in saved.items() if one not in keys
    }
