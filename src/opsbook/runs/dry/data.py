"""A plan as plain data, for programs: the API's answer is this, and the command line draws it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opsbook.runs.dry.asking import Ask
from opsbook.runs.dry.model import Fault, Note, Plan, PlannedStep, Value


def to_dict(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON has it; a secret value is only ever its cover."""
    return {
        "book": plan.book,
        "revision": plan.revision,
        "runbook": plan.runbook,
        "title": plan.title,
        "risk": plan.risk,
        "params": {name: _value(value) for name, value in plan.params.items()},
        "day": plan.day.isoformat(),
        "attended": plan.attended,
        "lock": plan.lock,
        "held_by": [_run(one) for one in plan.held_by],
        "timeout_s": plan.timeout.total_seconds() if plan.timeout else None,
        "deadline": plan.deadline,
        "changes": plan.changing,
        "approvals": len(plan.approvals),
        "manual": len(plan.manual),
        "steps": [_step(one) for one in plan.steps],
        "undo": [_step(one) for one in plan.undo],
        "always": [_step(one) for one in plan.always],
        "faults": [_fault(one) for one in plan.faults],
        "cut": plan.cut,
    }


def _step(one: PlannedStep) -> dict[str, Any]:
    return {
        "number": one.number,
        "key": one.key,
        "title": one.title,
        "section": one.section,
        "line": one.line,
        "phase": one.phase,
        "rollback_of": one.rollback_of,
        "kind": one.kind,
        "effect": one.effect,
        "body": one.body,
        "finds": list(one.finds),
        "uses": {used.name: _value(used.value) for used in one.uses},
        "runs": {True: "yes", False: "no", None: "unknown"}[one.runs],
        "condition": one.condition.english if one.condition else "",
        "items": list(one.items) if one.items is not None else None,
        "notes": _told(one.notes),
        "otherwise": _told(one.otherwise),
        "ask": _ask(one.ask) if one.ask else None,
        "due": one.due,
        "target": one.target,
        "credential": one.credential,
        "secrets": dict(one.secrets),
        "run": to_dict(one.sub) if one.sub else None,
    }


def _value(value: Value) -> dict[str, Any]:
    return {"value": value.shown, "secret": value.secret, "saved_by": value.by or None}


def _ask(asked: Ask) -> dict[str, Any]:
    return {
        "question": asked.question,
        "roles": list(asked.roles),
        "need": asked.need,
        "within_s": asked.within.total_seconds() if asked.within else None,
        "may": list(asked.may),
        "excluded": [{"person": one.person, "why": one.why} for one in asked.excluded],
        "oneself": asked.oneself,
    }


def _fault(one: Fault) -> dict[str, Any]:
    return {"message": one.note.english, "step": one.step, "param": one.param, "sure": one.sure}


def _run(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": row["id"], "title": row["title"], "state": row["state"]}


def _told(notes: tuple[Note, ...]) -> list[str]:
    return [one.english for one in notes]
