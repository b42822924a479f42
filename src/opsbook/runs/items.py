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

MOST: Final = 1000


class TooMany(OpsbookError):
    """A list has more items than a run has room for."""


def of(runbook: Runbook, name: str, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return the items of the list that a variable holds.

    Raises:
        TooMany: more than MOST.
    """
    value = variables.get(name, "")
    param = runbook.params.get(name)
    found = typed.items(param, value) if param is not None else _saved(value)
    if len(found) > MOST:
        raise TooMany(f"{name} has {len(found)} items; a step is repeated over {MOST} at most")
    return found


def _saved(value: str) -> tuple[str, ...]:
    if value.lstrip().startswith("["):
        try:
            found = json.loads(value)
        except ValueError:
            found = None
        if isinstance(found, list):
            return tuple(_text(one) for one in found)
    return tuple(line.strip() for line in value.splitlines() if line.strip())


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
