"""What the commands that answer a run have in common: ask, then say how the run stands."""

from __future__ import annotations

from typing import Any

from opsbook.cli import output, server, waits


def answer(
    data: str | None, form: str, run: int, how: str, body: dict[str, Any], sentence: str
) -> None:
    """Send an answer to a run and show what became of it."""
    after = server.find(data).post(f"/runs/{run}/{how}", body)
    if form == "json":
        output.as_json(after)
        return
    output.say(sentence.format(id=run, **body))
    waits.show(after)
