"""Who may do what: roles, what they allow, and who holds them, by the account that signs in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from opsbook.book import Book
from opsbook.book.sections.people import Permission
from opsbook.revisions.plan.model import N_, Change
from opsbook.revisions.plan.pair import Pair


def changes(pair: Pair) -> Iterator[Change]:
    """Yield what people may do now and could not before, and the other way round."""
    yield from _oneself(pair)
    for role in dict.fromkeys([*pair.new.roles, *pair.old.roles]):
        yield from _role(pair, role)
    held = {role for book in (pair.old, pair.new) for one in book.people.values()
            for role in one.roles}  # fmt: skip
    for role in sorted(held):
        yield from _holders(pair, role)


def _oneself(pair: Pair) -> Iterator[Change]:
    if pair.old.self_approval == pair.new.self_approval:
        return
    loosens = pair.new.self_approval == "record"
    template = (
        N_("People may approve their own work from now on; it is recorded.")
        if loosens
        else N_("Nobody may approve their own work any more.")
    )
    yield pair.tell("book", "self_approval", template, keys=["*"], loosens=loosens)


def _role(pair: Pair, role: str) -> Iterator[Change]:
    had, given = pair.old.roles.get(role, ()), pair.new.roles.get(role, ())
    people = ", ".join(sorted(holders(pair.new, role).values()))
    if people and (more := _beyond(given, had)):
        yield pair.tell(
            "roles", role, N_("The role %(id)s may do more: %(permissions)s (held by %(people)s)."),
            {"permissions": more, "people": people}, loosens=True,
            kind="changed" if role in pair.old.roles else "added", keys=["", "*"],
        )  # fmt: skip
    was = ", ".join(sorted(holders(pair.old, role).values()))
    if was and (less := _beyond(had, given)):
        yield pair.tell(
            "roles", role,
            N_("The role %(id)s may do less: not %(permissions)s (held by %(people)s)."),
            {"permissions": less, "people": was},
            kind="changed" if role in pair.new.roles else "removed", keys=["", "*"],
        )  # fmt: skip


def _beyond(given: Iterable[Permission], had: tuple[Permission, ...]) -> str:
    more = [str(one) for one in given if not any(old.allows(one.area, one.level) for old in had)]
    return ", ".join(more)


def _holders(pair: Pair, role: str) -> Iterator[Change]:
    was, now = holders(pair.old, role), holders(pair.new, role)
    for login, id in sorted(now.items()):
        if login not in was:
            yield pair.tell(
                "people", id, N_("%(id)s (account %(account)s) is given the role %(role)s."),
                {"account": login, "role": role}, loosens=True, keys=["roles", "account"],
                kind="changed" if id in pair.old.people else "added",
            )  # fmt: skip
    for login, id in sorted(was.items()):
        if login not in now:
            yield pair.tell(
                "people", id, N_("%(id)s (account %(account)s) loses the role %(role)s."),
                {"account": login, "role": role}, keys=["roles", "account"],
                kind="changed" if id in pair.new.people else "removed",
            )  # fmt: skip


def holders(book: Book, role: str) -> dict[str, str]:
    """The accounts that hold a role, and whom the book calls each."""
    return {person.login: id for id, person in book.people.items() if role in person.roles}
