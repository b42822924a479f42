"""A server that publishes one edit and is killed by SIGKILL at a named moment: run as a program.

    python dying_editor.py MOMENT DATA BOOK

Patches the function that the moment stands at; nothing in the product knows of this.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from opsbook.book.library import Library
from opsbook.revisions import intents, publishing, writing
from opsbook.revisions.remote import Remote
from opsbook.settings import one_book
from tests.revisions.making import CHECKS, DEPLOY, House

LINE = CHECKS.replace("Queue", "Line")
SOON = DEPLOY.replace("echo applied", "echo done")
EDIT = {"checks.yaml": LINE, "runbooks/deploy.md": SOON}


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def at(owner: Any, name: str, when: Callable[..., bool] = lambda *_, **__: True) -> None:
    original = getattr(owner, name)

    def dying(*args: Any, **more: Any) -> Any:
        if when(*args, **more):
            die()
        return original(*args, **more)

    setattr(owner, name, dying)


def after(owner: Any, name: str) -> None:
    original = getattr(owner, name)

    def dying(*args: Any, **more: Any) -> None:
        original(*args, **more)
        die()

    setattr(owner, name, dying)


def edited(*args: Any, **more: Any) -> bool:
    book = more["candidate"].book if "candidate" in more else args[-1]
    return book.files["checks.yaml"] == LINE


def second(_root: Path, change: writing.FileChange) -> bool:
    return change.path == "runbooks/deploy.md"


MOMENTS: dict[str, Callable[[], None]] = {
    "before_any_file": lambda: at(writing, "to_folder"),
    "between_two_files": lambda: at(writing, "_write", second),
    "before_the_commit": lambda: at(writing, "commit"),
    "before_it_is_published": lambda: at(publishing, "settle", edited),
    "before_it_is_remembered": lambda: at(Library, "remember", edited),
    "before_the_push": lambda: at(Remote, "push"),
    "after_the_push": lambda: after(Remote, "push"),
    "after_the_intent": lambda: at(intents, "signature"),
}


async def main(moment: str, data: str, book: str) -> None:
    house = House(Path(data), (one_book(book),))
    await house.up()
    number = await house.draft("editor", dict(EDIT))
    MOMENTS[moment]()
    await house.publish(number, "editor", "both")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
