"""The plan of a run as a page shows it: what it comes to, what is wrong, then step by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from opsbook.book import Book, Text
from opsbook.runs import dry
from opsbook.web import sayings, words
from opsbook.web.i18n import N_, Speech
from opsbook.web.visit import Visit

WHY: Final[Mapping[str, str]] = {
    "started": N_("starts it"),
    "authored": N_("wrote this revision of the book"),
    "linked": N_("counts as one person with somebody who takes part, by a sign-in link"),
    "no account": N_("has no account here"),
    "disabled": N_("the account is disabled"),
}
CREDENTIALS: Final = {"read": N_("reading"), "change": N_("changing")}
LONGEST: Final = 200
"""Characters of a value that a page shows beside a step."""
MOST_ITEMS: Final = 20
FOR_PEOPLE: Final = frozenset({"approval", "manual"})
NO_BODY: Final = FOR_PEOPLE | {"check", "notify", "run", "wait"}
"""Kinds whose text is said in another way."""


def shaped(visit: Visit, book: Book, plan: dry.Plan) -> dict[str, Any]:
    """Return everything that the template shows of a plan."""
    teller = _Teller(visit, book, plan.file)
    own = [one for one in plan.faults if not one.param]
    return {
        "summary": summary(visit.speech, plan),
        "sure": [teller.fault(plan, one) for one in own if one.sure],
        "unsure": [teller.fault(plan, one) for one in own if not one.sure],
        "missing": ", ".join(_missing(visit.speech, book, plan)),
        "around": list(teller.around(plan)),
        "groups": [
            {"word": visit.speech.say(word) if word else "", "steps": teller.steps(steps)}
            for word, steps in (
                ("", plan.steps),
                (N_("If it fails: undone in this order, as far as it came"), plan.undo),
                (N_("In any case, at the end"), plan.always),
            )
            if steps
        ],
        "cut": plan.cut,
    }


def summary(speech: Speech, plan: dry.Plan) -> str:
    """Return what a run comes to in half a sentence: what the start button promises."""
    told = []
    if plan.changing:
        told.append(
            speech.say_n(
                "%(n)s step changes something", "%(n)s steps change something", plan.changing
            )
        )
    else:
        told.append(speech.say("changes nothing"))
    if plan.approvals:
        roles = dict.fromkeys(role for one in plan.approvals if one.ask for role in one.ask.roles)
        n = len(plan.approvals)
        told.append(
            speech.say_n(
                "%(n)s approval by %(role)s",
                "%(n)s approvals by %(role)s",
                n,
                role=", ".join(roles),
            )
            if roles
            else speech.say_n("%(n)s approval", "%(n)s approvals", n)
        )
    if plan.manual:
        told.append(speech.say_n("%(n)s step by hand", "%(n)s steps by hand", len(plan.manual)))
    return ", ".join(told)


def _missing(speech: Speech, book: Book, plan: dry.Plan) -> list[str]:
    """Return the parameters without a value that can be used, by their titles."""
    params = book.runbooks[plan.runbook].params
    return [
        words.text(speech, params[name].title) or name
        for name, value in plan.params.items()
        if not value.known
    ]


def said(speech: Speech, book: Book, note: dry.Note) -> str:
    """Return a sentence of a plan in the visitor's language."""
    if not note.values:
        return sayings.told(speech, speech.say(note.sentence))
    values = {name: _value(speech, book, name, one) for name, one in note.values.items()}
    return speech.say(note.sentence, **values)


def _value(speech: Speech, book: Book, name: str, value: Any) -> str:
    match value:
        case dry.Note():
            return said(speech, book, value)
        case timedelta():
            return words.length(speech, value)
        case datetime():
            return words.exact(value, ZoneInfo(book.timezone))
        case Text():
            return words.text(speech, value)
        case tuple() | list():
            return ", ".join(_value(speech, book, name, one) for one in value)
    if name in {"who", "may"} and value in book.people:
        return words.text(speech, book.people[value].name)
    return sayings.told(speech, str(value)) if name == "why" else str(value)


class _Teller:
    """Says the parts of one plan in the visitor's language."""

    def __init__(self, visit: Visit, book: Book, file: str) -> None:
        self.visit = visit
        self.file = file
        self.speech = visit.speech
        self.book = book
        self.zone = ZoneInfo(book.timezone)

    def fault(self, plan: dry.Plan, one: dry.Fault) -> dict[str, str]:
        """Say what is wrong, and with which step: by its key too where others share its title."""
        every = plan.steps + plan.undo + plan.always
        step = next((each for each in every if each.key == one.step), None)
        told = step.title if step is not None else one.step
        if step is not None and sum(each.title == step.title for each in every) > 1:
            told = f"{told} ({step.key})"
        return {"step": told, "told": self.say(one.note)}

    def around(self, plan: dry.Plan) -> Iterable[Any]:
        """Say what holds for the whole run: its lock, its time, its day."""
        say, html = self.speech.say, self.speech.html
        if plan.lock and plan.held_by:
            runs = ", ".join(say("run %(id)s", id=one["id"]) for one in plan.held_by)
            told = N_("It waits in line for the lock %(lock)s behind %(runs)s.")
            yield html(told, lock=plan.lock, runs=runs)
        elif plan.lock:
            yield say("It takes the lock %(lock)s, which is free now.", lock=plan.lock)
        if plan.deadline is not None and plan.timeout is not None:
            at = words.moment(self.speech, plan.deadline, self.visit.now, self.zone, words.TO_COME)
            yield html("It must be over %(at)s.", at=at)
        if plan.phased:
            yield say("Its day is %(day)s.", day=plan.day.isoformat())

    def steps(self, steps: Iterable[dry.PlannedStep]) -> list[dict[str, Any]]:
        told = list(steps)
        shared = Counter(one.title for one in told)
        return [self.step(one) | {"several": shared[one.title] > 1} for one in told]

    def step(self, one: dry.PlannedStep) -> dict[str, Any]:
        speech = self.speech
        return {
            "number": one.number,
            "key": one.key,
            "title": one.title,
            "kind": one.kind,
            "for_people": one.kind in FOR_PEOPLE,
            "changes": one.effect == "change" and one.kind not in FOR_PEOPLE,
            "left_out": one.runs is False,
            "condition": self.say(one.condition) if one.condition else "",
            "notes": [self.say(note) for note in one.notes],
            "otherwise": [self.say(note) for note in one.otherwise],
            "undoes": speech.say("undoes %(step)s", step=one.rollback_of)
            if one.rollback_of
            else "",
            "body": "" if one.kind in NO_BODY else one.body.rstrip("\n"),
            "says": one.body.strip() if one.kind in {"notify", "run"} else "",
            "uses": [self.variable(used) for used in one.uses],
            "items": [item[:LONGEST] for item in (one.items or ())[:MOST_ITEMS]],
            "more_items": max(0, len(one.items or ()) - MOST_ITEMS),
            "ask": self.ask(one.ask) if one.ask else None,
            "due": self.due(one.due) if one.due else "",
            "target": self.target(one),
            "secrets": [
                {"name": name, "set": there} for name, there in one.secrets.items()
            ],
            "where": f"{self.file}:{one.line}",
            "sub": self.sub(one.sub) if one.sub else None,
        }  # fmt: skip

    def due(self, at: datetime) -> Any:
        """Say when the step's day begins, or that it has."""
        told = f"{at.astimezone(self.zone):%Y-%m-%d %H:%M}"
        if at <= self.visit.now:
            return self.speech.say("its day, %(at)s, has come", at=told)
        ahead = words.moment(self.speech, at, self.visit.now, self.zone, words.TO_COME)
        return self.speech.html("waits until %(at)s, %(ahead)s", at=told, ahead=ahead)

    def sub(self, plan: dry.Plan) -> dict[str, Any]:
        runbook = self.book.runbooks[plan.runbook]
        teller = _Teller(self.visit, self.book, plan.file)
        return {
            "title": words.text(self.speech, runbook.title),
            "path": f"/book/{quote(self.book.id)}/runbooks/{quote(plan.runbook)}",
            "steps": teller.steps(plan.steps),
        }

    def target(self, one: dry.PlannedStep) -> str:
        if one.target is None:
            return ""
        if one.credential is None:
            return self.speech.say("on %(target)s", target=one.target)
        return self.speech.say(
            "on %(target)s with its credential for %(what)s",
            target=one.target,
            what=self.speech.say(CREDENTIALS[one.credential]),
        )

    def variable(self, used: dry.Used) -> dict[str, Any]:
        value, say = used.value, self.speech.say
        if value.shown is not None:
            text = value.shown[:LONGEST] + ("…" if len(value.shown) > LONGEST else "")
            return {"name": used.name, "value": text, "told": "" if text else say("empty")}
        told = say("saved by %(step)s", step=value.by) if value.by else say("not given yet")
        return {"name": used.name, "value": "", "told": told}

    def ask(self, asked: dry.Ask) -> dict[str, Any]:
        say = self.speech.say
        roles = ", ".join(asked.roles) or say("anybody who may run things here")
        may = ", ".join(self.name(one) for one in asked.may)
        told = [
            say("%(n)s of %(role)s", n=asked.need, role=roles) if asked.need > 1 else roles,
            may or say("nobody could answer"),
        ]
        if asked.within is not None:
            told.append(say("within %(span)s", span=words.length(self.speech, asked.within)))
        return {
            "question": asked.question,
            "who": told,
            "nobody": not may,
            "excluded": [
                say("not %(who)s: %(why)s", who=self.name(one.person), why=say(WHY[one.why]))
                for one in asked.excluded
            ],
            "oneself": asked.oneself,
        }

    def name(self, person: str) -> str:
        return words.text(self.speech, self.book.people[person].name)

    def say(self, note: dry.Note) -> str:
        return said(self.speech, self.book, note)
