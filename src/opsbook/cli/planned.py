"""The plan of a run at a terminal: what is wrong first, then every step with what it finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from opsbook.cli import output, words

Data = Mapping[str, Any]
MOST_LINES: Final = 40
"""Lines of a script that are shown; -o json has all of it."""
SIGNS: Final = {"yes": "○", "no": "‖", "unknown": "◇"}


def show(plan: Data) -> None:
    """Write a plan."""
    risk = "" if plan["risk"] == "routine" else f" · {plan['risk']}"
    head = words.DRY_HEAD.format(
        title=plan["title"], id=plan["runbook"], book=plan["book"], revision=plan["revision"][:12]
    )
    output.say(output.clean(head) + risk)
    output.say(summary(plan))
    _faults(plan["faults"])
    _parameters(plan)
    for title, steps in (
        (words.DRY_STEPS, plan["steps"]),
        (words.DRY_UNDO, plan["undo"]),
        (words.DRY_ALWAYS, plan["always"]),
    ):
        if steps:
            output.say()
            output.say(title)
            _steps(steps, "  ")
    if plan["cut"]:
        output.say(words.DRY_CUT)
    output.say()
    output.say(output.faint(words.DRY_END))


def summary(plan: Data) -> str:
    """Say in one line what would happen."""
    changes = words.plural(plan["changes"], "step changes", "steps change")
    told = [f"{changes} something" if plan["changes"] else words.DRY_LOOKS]
    if plan["approvals"]:
        told.append(words.plural(plan["approvals"], "approval"))
    if plan["manual"]:
        told.append(words.DRY_MANUAL.format(n=words.plural(plan["manual"], "step")))
    if plan["lock"]:
        held = ", ".join(f"{one['id']}" for one in plan["held_by"])
        form = words.DRY_HELD if held else words.DRY_LOCK
        told.append(form.format(lock=plan["lock"], runs=held))
    if plan["deadline"]:
        told.append(words.DRY_DEADLINE.format(at=output.clock_time(plan["deadline"])))
    return output.clean(" · ".join(told))


def _faults(faults: Sequence[Data]) -> None:
    for title, sign, sure in (
        (words.DRY_FAILS, "critical", True), (words.DRY_MAY_FAIL, "warning", False),
    ):  # fmt: skip
        found = [one for one in faults if one["sure"] is sure]
        if found:
            output.say()
            output.say(title.format(n=len(found)))
        for one in found:
            where = f"{one['step']}: " if one["step"] else ""
            output.say(f"  {output.glyph(sign)} {output.clean(where + one['message'])}")


def _parameters(plan: Data) -> None:
    if not plan["params"]:
        return
    output.say()
    output.say(words.DRY_PARAMS)
    wide = max(output.cells(name) for name in plan["params"])
    for name, value in plan["params"].items():
        output.say(f"  {name}{' ' * (wide - output.cells(name))}  {_value(value)}")


def _steps(steps: Sequence[Data], indent: str) -> None:
    for one in steps:
        sign = SIGNS[one["runs"]]
        undoes = words.DRY_UNDOES.format(step=one["rollback_of"]) if one["rollback_of"] else ""
        kind = [one["kind"], *([words.DRY_CHANGES] if one["effect"] == "change" else [])]
        told = " · ".join([*kind, one["key"], *([undoes] if undoes else [])])
        line = f"{one['number']:>2} {sign} {output.clean_cell(one['title'])}"
        output.say(f"{indent}{line}  {output.faint(output.clean(told))}")
        under = f"{indent}     "
        for text in _about(one):
            output.say(f"{under}{output.clean(text)}")
        output.say(f"{under}{output.faint('; '.join(one['otherwise']))}")
        if one["kind"] not in {"approval", "manual"}:
            _body(one["body"], under)
        for name, value in one["uses"].items():
            output.say(f"{under}{output.faint('$')}{name} = {_value(value)}")
        if one["run"]:
            _steps(one["run"]["steps"], f"{under}")


def _about(one: Data) -> Iterator[str]:
    if one["condition"]:
        yield one["condition"]
    if one["due"]:
        yield words.DRY_DUE.format(at=output.clock_time(one["due"]))
    if one["ask"]:
        yield from _ask(one["ask"])
    if one["target"]:
        given = one["credential"]
        form = words.DRY_TARGET if given else words.DRY_TARGET_PLAIN
        yield form.format(target=one["target"], credential=given)
    yield from one["notes"]
    if one["items"] is not None:
        shown = one["items"][:10]
        yield ", ".join(shown) + (" …" if len(one["items"]) > len(shown) else "")


def _ask(asked: Data) -> Iterator[str]:
    who = words.DRY_OR.join(asked["roles"]) or words.ANYBODY
    need = f" × {asked['need']}" if asked["need"] > 1 else ""
    yield f"“{asked['question']}”"
    yield words.DRY_ASKS.format(
        who=who + need, may=", ".join(asked["may"]) or words.DRY_NOBODY
    )  # fmt: skip
    for one in asked["excluded"]:
        why = words.DRY_WHY.get(one["why"], one["why"])
        yield words.DRY_EXCLUDED.format(person=one["person"], why=why)


def _body(body: str, indent: str) -> None:
    lines = body.rstrip("\n").split("\n")
    for line in lines[:MOST_LINES]:
        output.say(f"{indent}{output.faint('│')} {output.clean(line)}")
    if len(lines) > MOST_LINES:
        more = words.DRY_MORE.format(n=len(lines) - MOST_LINES)
        output.say(f"{indent}{output.faint(more)}")


def _value(value: Data) -> str:
    if value["value"] is not None:
        return output.shorten(output.clean_cell(value["value"]), 160) or words.DRY_EMPTY
    if value["saved_by"]:
        return output.faint(words.DRY_SAVED.format(step=value["saved_by"]))
    return output.faint(words.DRY_MISSING)
