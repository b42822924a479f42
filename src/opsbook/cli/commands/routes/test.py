"""``opsbook routes test``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from opsbook.cli import carrying, failure, options, output, words

if TYPE_CHECKING:
    from datetime import datetime

    from opsbook.alerts.exchange.ways import Way, Ways


@click.command()
@click.argument("book", type=click.Path(path_type=Path))
@click.argument("labels", nargs=-1, metavar="NAME=VALUE...")
@click.option("--at", "moment", metavar="TIME", help=words.ROUTES_AT)
@click.option("--intake", metavar="ID", help=words.ROUTES_INTAKE)
@options.output_format
def command(
    book: Path, labels: tuple[str, ...], moment: str | None, intake: str | None, form: str
) -> None:
    """Say which routes of BOOK take an alert with these labels: who is told, when, and how.

    With rule=ID of a rule of the book, the labels that its alerts have are added. With --intake it
    is what becomes of an alert that is handed in there. What keeps the alert quiet is said for now,
    or for the time of --at. Needs no running server.
    """
    from opsbook.alerts.exchange import ways

    given = _labels(labels)
    found = carrying.book(book)
    told = ways.of(found, given, _moment(moment, found.timezone), intake)
    if form == "json":
        output.as_json(_data(told))
        return
    if intake is not None:
        shown = ", ".join(f"{name}={value}" for name, value in sorted(told.labels.items()))
        line = words.ROUTES_HANDED_IN.format(intake=intake, severity=told.severity, labels=shown)
        output.say(output.clean(line))
    _say(told)


def _labels(given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in given:
        name, said, value = one.partition("=")
        if not said or not name:
            failure.stop(words.ROUTES_BAD_LABEL.format(given=one), status=2)
        if name in found:
            failure.stop(words.ROUTES_LABEL_TWICE.format(name=name), status=2)
        found[name] = value
    return found


def _moment(text: str | None, zone: str) -> datetime:
    """The time that is asked about; one without a zone is meant in the book's."""
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        failure.stop(words.ROUTES_BAD_TIME.format(given=text), status=2)
    return found if found.tzinfo is not None else found.replace(tzinfo=ZoneInfo(zone))


def _say(told: Ways) -> None:
    for way in told.routes:
        node = way.node
        sign = "paused" if way.inactive or way.muted else "ok"
        who = ", ".join(one.id for one in node.listeners) or words.ROUTES_NOBODY
        output.say(f"{output.glyph(sign)} {_place(way)}  {words.ROUTES_WAYS[node.as_]}: {who}")
        lines = [(words.ROUTES_GROUP, _group(way)), (words.ROUTES_WAITS, _waits(way))]
        if way.inactive:
            hours = ", ".join(way.inactive)
            lines.append((words.ROUTES_QUIET, words.ROUTES_INACTIVE.format(hours=hours)))
        if way.muted:
            hours = ", ".join(way.muted)
            lines.append((words.ROUTES_QUIET, words.ROUTES_MUTED.format(hours=hours)))
        for name, line in lines:
            output.say(f"    {name:<7} {output.clean(line)}")
    for id in told.inhibitions:
        output.say(words.ROUTES_INHIBITED.format(inhibition=id))


def _place(way: Way) -> str:
    """A route by its place in the book and its own conditions."""
    path = "".join(f".routes[{n}]" for n in way.node.path)
    conditions = ", ".join(map(str, way.node.conditions))
    return output.clean(f"routing{path} {{{conditions}}}")


def _group(way: Way) -> str:
    if way.node.group_by is None:
        return words.ROUTES_ALONE
    shown = ", ".join(f"{name}={value}" for name, value in sorted(way.group.items()))
    return shown or words.ROUTES_ALL


def _waits(way: Way) -> str:
    from opsbook.base.quantities import format_duration

    node = way.node
    wait = format_duration(node.wait) if node.wait else words.ROUTES_AT_ONCE
    repeat = format_duration(node.repeat)
    if not node.interval:
        return words.ROUTES_ALONE_WAIT.format(wait=wait, repeat=repeat)
    interval = format_duration(node.interval)
    return words.ROUTES_WAIT.format(wait=wait, interval=interval, repeat=repeat)


def _data(told: Ways) -> dict[str, Any]:
    return {
        "labels": dict(told.labels),
        "severity": told.severity,
        "routes": [_route(way) for way in told.routes],
        "may_be_inhibited_by": list(told.inhibitions),
    }


def _route(way: Way) -> dict[str, Any]:
    from opsbook.base.quantities import format_duration

    node = way.node
    return {
        "path": list(node.path),
        "matchers": [str(one) for one in node.conditions],
        "receiver": node.receiver,
        "as": node.as_,
        "to": [one.id for one in node.listeners],
        "only_firing": [one.id for one in node.listeners if not one.resolved],
        "continue": node.goes_on,
        "group_by": None if node.group_by is None else list(node.group_by),
        "group_labels": dict(way.group),
        "group_wait": format_duration(node.wait),
        "group_interval": format_duration(node.interval),
        "repeat_interval": format_duration(node.repeat),
        "inactive": list(way.inactive),
        "muted": list(way.muted),
    }
