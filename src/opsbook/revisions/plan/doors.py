"""What comes in from outside, the times that routes speak of, and signs of life to the outside."""

from __future__ import annotations

from collections.abc import Iterator

from opsbook.base.quantities import format_duration
from opsbook.book.sections.intakes import Intake
from opsbook.book.sections.routing import TimeInterval
from opsbook.revisions.plan.model import N_, Change
from opsbook.revisions.plan.pair import Pair


def changes(pair: Pair) -> Iterator[Change]:
    """Yield which doors open and close, and which times are others."""
    for id, intake in pair.added("intakes"):
        yield pair.tell(
            "intakes", id, N_("%(id)s is a new intake: %(kind)s may hand in alerts."),
            {"kind": intake.kind}, kind="added", keys=["*"], soon=True,
        )  # fmt: skip
    for id, intake in pair.removed("intakes"):
        yield pair.tell(
            "intakes", id, N_("%(id)s is gone: %(kind)s cannot hand in alerts by it any more."),
            {"kind": intake.kind}, kind="removed", keys=["*"], soon=True,
        )  # fmt: skip
    for id, was, now in pair.kept("intakes"):
        yield from _intake(pair, id, was, now)
    for id, was, now in pair.kept("time_intervals"):
        if _ranges(was) != _ranges(now):
            yield pair.tell(
                "time_intervals", id, N_("%(id)s holds at %(after)s instead of %(before)s."),
                {"before": _ranges(was), "after": _ranges(now)}, keys=["ranges"], at=("ranges",),
                soon=True,
            )  # fmt: skip
    yield from _heartbeats(pair)


def _intake(pair: Pair, id: str, was: Intake, now: Intake) -> Iterator[Change]:
    def tell(key: str, template: str, before: str = "", after: str = "") -> Change:
        return pair.tell(
            "intakes", id, template, {"before": before, "after": after}, keys=[key], at=(key,),
            soon=True,
        )  # fmt: skip

    if was.kind != now.kind:
        template = N_("%(id)s is spoken to by %(after)s instead of %(before)s.")
        yield tell("kind", template, was.kind, now.kind)
    if was.token != now.token:
        template = (
            N_("%(id)s asks for no secret any more: only this machine may hand in alerts there.")
            if now.token is None
            else N_("%(id)s asks for another secret: what stands in %(after)s.")
        )
        yield tell("token", template, str(was.token), str(now.token))
    if was.default != now.default:
        template = (
            N_("%(id)s is what answers under /api/v2.")
            if now.default
            else N_("%(id)s no longer answers under /api/v2.")
        )
        yield tell("default", template)
    for word in dict.fromkeys([*now.severities, *was.severities]):
        before, after = was.severities.get(word), now.severities.get(word)
        if before != after:
            yield pair.tell(
                "intakes", id,
                N_("What comes in by %(id)s as %(word)s is %(after)s instead of %(before)s."),
                {"word": word, "before": before or "–", "after": after or "–"},
                keys=[f"severities.{word}"], at=("severities", word), soon=True,
            )  # fmt: skip
    if was.severity != now.severity:
        template = N_(
            "What comes in by %(id)s without a word for it is %(after)s instead of %(before)s."
        )
        yield tell("severity", template, was.severity or "–", now.severity or "–")
    if was.resolve_after != now.resolve_after:
        yield tell(
            "resolve_after",
            N_("What comes in by %(id)s and is not repeated is over after %(after)s instead of "
               "%(before)s."),
            format_duration(was.resolve_after), format_duration(now.resolve_after),
        )  # fmt: skip


def _ranges(one: TimeInterval) -> str:
    """Return its ranges as the book writes them: ``monday:friday 09:00-18:00; sunday``."""
    return "; ".join(
        " ".join(
            ",".join(map(str, spans))
            for spans in (each.years, each.months, each.days_of_month, each.weekdays, each.times)
            if spans
        )
        + (f" ({each.timezone})" if each.timezone is not None else "")
        for each in one.ranges
    )


def _heartbeats(pair: Pair) -> Iterator[Change]:
    for id, one in pair.added("heartbeats"):
        yield pair.tell(
            "heartbeats", id, N_("%(id)s is told every %(every)s that Opsbook lives."),
            {"every": format_duration(one.every)}, kind="added", keys=["*"], soon=True,
        )  # fmt: skip
    for id, _ in pair.removed("heartbeats"):
        yield pair.tell(
            "heartbeats", id,
            N_("%(id)s is no longer told that Opsbook lives; whoever watches there will miss it."),
            kind="removed", keys=["*"], soon=True,
        )  # fmt: skip
    for id, was, now in pair.kept("heartbeats"):
        if was.every != now.every:
            yield pair.tell(
                "heartbeats", id,
                N_("%(id)s is told every %(after)s instead of every %(before)s that Opsbook "
                   "lives."),
                {"before": format_duration(was.every), "after": format_duration(now.every)},
                keys=["every"], at=("every",), soon=True,
            )  # fmt: skip
