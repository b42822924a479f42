"""``opsbook incidents show``."""

from __future__ import annotations

from typing import Any

import click

from opsbook.cli import options, output, server


@click.command()
@click.argument("incident", type=int)
@options.talks
def command(incident: int, data: str | None, form: str) -> None:
    """Show an INCIDENT: its alerts, who was paged, its run and its timeline."""
    answer = server.find(data).get(f"/incidents/{incident}")
    if form == "json":
        output.as_json(answer)
        return
    show(answer)


def show(one: dict[str, Any]) -> None:
    """Write an incident for a person."""
    output.say(
        f"{output.glyph(one['state'])} {one['severity']} {output.clean(one['title'])} · "
        f"incident {one['id']}, {one['state']} · opened {output.age(one['opened_at'])}"
    )
    output.say(f"  {one['url']}")
    if one["alerts"]:
        output.say()
        rows = [
            [
                output.glyph("critical" if alert["state"] == "firing" else alert["state"]),
                alert["rule"],
                alert["state"],
                output.quantity(alert["value"], alert["unit"]),
                output.age(alert["fired_at"]),
                alert["message"] or alert["summary"],
            ]
            for alert in one["alerts"]
        ]
        output.table(["", "ALERT", "STATE", "VALUE", "FIRED", "SAYS"], rows, right=[3])
    if one["pages"]:
        output.say()
        rows = [
            [
                output.glyph(page["state"]),
                page["person"],
                page["channel"],
                page["state"],
                output.age(page["sent_at"] or page["created_at"]),
                page["error"] or page["title"],
            ]
            for page in one["pages"]
        ]
        output.table(["", "PAGED", "BY", "STATE", "WHEN", "WHAT"], rows)
    if one["run"]:
        run = one["run"]
        output.say()
        output.say(
            f"{output.glyph(run['state'])} run {run['id']} · {run['title']} · {run['state']}"
        )
    output.say()
    timeline(one["timeline"])


def timeline(entries: list[dict[str, Any]]) -> None:
    """Write audit entries as a story: one line each, and a person's words under it."""
    for entry in entries:
        time = output.faint(output.clock_time(entry["at"]))
        output.say(f"{time}  {output.clean(entry['sentence'])}")
        if entry["text"]:
            for line in output.clean(entry["text"]).splitlines():
                output.say(f"{' ' * 16}{line}")
