"""An engine in a process of its own, started to be killed: `… FOLDER MOMENT [DATABASE]`.

It publishes the book in FOLDER/runbook.md, starts its runbook, and dies by SIGKILL at the moment
that is named, or lives until somebody else kills it. What stands before a moment is patched here;
nothing in the product knows of it.
"""

import asyncio
import sys
from pathlib import Path

from opsbook.access import approvals
from opsbook.runs import engine, outcomes
from opsbook.runs.journal import Story
from opsbook.runs.supervisor import Spawner
from tests.support.dying_server import dies
from tests.support.runs import Stage, book

KEY = "two"


def before_spawn() -> None:
    """The intent is on disk, and nothing was started."""
    dies(Spawner, "spawn", lambda _self, request: request.env["OPSBOOK_STEP"] == KEY)


def before_commit() -> None:
    """The step has ended and its outcome lies in its folder; the journal does not know."""
    dies(outcomes, "enter", lambda _story, key, _result: key == KEY)


def between_steps() -> None:
    """The outcome of one step and the intent of the next are being written, together."""
    dies(Story, "intend", lambda _self, key, _hand: key == "three")


def before_it_hears() -> None:
    """Somebody has approved; the run does not know yet."""
    dies(engine.Engine, "_answered", lambda _, tx, event, now: event.kind == "approval.decided")


CALLS = (before_spawn, before_commit, between_steps, before_it_hears)
MOMENTS = {call.__name__: call for call in CALLS}


async def main(folder: Path, moment: str, url: str = "") -> None:
    """Run until killed."""
    if moment in MOMENTS:
        MOMENTS[moment]()
    async with Stage(folder, url) as stage:
        text = (folder / "runbook.md").read_text()
        await stage.publish(book(text, file=stage.work / "size"))
        run = await stage.begin(by="operator")
        if moment == "before_it_hears":
            await stage.settle()
            asked = (await stage.waits(run))[0]["approval_id"]
            officer, shop = await stage.person("officer"), stage.library.current("shop")
            # As somebody does who is no front door of runs: only the event tells of it.
            await stage.act(approvals.decide, asked, officer, shop, "approve")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
