"""The sections of a book as the handbook shows them: in the visitor's words, with live state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from opsbook.book import Book, Runbook, Text
from opsbook.web import journal, readings, words
from opsbook.web.i18n import Speech
from opsbook.web.startform import TYPES
from opsbook.web.visit import Visit


def shaped(
    visit: Visit, book: Book, states: Mapping[str, readings.Row], last: Mapping[str, Any]
) -> dict[str, Any]:
    """Return every section of a book, ready to show."""
    speech = visit.speech
    where = book.where

    def text(value: Text | None) -> str:
        return words.text(speech, value)

    return {
        "book": book,
        "title": text(book.title),
        "zone": ZoneInfo(book.timezone),
        "owner": owner(speech, book, book.owner),
        "services": [
            {
                "title": text(one.title),
                "about": text(one.description),
                "owner": owner(speech, book, one.owner),
                "where": where("services", one.id),
                "ref": one.ref,
                "checks": [
                    states[check.id] for check in book.checks.values() if check.service == one.id
                ],
            }
            for one in book.services.values()
        ],
        "checks": [
            {
                "row": states[one.id],
                "every": words.length(speech, one.every),
                "kind": one.kind,
                "warning": words.band(one.bands.warning),
                "critical": words.band(one.bands.critical),
                "where": where("checks", one.id),
                "ref": one.ref,
            }
            for one in book.checks.values()
        ],
        "rules": [
            {
                "title": text(one.title or one.summary),
                "check": text(book.checks[one.check].title),
                "check_path": readings.path(book.id, one.check),
                "when": words.condition(speech, one.when),
                "hold": words.length(speech, one.for_),
                "severity": one.severity,
                "runbook": one.runbook,
                "where": where("rules", one.id),
                "ref": one.ref,
            }
            for one in book.rules.values()
        ],
        "severities": [
            {
                "id": one.id,
                "title": text(one.title),
                "about": text(one.description),
                "within": words.length(speech, one.acknowledge_within)
                if one.acknowledge_within
                else "–",
                "escalation": one.escalation or "–",
                "where": where("severities", one.id),
                "ref": one.ref,
            }
            for one in book.severities.values()
        ],
        "escalations": [
            {
                "id": one.id,
                "title": text(one.title) or one.id,
                "levels": [
                    (
                        words.length(speech, level.after) if level.after else "",
                        ", ".join(owner(speech, book, name) for name in level.page),
                    )
                    for level in one.levels
                ],
                "repeat": words.length(speech, one.repeat) if one.repeat else "",
                "where": where("escalation", one.id),
            }
            for one in book.escalation.values()
        ],
        "people": [
            {
                "name": text(one.name),
                "login": one.login,
                "roles": ", ".join(one.roles),
                "contacts": len(one.contacts),
                "where": where("people", one.id),
                "ref": one.ref,
            }
            for one in book.people.values()
        ],
        "roles": [(name, ", ".join(map(str, given))) for name, given in book.roles.items()],
        "teams": [
            {
                "title": text(one.title) or one.id,
                "members": ", ".join(owner(speech, book, name) for name in one.members),
                "on_duty": ", ".join(
                    owner(speech, book, name) for name in one.on_duty or one.members
                ),
                "where": where("teams", one.id),
            }
            for one in book.teams.values()
        ],
        "routines": [
            {
                "title": text(one.title),
                "schedule": book.schedule(one.id).describe(speech.language),
                "zone": one.timezone or book.timezone,
                "runbook": one.runbook,
                "where": where("routines", one.id),
                "ref": one.ref,
            }
            for one in book.routines.values()
        ],
        "runbooks": [
            {
                "id": one.id,
                "title": text(one.title),
                "about": text(one.description),
                "risk": one.risk if one.risk != "routine" else "",
                "risk_word": speech.say(journal.RISKS[one.risk]),
                "path": f"/book/{quote(book.id)}/runbooks/{quote(one.id)}",
                "steps": len(one.steps),
                "where": f"{one.file}:1",
                "ref": one.ref,
                "last": last.get(one.id),
            }
            for one in book.runbooks.values()
        ],
        "files": sorted(book.files),
        "may_start": visit.may("runs:write", book),
    }


def owner(speech: Speech, book: Book, name: str | None) -> str:
    """Return what a person or a team is called; empty for nobody."""
    if name is None:
        return ""
    if name in book.people:
        return words.text(speech, book.people[name].name)
    team = book.teams.get(name)
    return (words.text(speech, team.title) if team is not None and team.title else "") or name


def params(speech: Speech, runbook: Runbook) -> list[dict[str, Any]]:
    """Return a runbook's parameters and what each accepts."""
    found = []
    for name, param in runbook.params.items():
        accepts = []
        if param.choices:
            accepts.append(", ".join(param.choices))
        elif param.type in TYPES:
            accepts.append(speech.say(TYPES[param.type]))
        if param.pattern:
            accepts.append(param.pattern)
        if param.range is not None:
            accepts.append("–".join(one or "…" for one in param.range))
        found.append(
            {
                "name": name,
                "about": words.text(speech, param.description or param.title),
                "accepts": " · ".join(accepts),
                "default": param.default or "",
                "required": param.must_be_given,
            }
        )
    return found


def used_by(speech: Speech, book: Book, runbook_id: str) -> list[dict[str, str]]:
    """Return what starts a runbook by itself: rules and routines."""
    rules = [
        {
            "said": speech.say(
                "rule: %(title)s", title=words.text(speech, one.title or one.summary)
            ),
            "where": book.where("rules", one.id),
        }
        for one in book.rules.values()
        if one.runbook == runbook_id
    ]
    routines = [
        {
            "said": speech.say("routine: %(title)s", title=words.text(speech, one.title)),
            "where": book.where("routines", one.id),
        }
        for one in book.routines.values()
        if one.runbook == runbook_id
    ]
    return rules + routines
