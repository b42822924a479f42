"""With what steps are let in where they work, and to whom that is shown.

Every approval of a change ends at what the credential lets in: a script that only reads may be
started by nobody, and can do what its credential can. A reference does not say how much it opens,
so that another one counts as loosening, and so does a new target that comes with one, and the same
credential at another address. What is only taken away does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from opsbook.book.sections.checks import Check
from opsbook.book.sections.targets import Credential, Target
from opsbook.revisions.plan.model import N_, Change
from opsbook.revisions.plan.pair import Pair

ANOTHER: Final = {
    "read": N_("Steps that only read on %(id)s are let in with something else: %(after)s."),
    "change": N_(
        "Steps that change something on %(id)s are let in with something else: %(after)s."
    ),
}
LESS: Final = {
    "read": N_("Steps that only read on %(id)s are let in with less: not %(before)s."),
    "change": N_("Steps that change something on %(id)s are let in with less: not %(before)s."),
}

PLACES: Final = ("url", "host", "port", "verify", "ca", "run")
"""Fields of a check that say whom its secrets are shown to."""


def changes(pair: Pair) -> Iterator[Change]:
    """Yield what steps on each target are let in with now and were not before."""
    for id, target in pair.added("targets"):
        if given := {*_held(target.read), *_held(target.change)}:
            yield pair.tell(
                "targets", id, N_("Steps are let in at %(id)s, which is new, with: %(after)s."),
                {"after": _listed(given)}, kind="added", keys=["*"], loosens=True,
            )  # fmt: skip
    for id, was, now in pair.kept("targets"):
        yield from _credential(pair, id, "read", was.read, now.read)
        yield from _credential(pair, id, "change", was.change, now.change)
        yield from _address(pair, id, was, now)
    yield from _checks(pair)


def _credential(
    pair: Pair, id: str, effect: str, before: Credential | None, after: Credential | None
) -> Iterator[Change]:
    was, now = _held(before), _held(after)
    if was == now:
        return
    more = now - was
    template = ANOTHER[effect] if more else LESS[effect]
    values = {"before": _listed(was - now), "after": _listed(more)}
    at = (effect,) if after is not None else ()
    yield pair.tell("targets", id, template, values, keys=[effect], at=at, loosens=bool(more))


def _address(pair: Pair, id: str, was: Target, now: Target) -> Iterator[Change]:
    for key in ("url", "path", "executor", "environment", "programs"):
        if getattr(was, key) != getattr(now, key) and (_held(now.read) or _held(now.change)):
            yield pair.tell(
                "targets", id,
                N_("The credentials for %(id)s are used in another place: its %(key)s differs."),
                {"key": key}, keys=[key], at=(key,), loosens=True,
            )  # fmt: skip


def _checks(pair: Pair) -> Iterator[Change]:
    """The same of checks that bring references of their own, and look where the book says."""
    for id, check in pair.added("checks"):
        if given := _referred(check):
            yield pair.tell(
                "checks", id, N_("The check %(id)s, which is new, is let in with: %(after)s."),
                {"after": _listed(given)}, kind="added", keys=["*"], loosens=True,
            )  # fmt: skip
    for id, was, now in pair.kept("checks"):
        held = _referred(now)
        if more := held - _referred(was):
            yield pair.tell(
                "checks", id, N_("The check %(id)s is let in with something else: %(after)s."),
                {"after": _listed(more)}, loosens=True,
            )  # fmt: skip
        for key in PLACES if held else ():
            before, after = (getattr(one.spec, key, None) for one in (was, now))
            if before != after:
                yield pair.tell(
                    "checks", id,
                    N_(
                        "What lets the check %(id)s in is used in another place: "
                        "its %(key)s differs."
                    ),
                    {"key": key}, keys=[key], at=(key,), loosens=True,
                )  # fmt: skip


def _referred(check: Check) -> set[str]:
    """The secrets that a check refers to itself."""
    references = getattr(check.spec, "references", None)
    return set(references()) if callable(references) else set()


def _held(credential: Credential | None) -> set[str]:
    """What a credential consists of, each part with its name: references, never secrets."""
    if credential is None:
        return set()
    found = {f"{name}={one}" for name, one in credential.environment.items()}
    found |= {f"{name}={one} (file)" for name, one in credential.files.items()}
    found |= {f"{name}: {one}" for name, one in credential.headers.items()}
    if credential.user is not None:
        found.add(f"user {credential.user}")
    if credential.password is not None:
        found.add(f"password {credential.password}")
    return found


def _listed(parts: set[str]) -> str:
    return ", ".join(sorted(parts))
