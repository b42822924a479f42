"""One element against itself, key by key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from opsbook.revisions.plan.model import N_, Change
from opsbook.revisions.plan.pair import Pair
from opsbook.revisions.plan.values import Leaf, Path, dotted


def keys(
    pair: Pair, section: str, id: str, was: Mapping[Path, Leaf], now: Mapping[Path, Leaf]
) -> Iterator[Change]:
    """Yield each key whose value is new, gone or another one; the key ``""`` is the element."""
    for path in dict.fromkeys([*now, *was]):
        before, after = was.get(path), now.get(path)
        if before == after:
            continue
        key = dotted(path)
        name = ".".join(filter(None, ("" if section == "book" else section, id, key)))
        values = {
            "key": name,
            "before": before.shown if before is not None else "",
            "after": after.shown if after is not None else "",
        }
        if after is None:
            template = N_("%(key)s is no longer set (it was %(before)s).")
        elif before is None:
            template = N_("%(key)s is %(after)s; it was not set before.")
        elif before.shown == after.shown:
            template = N_("%(key)s was changed.")
        else:
            template = N_("%(key)s is %(after)s instead of %(before)s.")
        yield pair.tell(section, id, template, values, keys=[key], at=path)
