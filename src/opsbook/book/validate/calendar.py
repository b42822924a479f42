"""Windows, freezes, phases, backups, services: what has an order or an end keeps to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from opsbook import calendar
from opsbook.base.quantities import format_duration
from opsbook.book.positions import Path
from opsbook.book.problems import Problem
from opsbook.book.times import IsSchedule
from opsbook.book.validate.people import ended_before
from opsbook.book.validate.whole import Whole

ANY_DAY = date(2026, 6, 1)
"""A Monday to count from where only the order of days matters."""


def schedules(whole: Whole) -> Iterator[Problem]:
    """With the book's own holidays, every schedule still comes some day."""
    days = whole.sections.holidays.days
    if not days.country and not days.also:
        return
    for found in whole.marked:
        if isinstance(found.mark, IsSchedule):
            try:
                calendar.Schedule.parse(found.value, whole.sections.timezone, days)
            except calendar.ScheduleError as error:
                message, _, remedy = str(error).partition("; ")
                yield whole.problem(found.path, message, remedy)


def windows(whole: Whole) -> Iterator[Problem]:
    """Windows are open for a while, and freezes begin before they end."""
    for id, window in whole.sections.windows.items():
        if not window.length:
            told = "would close as soon as it opens"
            yield whole.problem(("windows", id, "length"), told, "write a time such as 2h")
    for id, freeze in whole.sections.freezes.items():
        if ended_before(freeze.from_, freeze.to):
            told = f"{freeze.to} does not come after {freeze.from_}"
            yield whole.problem(("freezes", id, "to"), told, "write a later time")


def phases(whole: Whole) -> Iterator[Problem]:
    """The days of a model update come one after the other."""
    for id, update in whole.sections.model_updates.items():
        days = [calendar.Offset.parse(phase.at).on(ANY_DAY) for phase in update.phases]
        for n in range(1, len(days)):
            if days[n] < days[n - 1]:
                path: Path = ("model_updates", id, "phases", n, "at")
                told = f"{update.phases[n].at} comes before {update.phases[n - 1].at}"
                yield whole.problem(path, told, "write the phases in the order of their days")


def severities(whole: Whole) -> Iterator[Problem]:
    """It cannot be over before somebody has answered."""
    for id, severity in whole.sections.severities.items():
        answer, over = severity.acknowledge_within, severity.resolve_within
        if answer is not None and over is not None and over < answer:
            told = f"{format_duration(over)} is over before acknowledge_within is"
            path: Path = ("severities", id, "resolve_within")
            yield whole.problem(path, told, "write a longer time")


def backups(whole: Whole) -> Iterator[Problem]:
    """What adds to another backup says to which, and to no ring of them."""
    sections = whole.sections.backups
    for id, backup in sections.items():
        if backup.kind == "incremental" and backup.base is None:
            told = "an incremental backup is worth nothing without what it adds to"
            yield whole.at_key(("backups", id), told, "add base: with the id of that backup")
        seen, at = {id}, backup.base
        while at is not None and at in sections and at not in seen:
            seen.add(at)
            at = sections[at].base
        if at == id:
            path: Path = ("backups", id, "base")
            remedy = "name a backup that does not add to this one"
            yield whole.problem(path, f"{backup.base!r} leads back to {id!r} itself", remedy)


def services(whole: Whole) -> Iterator[Problem]:
    """Dependencies lead somewhere; an endpoint says where it is."""
    sections = whole.sections.services
    for id, service in sections.items():
        if way := ring(id, {name: one.depends_on for name, one in sections.items()}):
            told = f"depends on itself: {' → '.join(way)}"
            remedy = "take one of them out of depends_on:"
            yield whole.at_key(("services", id, "depends_on"), told, remedy)
        for name, endpoint in service.endpoints.items():
            if (endpoint.url is None) == (endpoint.host is None):
                told = "says no address" if endpoint.url is None else "says its address twice"
                path: Path = ("services", id, "endpoints", name)
                yield whole.at_key(path, told, "write either url:, or host: and port:")


def ring(start: str, depends: dict[str, tuple[str, ...]]) -> list[str]:
    """The way from an element back to itself, or nothing; each element is looked at once."""
    came_from: dict[str, str] = {}
    waiting = [start]
    while waiting:
        at = waiting.pop()
        for after in depends.get(at, ()):
            if after == start:
                way = [start]
                while at != start:
                    way.insert(1, at)
                    at = came_from[at]
                return [*way, start]
            if after not in came_from and after in depends:
                came_from[after] = at
                waiting.append(after)
    return []


def data_rules(whole: Whole) -> Iterator[Problem]:
    """Each rule over data has what that rule needs."""
    needs = {
        "not_null": ("table", "column"), "unique": ("table", "column"), "sql": ("sql",),
        "range": ("table", "column", "band"), "outlier": ("table", "column"),
        "reference": ("sql",), "freshness": ("table", "column", "band"), "rows": ("table", "band"),
    }  # fmt: skip
    for id, rule in whole.sections.data_quality.items():
        for key in needs[rule.rule]:
            if getattr(rule, key) is None:
                told = f"the rule {rule.rule} needs {key}:"
                yield whole.at_key(("data_quality", id), told, f"add {key}:")


def stand_ins(whole: Whole) -> Iterator[Problem]:
    """A stand-in for a command says which, and no other kind does."""
    for id, one in whole.sections.world.items():
        if (one.kind == "command") != (one.command is not None):
            told = "names no command" if one.command is None else "is no command and names one"
            remedy = "add command:" if one.command is None else "remove command:"
            yield whole.at_key(("world", id), told, remedy)
