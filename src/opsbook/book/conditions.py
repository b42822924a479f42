"""``when=`` and ``assert=``: what must be so before a step runs, and after it.

One form each, and no expression language: ``when="service == vllm"`` compares one variable with one
literal, ``assert="value < 250ms and status == 200"`` compares measured numbers with bands. What
needs more than that is a step of its own, which can be read, timed and looked up afterwards.

Variables are texts (they are what the environment of a step holds), so ``==`` and ``!=`` compare
texts, and the ordering operators read both sides as quantities.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from opsbook.base import quantities
from opsbook.base.quantities import Band, Quantity, QuantityError

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
_WHEN: Final = re.compile(rf"(?P<not>not\s+)?(?P<name>{_NAME})")
_COMPARED: Final = re.compile(rf"(?P<name>{_NAME})\s*(?P<op>==|!=|>=|<=|>|<)\s*(?P<value>\S.*)")
_ASSERTED: Final = re.compile(rf"(?P<subject>{_NAME})\s*(?P<band>(?:==|!=|>=|<=|>|<).+|in\s+.+)")
_FALSE: Final = frozenset({"", "false"})


@dataclass(frozen=True, slots=True)
class When:
    """A condition on one variable; without a comparison: that it is neither empty nor ``false``.

    `negated` belongs to the form without a comparison (``not NAME``).
    """

    name: str
    op: str = ""
    value: str = ""
    negated: bool = False

    @classmethod
    def parse(cls, text: str) -> When:
        """Read ``NAME``, ``not NAME`` or ``NAME OP VALUE``; raises ValueError."""
        if plain := _WHEN.fullmatch(text.strip()):
            return cls(plain["name"], negated=plain["not"] is not None)
        compared = _COMPARED.fullmatch(text.strip())
        if compared is None:
            raise ValueError(
                f'{text!r} is no condition; write when=name, when="not name", '
                'when="name == value" or when="name > 80%"'
            )
        value = compared["value"].strip()
        if compared["op"] not in {"==", "!="}:
            quantities.parse_quantity(value)
        return cls(compared["name"], compared["op"], value)

    @property
    def limit(self) -> Quantity | None:
        """The quantity to compare with, where the operator orders; None for texts."""
        return None if self.op in {"", "==", "!="} else quantities.parse_quantity(self.value)

    def __str__(self) -> str:
        if self.op:
            return f"{self.name} {self.op} {self.value}"
        return f"not {self.name}" if self.negated else self.name

    def holds(self, variables: Mapping[str, str]) -> bool:
        """Whether the step is to run, given the run's variables.

        A variable that was never saved is empty. Raises QuantityError where the operator orders and
        the variable is no quantity: to skip a step because a number could not be read would hide
        it.
        """
        given = variables.get(self.name, "")
        limit = self.limit
        if limit is not None:
            measured = quantities.parse_quantity(given)
            return Band(self.op, limit).holds(measured.value, measured.unit)
        if self.op:
            return (given == self.value) == (self.op == "==")
        return (given in _FALSE) == self.negated


@dataclass(frozen=True, slots=True)
class Assertion:
    """A number that must lie in a band.

    `subject` is ``value`` (the step's output as one quantity), ``status`` (an http step's answer),
    or the name of a parameter or saved value.
    """

    subject: str
    band: Band

    def __str__(self) -> str:
        return f"{self.subject} {'in ' if self.band.op == '..' else ''}{self.band}"


def assertions(text: str) -> tuple[Assertion, ...]:
    """Read ``SUBJECT BAND``, several joined by ``and``; raises ValueError."""
    found = []
    for part in re.split(r"\s+and\s+", text.strip()):
        matched = _ASSERTED.fullmatch(part)
        if matched is None:
            raise ValueError(
                f"{part!r} is no assertion; write a name and a band, such as "
                '"value < 250ms" or "status == 200 and value < 250ms"'
            )
        try:
            band = quantities.parse_band(matched["band"].removeprefix("in ").strip())
        except QuantityError as error:
            raise ValueError(str(error)) from None
        found.append(Assertion(matched["subject"], band))
    return tuple(found)
