"""What a step that succeeded has given out: read from its folder, selected, judged.

The files lie in a folder of the step's own, so they may be anything by now: a link to a file of
the server's, a pipe, a gigabyte. They count only as plain files that the step's user owns, and only
so much of them is read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from opsbook.base.errors import OpsbookError
from opsbook.book import Step
from opsbook.runs import judging
from opsbook.runs.kinds.captured import SAVED_FILE
from opsbook.runs.supervisor import Outcome

FACTS_FILE: Final = "home/facts.json"
OUTPUT_FILE: Final = "output.bin"
MOST_SAVED: Final = 64 * 1024
MOST_READ: Final = 4 * 1024 * 1024


class NotSaved(OpsbookError):
    """What the step gave out cannot be saved."""


@dataclass(frozen=True, slots=True)
class Out:
    """The value to be saved, and what is wrong; an empty text for nothing."""

    saved: str | None = None
    fault: str = ""


def asked(step: Step) -> bool:
    """Whether anything has to be looked at once such a step has succeeded."""
    return bool(
        step.save or step.asserts or step.within is not None or judging.asks_for_output(step)
    )


def out(
    step: Step, variables: Mapping[str, str], scratch: Path, owner: int | None, outcome: Outcome
) -> Out:
    """Return what a step gave out, and whether that is what it must be; blocks."""
    try:
        value = _value(step, scratch, owner) if judging.asks_for_value(step) else None
        facts = _facts(scratch, owner) if step.asserts else {}
        text = _output(scratch) if judging.asks_for_output(step) else ""
        took = timedelta(seconds=outcome.duration_s)
        seen = judging.Seen(took, text, outcome.bytes_dropped, value, facts)
        if fault := judging.fault(step, seen, variables):
            return Out(None, fault)
        if step.save is not None and not value and not step.optional:
            raise NotSaved("it saved an empty value, and it is not `optional`")
    except NotSaved as error:
        return Out(None, error.message)
    return Out(value if step.save is not None else None)


def _value(step: Step, scratch: Path, owner: int | None) -> str:
    data = _read(scratch / SAVED_FILE, owner, MOST_SAVED if step.json is None else MOST_READ)
    if b"\0" in data:
        raise NotSaved("it wrote a NUL character, which no variable can hold")
    try:
        text = data.decode().strip()
    except UnicodeDecodeError as error:
        raise NotSaved(f"it wrote no UTF-8 text: {error.reason} at byte {error.start}") from error
    if step.json is None:
        return text
    try:
        text = judging.select(step.json, text)
    except judging.NotFound as error:
        raise NotSaved(str(error)) from None
    if wrong := judging.no_text(text):
        raise NotSaved(f"what json={step.json} finds cannot be saved: {wrong}")
    if len(text.encode()) > MOST_SAVED:
        raise NotSaved(f"what json={step.json} finds is longer than {MOST_SAVED // 1024} KiB")
    return text


def _facts(scratch: Path, owner: int | None) -> dict[str, str]:
    try:
        found = judging.read_json(_read(scratch / FACTS_FILE, owner, MOST_SAVED) or b"{}")
    except judging.TooDeep as error:
        raise NotSaved(f"what it wrote to {FACTS_FILE} cannot be read: {error}") from None
    except (ValueError, NotSaved):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: one for name, one in found.items() if isinstance(one, str)}


def _read(file: Path, owner: int | None, most: int) -> bytes:
    """A file of the step's own; nothing where there is none.

    Raises:
        NotSaved: it is too long, or no plain file that the step's user owns.
    """
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise NotSaved(f"its stdout is no file of its own: {error.strerror}") from error
    with os.fdopen(handle, "rb") as opened:
        found = os.fstat(handle)
        ours = os.geteuid() if owner is None else owner
        if not stat.S_ISREG(found.st_mode) or found.st_uid != ours or found.st_nlink != 1:
            raise NotSaved("its stdout is no file of its own")
        data = opened.read(most + 1)
    if len(data) > most:
        raise NotSaved(f"it wrote more than {most // 1024} KiB, too much to be saved")
    return data


def _output(scratch: Path) -> str:
    """All that was kept of its output. The keeper wrote it: no step can reach it."""
    try:
        with (scratch / OUTPUT_FILE).open("rb") as file:
            return file.read(MOST_READ).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
