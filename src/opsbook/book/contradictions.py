"""What contradicts itself within one step: attributes that exclude each other, a body of no use.

Each is reported at the attribute that is too many, and not at the one that makes it so, since that
is the one to take out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from opsbook.book import language, meant, queries, waits
from opsbook.book.blocks import Block, Fault
from opsbook.book.fields import ID_PATTERN
from opsbook.book.runbook import DEFAULT_STEP_TIMEOUT, Phase, call_arguments

NEEDS: Final = (
    ("backoff", "retry", "there is nothing to pause between", "add retry=3, or remove backoff="),
    ("at-once", "each", "there is nothing to repeat", "add each= with a list's name"),
    ("json", "save", "what it finds is not saved", "add save= with a name"),
    ("optional", "save", "it is about a saved value, and none is saved",
     "add save=, or remove optional"),
    ("secret", "save", "it is about a saved value, and none is saved",
     "add save=, or remove secret"),
)  # fmt: skip


def faults(block: Block, said: Mapping[str, Any], phase: Phase, of: str | None) -> Iterator[Fault]:
    """Everything; `said` is what the attributes were read as, without those that cannot be read."""
    yield from _needs(block, said)
    yield from _phases(block, said, phase, of)
    if block.kind == "approval" and said.get("on-fail") in {"continue", "ask"}:
        told = f"on-fail={said['on-fail']} would let a run go on after a no"
        yield Fault(told, "remove it: an approval that is refused ends the run", "on-fail")
    yield from _times(block, said)
    if said.get("expect") is not None and said["expect"] == said.get("reject"):
        yield Fault("it expects and rejects the same", "remove one of the two", "reject")
    if said.get("secret"):
        yield from _secret(said)
    yield from _body(block, said)


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
    yield from meant.phase_faults(block.has)
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


def _secret(said: Mapping[str, Any]) -> Iterator[Fault]:
    """What would tell a saved secret, or look for it where it is not written."""
    for name in ("expect", "reject"):
        if name in said:
            told = f"{name}= looks at the output, and what a step with secret writes is not in it"
            yield Fault(told, "remove it, and let the step fail by itself", name)
    for one in said.get("assert", ()):
        if one.subject in {"value", said.get("save")}:
            told = f"assert: {one.subject} is secret, and the message would tell it"
            yield Fault(told, "remove it, and let the step fail by itself", "assert")
    if "each" in said:
        told = "what a repeated step saves for each item cannot be kept secret"
        yield Fault(told, "save it in a step of its own", "secret")


def _body(block: Block, said: Mapping[str, Any]) -> Iterator[Fault]:
    words = block.body.split()
    first = block.body.strip().partition("\n")[0].strip()
    if block.kind == "check" and len(words) != 1:
        told = f"it names {len(words)} checks" if words else "it names no check"
        yield Fault(told, "write one check's id, or $param, in each check step")
    elif not words:
        yield Fault("it is empty", "write what is to be done, or remove it")
    elif block.kind == "wait":
        yield from _wait(block.body, said.get("timeout"))
    elif block.kind in language.QUERIES:
        yield from _query(block)
    elif block.kind == "run":
        yield from _call(block.body, first)


def _query(block: Block) -> Iterator[Fault]:
    """A text that can be taken apart, and speaks with whom the step says that it does."""
    try:
        queries.uses(block.kind, block.body)
        written = queries.http.parse(block.body) if block.kind == "http" else None
    except ValueError as error:
        message, _, remedy = str(error).partition("; ")
        yield Fault(message, remedy)
        return
    on = "on" in block.has.values
    if written is not None and on and written.scheme:
        remedy = "write the path alone, such as GET /v1/orders"
        yield Fault("on= says with whom it speaks, and so does its address", remedy, "on")
    elif written is not None and not on and not written.scheme:
        told = f"{written.path[:60]!r} is a path, and nothing says on which target"
        yield Fault(told, "add on= with a target, or write the whole address")


def _wait(text: str, timeout: timedelta | None) -> Iterator[Fault]:
    try:
        awaited = waits.parse(text)
    except ValueError as error:
        message, _, remedy = str(error).partition("; ")
        yield Fault(message, remedy)
    else:
        if isinstance(awaited, waits.For) and timeout and timeout < awaited.span:
            told = "its timeout is shorter than the time it waits"
            yield Fault(told, "raise timeout=, or remove it", "timeout")


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
