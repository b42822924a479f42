"""What goes quiet, and what is heard again: the whole book, and inhibitions."""

from __future__ import annotations

from collections.abc import Iterator

from opsbook.book.sections.routing import Inhibition
from opsbook.revisions.plan.model import N_, Change
from opsbook.revisions.plan.pair import Pair
from opsbook.revisions.plan.telling import told


def changes(pair: Pair) -> Iterator[Change]:
    """Yield what will no longer be told, or be told again."""
    if pair.old.status != pair.new.status:
        stops = pair.new.status == "draft"
        template = (
            N_("Everything stops: the book is a draft. No check looks, no alert fires, nobody is "
               "paged, no routine starts.")
            if stops
            else N_("Everything starts: the book is no draft any more. Checks look, alerts page, "
                    "routines start.")
        )  # fmt: skip
        yield pair.tell("book", "status", template, keys=["*"], soon=True)
    for id, one in pair.added("inhibitions"):
        yield pair.tell(
            "inhibitions", id, N_("%(id)s: while %(while)s fires, %(mutes)s is kept quiet."),
            _labels(one), kind="added", keys=["*"], soon=True,
        )  # fmt: skip
    for id, one in pair.removed("inhibitions"):
        yield pair.tell(
            "inhibitions", id,
            N_("%(id)s is gone: %(mutes)s is told again even while %(while)s fires."),
            _labels(one), kind="removed", keys=["*"], soon=True,
        )  # fmt: skip
    for id, was, now in pair.kept("inhibitions"):
        if (was.sources, was.targets, was.equal) != (now.sources, now.targets, now.equal):
            yield pair.tell(
                "inhibitions", id,
                N_("%(id)s: while %(while)s fires, %(mutes)s is kept quiet (before: %(was_mutes)s "
                   "while %(was_while)s)."),
                {**_labels(now), **{f"was_{name}": text for name, text in _labels(was).items()}},
                keys=["while", "mutes", "equal"], soon=True,
            )  # fmt: skip


def _labels(one: Inhibition) -> dict[str, str]:
    same = f" (={', '.join(one.equal)})" if one.equal else ""
    return {"while": told(one.sources), "mutes": told(one.targets) + same}
