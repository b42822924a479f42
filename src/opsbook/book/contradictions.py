"""What contradicts itself within one step: attributes that exclude each other, a body of no use.

Each is reported at the attribute that is too many, and not at the one that makes it so, since that
is the one to take out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from opsbook.base import quantities
from opsbook.book import language
from opsbook.book.blocks import Block, Fault
from opsbook.book.fields import ID_PATTERN
from opsbook.book.runbook import DEFAULT_STEP_TIMEOUT, Phase, call_arguments

REQUEST: Final = re.compile(r"[A-Z]{3,10} \S+( HTTP/[0-9.]+)?")
NEEDS: Final = (
    ("backoff", "retry", "there is nothing to pause between", "add retry=3, or remove backoff="),
    ("at-once", "each", "there is nothing to repeat", "add each= with a list's name"),
    ("json", "save", "what it finds is not saved", "add save= with a name"),
    ("optional", "save", "it is about a saved value, and none is saved",
     "add save=, or remove optional"),
)  # fmt: skip


def faults(block: Block, said: Mapping[str, Any], phase: Phase, of: str | None) -> Iterator[Fault]:
    """Everything; `said` is what the attributes were read as, without those that cannot be read."""
    yield from _needs(block, said)
    yield from _phases(block, said, phase, of)
    yield from _times(block, said)
    if said.get("expect") is not None and said["expect"] == said.get("reject"):
        yield Fault("it expects and rejects the same", "remove one of the two", "reject")
    yield from _body(block)


def _needs(block: Block, said: Mapping[str, Any]) -> Iterator[Fault]:
    for name, other, why, remedy in NEEDS:
        if name in said and other not in block.has.values:
            yield Fault(f"{name}= without {other}=: {why}", remedy, name)
    if block.kind == "notify" and "to" not in block.has.values:
        yield Fault("it tells nobody", "add to= with a person, a team or a channel")


def _phases(block: Block, said: Mapping[str, Any], phase: Phase, of: str | None) -> Iterator[Fault]:
    classes = block.has.classes
    if {"rollback", "finally"} <= set(classes):
        yield Fault("it is both a rollback and finally", "leave one of the two", ".finally")
    elif "rollback" in classes and not of:
        yield Fault("a rollback must say of what", "write {.rollback of=step}", ".rollback")
    elif "of" in block.has.values and "rollback" not in classes:
        yield Fault("of= belongs to a rollback", "write {.rollback of=step}", "of")
    if phase == "main":
        return
    aside = "a step that undoes or tidies up"
    if "on-cancel" in said:
        told = f"on-cancel= means nothing on {aside}: cancelling does not end it"
        yield Fault(told, "remove it", "on-cancel")
    if "phase" in said:
        told = f"phase= means nothing on {aside}: it has no day of its own"
        yield Fault(told, "remove it", "phase")
    if said.get("on-fail") in {"rollback", "ask"}:
        told = f"on-fail={said['on-fail']} cannot be done on {aside}"
        yield Fault(told, "write on-fail=continue or on-fail=stop", "on-fail")


def _times(block: Block, said: Mapping[str, Any]) -> Iterator[Fault]:
    hold, timeout, within = (said.get(name) for name in ("for", "timeout", "within"))
    if hold and timeout and timeout < hold:
        told = f"its timeout is shorter than the time its {block.kind} must hold"
        yield Fault(told, "raise timeout=", "timeout")
    if block.kind in language.EXECUTING and within and within > (timeout or DEFAULT_STEP_TIMEOUT):
        told = "its timeout ends it before within= is over"
        yield Fault(told, "raise timeout=, or lower within=", "within")


def _body(block: Block) -> Iterator[Fault]:
    words = block.body.split()
    first = block.body.strip().partition("\n")[0].strip()
    if block.kind == "check" and len(words) != 1:
        told = f"it names {len(words)} checks" if words else "it names no check"
        yield Fault(told, "write one check's id, or $param, in each check step")
    elif not words:
        yield Fault("it is empty", "write what is to be done, or remove it")
    elif block.kind == "wait":
        yield from _wait(block.body.strip())
    elif block.kind == "http" and not REQUEST.fullmatch(first):
        remedy = "write GET https://…, then headers, an empty line and the body"
        yield Fault(f"{first[:60]!r} is no request", remedy)
    elif block.kind == "run":
        yield from _call(block.body, first)


def _wait(text: str) -> Iterator[Fault]:
    try:
        span = quantities.parse_duration(text)
    except quantities.QuantityError as error:
        message, _, remedy = str(error).partition("; ")
        yield Fault(message, remedy)
    else:
        if not span:
            yield Fault("it waits for no time at all", "write a time such as 10m, or remove it")


def _call(body: str, first: str) -> Iterator[Fault]:
    if not re.match(ID_PATTERN, first):
        yield Fault(f"{first[:60]!r} is no runbook", "write a runbook's id on the first line")
    seen: set[str] = set()
    for name, value in call_arguments(body):
        if not value:
            told = f"{name[:60]!r} gives no parameter a value"
            yield Fault(told, "write name: value, or name: $variable, one on a line")
        elif name in seen:
            yield Fault(f"it gives {name[:60]!r} twice", "remove one of the two")
        seen.add(name)
