"""By when somebody must have answered, whom that pages next, and what is open meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from opsbook.base.quantities import format_duration
from opsbook.book.sections.people import Escalation
from opsbook.revisions.plan.model import N_, Change
from opsbook.revisions.plan.pair import Pair

TIMES = {
    "severities": {
        "acknowledge_within": (
            N_("%(id)s: to be acknowledged within %(after)s instead of %(before)s."),
            N_("%(id)s: to be acknowledged within %(after)s; there was no time before."),
            N_("%(id)s: no time to be acknowledged any more (it was %(before)s)."),
        ),
        "resolve_within": (
            N_("%(id)s: to be resolved within %(after)s instead of %(before)s."),
            N_("%(id)s: to be resolved within %(after)s; there was no time before."),
            N_("%(id)s: no time to be resolved any more (it was %(before)s)."),
        ),
        "review_within": (
            N_("%(id)s: to be reviewed within %(after)s instead of %(before)s."),
            N_("%(id)s: to be reviewed within %(after)s; there was no time before."),
            N_("%(id)s: no time to be reviewed any more (it was %(before)s)."),
        ),
    },
    "rules": {
        "acknowledge_within": (
            N_("%(id)s: to be acknowledged within %(after)s instead of %(before)s."),
            N_("%(id)s: to be acknowledged within %(after)s; there was no time before."),
            N_("%(id)s: no time to be acknowledged any more (it was %(before)s)."),
        ),
    },
}
ORDERED = {
    "severities": N_("The severities are now, worst first: %(after)s (before: %(before)s)."),
    "lifecycle": N_("An incident now goes through: %(after)s (before: %(before)s)."),
}


def changes(pair: Pair) -> Iterator[Change]:
    """Yield every clock that runs differently."""
    for section, times in TIMES.items():
        for id, before, after in pair.kept(section):
            for key, templates in times.items():
                yield from _time(pair, section, id, key, templates, before, after)
    for id, before, after in pair.kept("escalation"):
        yield from _ladder(pair, id, before, after)
    for section, template in ORDERED.items():
        was, now = list(getattr(pair.old, section)), list(getattr(pair.new, section))
        if was != now and [one for one in was if one in now] != [one for one in now if one in was]:
            yield Change(
                section, "", "changed", template,
                {"before": ", ".join(was), "after": ", ".join(now)}, soon=True,
                where=pair.new.where(section),
            )  # fmt: skip
    yield from _incidents(pair)


def _time(
    pair: Pair, section: str, id: str, key: str, templates: tuple[str, str, str],
    before: Any, after: Any,
) -> Iterator[Change]:  # fmt: skip
    was: timedelta | None = getattr(before, key)
    now: timedelta | None = getattr(after, key)
    if was != now:
        template = templates[0 if was and now else 1 if now else 2]
        values = {
            "before": format_duration(was) if was is not None else "",
            "after": format_duration(now) if now is not None else "",
        }
        yield pair.tell(section, id, template, values, keys=[key], at=(key,), soon=True)


def _ladder(pair: Pair, id: str, before: Escalation, after: Escalation) -> Iterator[Change]:
    for n in range(max(len(before.levels), len(after.levels))):
        was = before.levels[n] if n < len(before.levels) else None
        now = after.levels[n] if n < len(after.levels) else None
        if was == now:
            continue
        values = {"level": str(n + 1)}
        for name, one in (("before", was), ("after", now)):
            if one is not None:
                values[f"{name}_page"] = ", ".join(one.page)
                values[name] = format_duration(one.after)
        if now is None:
            template = N_("%(id)s: level %(level)s is gone (%(before_page)s after %(before)s).")
        elif was is None:
            template = N_("%(id)s: level %(level)s is new: pages %(after_page)s after %(after)s.")
        else:
            template = N_(
                "%(id)s: level %(level)s pages %(after_page)s after %(after)s instead of "
                "%(before_page)s after %(before)s."
            )
        keys = [f"levels.{n + 1}"]
        at = ("levels", n) if now is not None else ("levels",)
        yield pair.tell("escalation", id, template, values, keys=keys, at=at, soon=True)


def _incidents(pair: Pair) -> Iterator[Change]:
    """Open incidents: they stay with the revision they were opened under, and that is worth saying
    where the new one would have treated them differently.
    """
    sections = ("severities", "escalation", "teams", "rotations")
    if all(getattr(pair.old, name) == getattr(pair.new, name) for name in sections):
        return
    for incident in pair.running.incidents:
        if incident.revision == pair.new.revision:
            continue
        severity = pair.new.severities.get(incident.severity)
        within = severity.acknowledge_within if severity is not None else None
        would = incident.opened_at + within if within is not None else None
        values = {"severity": incident.severity, "revision": incident.revision[:12]}
        where = pair.new.where("severities", incident.severity)
        if incident.answered_by is None and would != incident.acknowledge_by:
            template = N_(
                "Incident %(id)s (%(severity)s) stays on revision %(revision)s and keeps its "
                "deadline %(due)s; by the new times it would be %(would)s."
            )
            values["due"] = (
                pair.clock(incident.acknowledge_by) if incident.acknowledge_by else "never"
            )
            values["would"] = pair.clock(would) if would else "never"
        else:
            template = N_(
                "Incident %(id)s (%(severity)s) stays on revision %(revision)s: its deadline and "
                "whom it pages do not change."
            )
        yield pair.tell("incidents", str(incident.id), template, values, soon=True, where=where)
