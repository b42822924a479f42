"""What goes quiet, and what is heard again: the whole book, routes, inhibitions."""

from __future__ import annotations

from collections.abc import Iterator

from opsbook.book.matchers import Matchers
from opsbook.book.sections.routing import Inhibition, Route
from opsbook.revisions.plan.model import N_, Change
from opsbook.revisions.plan.pair import Pair
from opsbook.revisions.plan.values import Path, dotted


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
    if pair.old.routing is not None and pair.new.routing is not None:
        yield from _route(pair, pair.old.routing, pair.new.routing, ())
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
    return {"while": _told(one.sources), "mutes": _told(one.targets) + same}


def _told(matchers: Matchers) -> str:
    plain = (f"{one.name}={one.value}" if one.op == "=" else str(one) for one in matchers)
    return " ".join(plain) or "*"


def _route(pair: Pair, was: Route, now: Route, path: Path) -> Iterator[Change]:
    """A route at the place where it stood, if it is for the same alerts; else the keys tell it."""
    if was.conditions != now.conditions:
        return
    match = _told(now.conditions)

    def tell(template: str, key: str, **values: str) -> Change:
        at = (*path, key)
        return pair.tell(
            "book", "routing", template, {"match": match, **values}, keys=[dotted(at)], at=at,
            soon=True,
        )  # fmt: skip

    if was.mute != now.mute:
        if not now.mute:
            template = N_("Alerts with %(match)s are no longer muted in the hours %(before)s.")
        else:
            template = N_("Alerts with %(match)s are muted in the hours %(after)s.")
        yield tell(template, "mute", before=", ".join(was.mute), after=", ".join(now.mute))
    if was.active != now.active:
        if not now.active:
            template = N_(
                "Alerts with %(match)s are told always, not only in the hours %(before)s."
            )
        else:
            template = N_("Alerts with %(match)s are told only in the hours %(after)s.")
        yield tell(template, "active", before=", ".join(was.active), after=", ".join(now.active))
    if was.as_ != now.as_:
        template = (
            N_("Alerts with %(match)s open no incident any more: they only tell.")
            if now.as_ == "notify"
            else N_("Alerts with %(match)s open an incident and page.")
        )
        yield tell(template, "as")
    for n, (left, right) in enumerate(zip(was.routes, now.routes, strict=False)):
        yield from _route(pair, left, right, (*path, "routes", n))
