"""Who may approve: decided from values, without a database or a clock of its own.

The order of the rules is part of the promise. What a program may never do comes first, then who the
voter is (a stranger learns nothing about the state), then whether there is still something to
decide, and last whether they are excluded. Rejecting is never excluded: a "no" changes nothing in
the world, and whoever started something may always take it back.

Refused: letting an excluded person's vote count "a little" (as one of two). Under ``forbid`` it is
no vote; under ``record`` it is a whole one, and everybody can see whose.

Several accounts may be one person (``links.one_person``): whoever makes a sign-in link for another
holds both. An approval asks people and not accounts, so what one of them may not none of them may,
and what one of them has said is said. ``Voter.one_person`` are the accounts that are the voter's
now; ``Vote.persons`` those that were the giver's when a vote was given, since closing the session
that a link opened must not make two voices of one.

A yes can be taken back while others are still waited for (``taken_back``), by whoever gave it and
whatever has become of their role since: fewer yeses let nothing happen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from opsbook.access.errors import NotApproved, Settled, written

Decision = Literal["approve", "reject"]
State = Literal["open", "approved", "rejected", "expired", "void"]
USUAL: Final = "runs:write"
"""What an approval takes that names neither a role nor a permission."""

BECAUSE: Final[Mapping[str, str]] = {
    "started": "they started it",
    "triggered": "it runs because of them",
    "edited": "they set its parameters",
    "authored": "they wrote this revision of the book",
    "steers": "they steer it",
    "linked": "they count as one person, by a sign-in link, with somebody who takes part in it",
}
"""Why somebody is excluded, as a half sentence about them."""


@dataclass(frozen=True)
class Asked:
    """What is to be approved, by any of ``roles`` (or whoever has ``permission`` where none is).

    ``excluded`` maps accounts to why (a key of ``BECAUSE``).

    ``record`` allows an excluded person to approve, on record: true only where both the book at the
    time of asking and the book running now say so.
    """

    state: State
    roles: tuple[str, ...]
    need: int
    excluded: Mapping[int, str]
    record: bool
    expires_at: datetime | None
    settled_at: datetime | None = None
    permission: str = USUAL


@dataclass(frozen=True)
class Voter:
    """Who wants to vote. ``entitled`` is whether the role (or the permission) is theirs today.

    ``one_person`` are the accounts that count as one person with theirs, itself included.
    """

    account_id: int | None
    login: str
    acts_for_person: bool
    enabled: bool
    entitled: bool
    one_person: frozenset[int]


@dataclass(frozen=True)
class Vote:
    """One vote that was given, and the other accounts that were the same person's at that time."""

    account_id: int
    decision: Decision
    persons: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Ruling:
    """An accepted vote: the state it leads to, and whether it was given to one's own work."""

    state: State
    by_oneself: bool


def rule(
    asked: Asked, voter: Voter, votes: Iterable[Vote], decision: Decision, now: datetime
) -> Ruling:
    """Accept a vote, or say why not.

    Raises:
        NotApproved: the voter may not; with who is excluded, why, and what to do.
        Settled: there is nothing left to decide, or the voter has approved already.
    """
    given = [vote for vote in votes if vote.decision == "approve"]
    yes = len(given)
    _may_vote(asked, voter)
    _is_open(asked, now)
    part = taking_part(asked.excluded, voter)
    if decision == "reject":
        return Ruling("rejected", part is not None)
    oneself = part is not None
    if part is not None and not asked.record:
        why = asked.excluded[part] if part == voter.account_id else "linked"
        raise NotApproved(
            f"{voter.login} may not approve this: {because(why)}, "
            "and the book forbids approving one's own work.",
            remedy=_who_can(asked, "Ask somebody else"),
            reason="excluded",
            why=why,
        )
    if (mine := next((one for one in given if said(one, voter.one_person)), None)) is not None:
        raise Settled(
            f"{voter.login} has approved this already; {yes} of {asked.need} did."
            if mine.account_id == voter.account_id
            else f"{voter.login} counts as one person, by a sign-in link, with somebody who has "
            f"approved this already; {yes} of {asked.need} did.",
            remedy=_who_can(asked, "It waits for somebody else"),
            reason="twice",
            state=asked.state,
        )
    return Ruling("approved" if yes + 1 >= asked.need else "open", oneself)


def taken_back(asked: Asked, voter: Voter, votes: Iterable[Vote], now: datetime) -> None:
    """Accept that somebody takes their yes back, or say why not.

    Raises:
        NotApproved: the voter is no person, or may not act as one here.
        Settled: there is nothing left to decide, or there is no yes of theirs.
    """
    _acts_for_somebody(asked, voter)
    _is_open(asked, now)
    given = {one.account_id for one in votes if one.decision == "approve"}
    if voter.account_id not in given:
        raise Settled(
            f"{voter.login} has not approved this, so there is nothing to take back.",
            remedy="Reload the page to see how it stands.",
            reason="none",
            state=asked.state,
        )


def taking_part(excluded: Collection[int], voter: Voter) -> int | None:
    """Return the account by which somebody takes part: their own, or one of theirs by a link."""
    if voter.account_id in excluded:
        return voter.account_id
    return min(voter.one_person.intersection(excluded), default=None)


def said(vote: Vote, one_person: Collection[int]) -> bool:
    """Tell whether one of these accounts gave a vote, or somebody who was one person with it."""
    return vote.account_id in one_person or not vote.persons.isdisjoint(one_person)


def roles_of(column: str | None) -> tuple[str, ...]:
    """Return the roles that a column names: one or several, with commas between them.

    (No id of a book has a comma in it.) None of them is nobody in particular.
    """
    return tuple(one.strip() for one in (column or "").split(",") if one.strip())


def as_column(roles: Iterable[str]) -> str | None:
    """Return how a column names these roles."""
    return ",".join(roles) or None


def because(reason: str) -> str:
    """Return why somebody is excluded, as a half sentence."""
    return BECAUSE.get(reason, BECAUSE["started"])


def _may_vote(asked: Asked, voter: Voter) -> None:
    _acts_for_somebody(asked, voter)
    if not voter.entitled:
        wanted = _wanted(asked.roles) if asked.roles else f"the permission {asked.permission}"
        raise NotApproved(
            f"{voter.login} may not decide this: it takes {wanted}, which they do not have.",
            remedy=_who_can(asked, "Ask somebody"),
            reason="role",
        )


def _acts_for_somebody(asked: Asked, voter: Voter) -> None:
    if voter.account_id is None:
        raise NotApproved(
            "A program on this machine can never approve: the local token acts for no person.",
            remedy="Approve at the web page, or with a personal token of scope approve "
            "(OPSBOOK_TOKEN).",
            reason="program",
        )
    if not voter.acts_for_person:
        raise NotApproved(
            f"{voter.login} may not approve with this token or session: "
            "it is without the scope approve.",
            remedy="Approve at the web page, or make a token with that scope.",
            reason="scope",
        )
    if not voter.enabled:
        raise NotApproved(
            f"The account {voter.login} is disabled.",
            remedy=_who_can(asked, "Ask somebody else"),
            reason="disabled",
        )


def _is_open(asked: Asked, now: datetime) -> None:
    late = asked.expires_at is not None and asked.expires_at <= now
    state = "expired" if asked.state == "open" and late else asked.state
    if state == "open":
        return
    at = asked.expires_at if state == "expired" else asked.settled_at
    when = f" ({written(at)})" if at is not None else ""
    say = {
        "approved": f"This was approved already{when}.",
        "rejected": f"This was rejected{when}.",
        "expired": f"Nobody decided in time: the approval expired{when}.",
        "void": f"What was asked has changed, or is not wanted any more{when}.",
    }
    remedy = "Nothing is left to decide." if state == "approved" else "Start it again if needed."
    raise Settled(say[state], remedy=remedy, reason=state, state=state)


def _who_can(asked: Asked, begin: str) -> str:
    if asked.roles:
        return f"{begin} with {_wanted(asked.roles)}."
    return f"{begin} who has {asked.permission}."


def _wanted(roles: Iterable[str]) -> str:
    return f"the role {' or '.join(roles)}"
