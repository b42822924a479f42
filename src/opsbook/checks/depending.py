"""Which checks are behind a failed one: values in, values out.

A check that depends on a failed one is still looked at, and its alerts fire and end; they only
page nobody while what explains them is known. Failed is critical, and no data too: who cannot see
whether the network is up learns nothing from everything behind it. A check that is paused has not
failed, whatever it saw last.

The mark follows the dependency and not the check's own state: a pager must know beforehand that
what may come next has its explanation.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

FAILED = frozenset({"critical", "nodata"})


def behind(depends: Mapping[str, Sequence[str]], failed: Collection[str]) -> dict[str, str]:
    """Return for each check that is behind a failed one the nearest of these.

    Of several equally near, the one that `depends` has first. Followed from the failed ones
    outwards, so each dependency is looked at once, however long the chains are.
    """
    dependents: dict[str, list[str]] = {}
    for check, wanted in depends.items():
        for one in wanted:
            dependents.setdefault(one, []).append(check)
    found: dict[str, str] = {}
    edge = [(check, check) for check in depends if check in failed]
    while edge:
        further = []
        for check, cause in edge:
            for one in dependents.get(check, ()):
                if one not in found and one != cause:
                    found[one] = cause
                    if one not in failed:
                        further.append((one, cause))
        edge = further
    return found
