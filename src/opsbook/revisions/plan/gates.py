"""What must be asked for, when it may happen, and what the registers allow.

Every element that names whose yes it needs, whatever its section; then the fields that let
something happen later, longer, more often or without being asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from opsbook.base.quantities import format_duration
from opsbook.book import Book
from opsbook.book.refs import Approval
from opsbook.book.sections.changes import Freeze
from opsbook.revisions.plan.model import N_, Change
from opsbook.revisions.plan.pair import Pair
from opsbook.revisions.plan.values import Path, dotted

WISHES: Final = ("required", "preferred", "optional")
AGES: Final = {"secrets": "max_age", "accounts": "expires_after", "quotas": "expires_after"}
REVIEWED: Final = ("accounts", "extensions")


def changes(pair: Pair) -> Iterator[Change]:
    """Yield what stands more or less firmly between a wish and the world."""
    for section in type(pair.new).model_fields:
        if section == "runbooks":
            continue
        before, after = getattr(pair.old, section), getattr(pair.new, section)
        if isinstance(before, BaseModel) and isinstance(after, BaseModel):
            yield from _approvals(pair, "book", section, before, after)
        elif isinstance(before, BaseModel) and (asked := getattr(before, "approvals", None)):
            yield _yes(pair, "book", section, ("approvals",), asked, ())
        elif isinstance(after, Mapping):
            for id, was, now in pair.kept(section):
                if isinstance(was, BaseModel):
                    yield from _approvals(pair, section, id, was, now)
    for id, was, now in pair.kept("change_kinds"):
        yield from _kind(pair, id, was, now)
    for id, _ in pair.removed("change_kinds"):
        yield pair.tell(
            "change_kinds", id, N_("Changes of the kind %(id)s need not be asked for any more."),
            kind="removed", keys=["*"], loosens=True,
        )  # fmt: skip
    for id, was, now in pair.kept("windows"):
        yield from _window(pair, id, was, now)
    yield from _freezes(pair)
    yield from _ages(pair)
    yield from _blocked(pair)


def _approvals(
    pair: Pair, section: str, id: str, was: BaseModel, now: BaseModel, path: Path = ()
) -> Iterator[Change]:
    """Whose yes an element needs, or a part of it; parts of a list are matched by their place."""
    for name, field in type(now).model_fields.items():
        here = (*path, field.alias or name)
        before, after = getattr(was, name, None), getattr(now, name)
        if before == after:
            continue
        if name == "approvals":
            yield _yes(pair, section, id, here, [*(before or ())], [*after])
        elif name == "approval":
            yield _yes(pair, section, id, here, _one(before), _one(after))
        elif isinstance(before, BaseModel) and isinstance(after, BaseModel):
            yield from _approvals(pair, section, id, before, after, here)
        elif isinstance(before, tuple) and isinstance(after, tuple):
            for n, (left, right) in enumerate(zip(before, after, strict=False)):
                if isinstance(left, BaseModel) and isinstance(right, BaseModel):
                    yield from _approvals(pair, section, id, left, right, (*here, n))


def _one(role: str | None) -> list[Approval]:
    return [Approval(by=role)] if role is not None else []


def _yes(
    pair: Pair, section: str, id: str, at: Path, before: Sequence[Approval],
    after: Sequence[Approval],
) -> Change:  # fmt: skip
    left = list(after)
    loosens = False
    for was in before:
        found = [one for one in left if one.by == was.by and one.need >= was.need
                 and one.when in (None, was.when)]  # fmt: skip
        if found:
            left.remove(found[0])
        else:
            loosens = True
    values = {"before": _asked(before), "after": _asked(after)}
    if not after:
        template = N_("%(id)s needs nobody's yes any more (it needed %(before)s).")
    elif not before:
        template = N_("%(id)s needs a yes from now on: %(after)s.")
    else:
        template = N_("%(id)s needs another yes: %(after)s instead of %(before)s.")
    return pair.tell(section, id, template, values, keys=[dotted(at)], at=at, loosens=loosens)


def _asked(approvals: Sequence[Approval]) -> str:
    return ", ".join(
        f"{one.need} × {one.by}" + (f" ({one.when})" if one.when else "") for one in approvals
    )


def _kind(pair: Pair, id: str, was: Any, now: Any) -> Iterator[Change]:
    def tell(template: str, key: str, loosens: bool, **values: str) -> Change:
        return pair.tell(
            "change_kinds", id, template, values, keys=[key], at=tuple(key.split(".")),
            loosens=loosens,
        )  # fmt: skip

    if was.notice != now.notice:
        shorter = (now.notice or timedelta(0)) < (was.notice or timedelta(0))
        yield tell(
            N_("A change of the kind %(id)s is asked for %(after)s ahead instead of %(before)s."),
            "notice", shorter, before=format_duration(was.notice or timedelta(0)),
            after=format_duration(now.notice or timedelta(0)),
        )  # fmt: skip
    if was.windows != now.windows:
        fewer = bool(now.windows) and (not was.windows or set(now.windows) <= set(was.windows))
        if now.windows:
            template = N_("A change of the kind %(id)s may happen in: %(after)s.")
        else:
            template = N_("A change of the kind %(id)s may happen at any time, not only in: "
                          "%(before)s.")  # fmt: skip
        yield tell(
            template, "windows", not fewer, before=", ".join(was.windows),
            after=", ".join(now.windows),
        )  # fmt: skip
    if was.emergency != now.emergency:
        template = (
            N_("A change of the kind %(id)s may go past notice, windows and freezes.")
            if now.emergency
            else N_(
                "A change of the kind %(id)s may no longer go past notice, windows and freezes."
            )
        )
        yield tell(template, "emergency", now.emergency)
    if was.before is not None and was.before != now.before:
        template = N_("A change of the kind %(id)s no longer begins with the checklist %(before)s.")
        yield tell(template, "before", True, before=was.before)
    for wish in ("plan", "tested", "automated"):
        old, new = getattr(was.rollback, wish), getattr(now.rollback, wish)
        if old != new:
            yield tell(
                N_("A change of the kind %(id)s: rollback %(wish)s is %(after)s instead of "
                   "%(before)s."),
                f"rollback.{wish}", WISHES.index(new) > WISHES.index(old), wish=wish, before=old,
                after=new,
            )  # fmt: skip


def _window(pair: Pair, id: str, was: Any, now: Any) -> Iterator[Change]:
    if (was.schedule, was.timezone) != (now.schedule, now.timezone):
        yield pair.tell(
            "windows", id,
            N_("The window %(id)s opens at other times: “%(after)s”, not “%(before)s”."),
            {"before": was.schedule, "after": now.schedule}, keys=["schedule", "timezone"],
            at=("schedule",), loosens=True,
        )  # fmt: skip
    if was.length != now.length:
        template = (
            N_("The window %(id)s stays open longer: %(after)s instead of %(before)s.")
            if now.length > was.length
            else N_("The window %(id)s closes sooner: %(after)s instead of %(before)s.")
        )
        yield pair.tell(
            "windows", id, template,
            {"before": format_duration(was.length), "after": format_duration(now.length)},
            keys=["length"], at=("length",), loosens=now.length > was.length,
        )  # fmt: skip
    if was.per_month != now.per_month:
        yield pair.tell(
            "windows", id,
            N_("The window %(id)s may be used %(after)s times a month, not %(before)s."),
            {"before": str(was.per_month or "∞"), "after": str(now.per_month or "∞")},
            keys=["per_month"], at=("per_month",),
            loosens=(now.per_month or 99) > (was.per_month or 99),
        )  # fmt: skip
    if was.services != now.services:
        fewer = bool(now.services) and (not was.services or set(now.services) <= set(was.services))
        yield pair.tell(
            "windows", id, N_("The window %(id)s is for %(after)s instead of %(before)s."),
            {"before": ", ".join(was.services) or "*", "after": ", ".join(now.services) or "*"},
            keys=["services"], at=("services",), loosens=not fewer,
        )  # fmt: skip


def _freezes(pair: Pair) -> Iterator[Change]:
    for id, freeze in pair.removed("freezes"):
        over = _span(pair.old, freeze)[1] <= pair.now
        yield pair.tell(
            "freezes", id, N_("The freeze %(id)s is gone (%(start)s to %(end)s)."),
            _ends(pair, pair.old, freeze), kind="removed", keys=["*"], loosens=not over,
        )  # fmt: skip
    for id, freeze in pair.added("freezes"):
        yield pair.tell(
            "freezes", id, N_("Nothing may be changed from %(start)s to %(end)s: freeze %(id)s."),
            _ends(pair, pair.new, freeze), kind="added", keys=["*"],
            soon=pair.is_soon(_span(pair.new, freeze)[0]),
        )  # fmt: skip
    for id, was, now in pair.kept("freezes"):
        old, new = _span(pair.old, was), _span(pair.new, now)
        if old != new:
            less = old[1] > pair.now and (new[0] > max(old[0], pair.now) or new[1] < old[1])
            yield pair.tell(
                "freezes", id, N_("The freeze %(id)s now lasts from %(start)s to %(end)s."),
                _ends(pair, pair.new, now), keys=["from", "to", "timezone"], loosens=less,
            )  # fmt: skip
        if was.allows != now.allows:
            yield pair.tell(
                "freezes", id, N_("The freeze %(id)s allows: %(after)s (before: %(before)s)."),
                {"before": ", ".join(was.allows) or "–", "after": ", ".join(now.allows) or "–"},
                keys=["allows"], at=("allows",), loosens=not set(now.allows) <= set(was.allows),
            )  # fmt: skip
        if was.services != now.services:
            less = bool(now.services) and (
                not was.services or not set(now.services) >= set(was.services)
            )
            yield pair.tell(
                "freezes", id, N_("The freeze %(id)s is for %(after)s instead of %(before)s."),
                {"before": ", ".join(was.services) or "*", "after": ", ".join(now.services) or "*"},
                keys=["services"], at=("services",), loosens=less,
            )  # fmt: skip


def _span(book: Book, freeze: Freeze) -> tuple[datetime, datetime]:
    zone = ZoneInfo(freeze.timezone or book.timezone)
    end = freeze.to
    if not isinstance(end, datetime):  # a day alone means its end
        end = end + timedelta(days=1)
    return _at(freeze.from_, zone), _at(end, zone)


def _at(moment: date, zone: ZoneInfo) -> datetime:
    local = moment if isinstance(moment, datetime) else datetime.combine(moment, time.min)
    return local.replace(tzinfo=zone).astimezone(UTC)


def _ends(pair: Pair, book: Book, freeze: Freeze) -> dict[str, str]:
    start, end = _span(book, freeze)
    return {"start": pair.clock(start), "end": pair.clock(end)}


def _ages(pair: Pair) -> Iterator[Change]:
    """How long what was granted holds, and how old a secret may become."""
    for section, key in AGES.items():
        for id, was, now in pair.kept(section):
            before, after = getattr(was, key), getattr(now, key)
            if before == after:
                continue
            longer = after is None or (before is not None and after > before)
            if section == "secrets":
                template = N_("The secret %(id)s may become %(after)s old instead of %(before)s.")
            elif after is None:
                template = N_("%(id)s holds for good; it held for %(before)s.")
            elif before is None:
                template = N_("%(id)s holds for %(after)s; it held for good.")
            else:
                template = N_("%(id)s holds for %(after)s instead of %(before)s.")
            values = {
                "before": format_duration(before) if before is not None else "",
                "after": format_duration(after) if after is not None else "",
            }
            yield pair.tell(
                section, id, template, values, keys=[key], at=(key,), loosens=longer
            )  # fmt: skip
    for id, _ in pair.removed("secrets"):
        yield pair.tell(
            "secrets", id, N_("Nobody watches the age of the secret %(id)s any more."),
            kind="removed", keys=["*"], loosens=True,
        )  # fmt: skip


def _blocked(pair: Pair) -> Iterator[Change]:
    """Names that may be installed again; blocking more is nobody's wish standing in the way."""
    before = pair.old.extensions.block if pair.old.extensions is not None else ()
    after = pair.new.extensions.block if pair.new.extensions is not None else ()
    was, now = {one.pattern for one in before}, {one.pattern for one in after}
    if was == now:
        return
    where = pair.new.where("extensions", "block")
    for pattern in sorted(was - now):
        yield pair.tell(
            "book", "extensions", N_("%(pattern)s is no longer blocked from being installed."),
            {"pattern": pattern}, keys=["block"], loosens=True, where=where,
        )  # fmt: skip
    for pattern in sorted(now - was):
        yield pair.tell(
            "book", "extensions", N_("%(pattern)s may not be installed any more."),
            {"pattern": pattern}, keys=["block"], where=where,
        )  # fmt: skip
    if [one for one in before if one.pattern in now] != [
        one for one in after if one.pattern in was
    ]:
        template = N_("Why names are blocked, or their order, is another.")
        yield pair.tell("book", "extensions", template, keys=["block"], where=where)
