"""Whether the steps of a runbook fit together: what each uses is there by the time it runs.

A main step may use what steps before it saved. A step that undoes or tidies up runs after the main
ones, so it may use what any of those saved. What a step may not use is the name of something that
does not exist: at run time it would be an empty text, and ``rm -rf "$folder/"`` would run with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from opsbook.book import messages, queries
from opsbook.book.blocks import Fault
from opsbook.book.params import Param, fault_of
from opsbook.book.problems import suggestion
from opsbook.book.runbook import Step

ITEM = "item"
"""The variable that a repeated step finds its item in."""

OWN_SUBJECTS: Mapping[str, str] = {"value": "", "status": "http", "latency": "http"}
"""What assertions speak of besides variables, and the kind of step that alone has it."""

_ORDERED = frozenset({"integer", "number", "duration", "size", "percent"})


@dataclass(frozen=True, slots=True)
class Page:
    """All steps, and who saves what: the first step that does."""

    steps: Sequence[Step]
    params: Mapping[str, Param | None]
    savers: Mapping[str, Step]
    place: Mapping[str, int] = field(default_factory=dict)

    def visible(self, step: Step) -> Iterator[str]:
        """Everything that has a value when the step runs."""
        yield from self.params
        for name, saver in self.savers.items():
            if self._before(saver, step):
                yield name

    def unknown(self, step: Step, name: str, attribute: str) -> Iterator[Fault]:
        """A fault if nothing of that name has a value when the step runs."""
        saver = self.savers.get(name)
        if name in self.params or (saver is not None and self._before(saver, step)):
            return
        if saver is None:
            told = f"{attribute}: there is no parameter or saved value {name!r}"
            yield Fault(told, suggestion(name, self.visible(step), what="there are"), attribute)
        elif saver is step:
            told = f"{attribute}: {name} is what this very step saves"
            yield Fault(told, "save it in a step before", attribute)
        else:
            told = f"{attribute}: {name} is saved by step {saver.key}, which runs later"
            yield Fault(told, "move that step before this one", attribute)

    def is_secret(self, name: str) -> bool:
        """Whether that is a parameter or a saved value that must not be told."""
        param, saver = self.params.get(name), self.savers.get(name)
        return (param is not None and param.secret) or (saver is not None and saver.secret)

    def _before(self, saver: Step, step: Step) -> bool:
        if saver.phase == "main" and step.phase != "main":
            return True
        return saver.phase == step.phase and self.place[saver.key] < self.place[step.key]


def faults(
    steps: Sequence[Step], params: Mapping[str, Param | None]
) -> Iterator[tuple[Step, Fault]]:
    """Every fault between the steps, each with the step to report it at."""
    page = _page(steps, params)
    for rule in RULES:
        for step in steps:
            for fault in rule(page, step):
                yield step, fault


def _page(steps: Sequence[Step], params: Mapping[str, Param | None]) -> Page:
    savers: dict[str, Step] = {}
    for step in steps:
        if step.save is not None:
            savers.setdefault(step.save, step)
    return Page(steps, params, savers, {step.key: n for n, step in enumerate(steps)})


def unsaid(steps: Sequence[Step], params: Mapping[str, Param | None]) -> Iterator[tuple[Step, str]]:
    """Names in the question of an approval that have no value when it is asked.

    That is no mistake, unlike in a message that goes out: the words stay as they are written, and
    a question may well be about a variable of a script.
    """
    page = _page(steps, params)
    for step in steps:
        if step.kind == "approval":
            for name in dict.fromkeys(messages.variables(step.body)):
                if any(page.unknown(step, name, "question")):
                    yield step, name


def _saves(page: Page, step: Step) -> Iterator[Fault]:
    if step.save is None:
        return
    if step.save in page.params:
        told = f"save={step.save} would hide the parameter of that name"
        yield Fault(told, "choose another name", "save")
    elif page.savers[step.save] is not step:
        told = f"{step.save} is already saved by step {page.savers[step.save].key}"
        yield Fault(told, "choose another name", "save")


def _rollbacks(page: Page, step: Step) -> Iterator[Fault]:
    if step.phase != "rollback" or not step.rollback_of:
        return
    undone = next((one for one in page.steps if one.key == step.rollback_of), None)
    attribute = "of" if "of" in step.attributes else ""
    if undone is None:
        main = {one.key for one in page.steps if one.phase == "main"}
        told = f"there is no step {step.rollback_of!r} to roll back"
        yield Fault(told, suggestion(step.rollback_of, main, what="steps"), attribute)
    elif undone.phase != "main":
        what = "a rollback itself" if undone.phase == "rollback" else "one that always runs"
        told = f"step {undone.key!r} is {what} and cannot be rolled back"
        yield Fault(told, "name the step that made the change", attribute)


def _conditions(page: Page, step: Step) -> Iterator[Fault]:
    if step.when is None:
        return
    yield from page.unknown(step, step.when.name, "when")
    param = page.params.get(step.when.name)
    if param is None:
        return
    if step.when.limit is not None and param.type not in _ORDERED:
        told = f"when: {step.when.name} is of type {param.type}, which has no order"
        yield Fault(told, "compare it with == or !=", "when")
    elif step.when.op in {"==", "!="} and (why := fault_of(param, step.when.value)):
        told = f"when: {step.when.name} can never be that: {why}"
        yield Fault(told, "compare it with a value that it accepts", "when")


def _lists(page: Page, step: Step) -> Iterator[Fault]:
    if step.each is None:
        return
    yield from page.unknown(step, step.each, "each")
    param = page.params.get(step.each)
    if param is not None and param.type != "list":
        told = f"each: the parameter {step.each} is of type {param.type} and no list"
        yield Fault(told, "give the parameter type: list", "each")
    if ITEM in page.params or ITEM in page.savers:
        told = f"each: something else is already called {ITEM!r}"
        yield Fault(told, f"{ITEM} is what each item is called; choose another name there", "each")


def _assertions(page: Page, step: Step) -> Iterator[Fault]:
    for one in step.asserts:
        kind = OWN_SUBJECTS.get(one.subject)
        if kind is None and one.subject != step.save:
            yield from page.unknown(step, one.subject, "assert")
        elif kind and step.kind != kind:
            told = f"assert: only a step of kind {kind} has a {one.subject}"
            yield Fault(told, 'write "value …" for what the step gives out', "assert")


def _queries(page: Page, step: Step) -> Iterator[Fault]:
    """The variables of a request, a query or an expression: each has a value by then."""
    try:
        used = queries.uses(step.kind, step.body)
    except ValueError:
        return  # said already, of the step by itself
    for name in sorted(used.names):
        if step.each is None or not (name == ITEM or name.startswith(f"{ITEM}_")):
            for fault in page.unknown(step, name, "body"):
                yield Fault(fault.message, fault.remedy)
    for name in sorted(used.hosts):
        source = step.each if name == ITEM and step.each is not None else name
        param = page.params.get(source)
        if source not in page.params or (param and not param.choices and param.pattern is None):
            told = f"${name} says with whom it speaks, and could be anybody"
            yield Fault(told, "let it be a parameter with choices: or a pattern:")
    for name, remedy in used.misplaced:
        if name in page.params or name in page.savers:
            yield Fault(f"${name} stands where nothing is filled in", remedy)


def _calls(page: Page, step: Step) -> Iterator[Fault]:
    if step.kind != "run":
        return
    for name, value in step.arguments.items():
        if value.startswith("$"):
            variable = re.sub(r"^\$\{?|\}$", "", value)
            if variable == ITEM and step.each is not None:
                continue
            for fault in page.unknown(step, variable, name):
                yield Fault(fault.message, fault.remedy)


def _secrets(page: Page, step: Step) -> Iterator[Fault]:
    """Places where a secret value would be told: what people see says what was looked at."""
    if step.when is not None and step.when.op and page.is_secret(step.when.name):
        told = f"when: {step.when.name} is secret, and the page tells what it is compared with"
        yield Fault(told, f"ask only whether it is there: when={step.when.name}", "when")
    if step.each is not None and page.is_secret(step.each):
        told = f"each: {step.each} is secret, and the page tells each item"
        yield Fault(told, "go through the list within one step", "each")
    for one in step.asserts:
        plain = one.subject in OWN_SUBJECTS or one.subject == step.save
        if not plain and page.is_secret(one.subject):
            told = f"assert: {one.subject} is secret, and the message would tell it"
            yield Fault(told, "remove it, and let the step fail by itself", "assert")


def _messages(page: Page, step: Step) -> Iterator[Fault]:
    if step.kind != "notify":
        return
    for name in dict.fromkeys(messages.variables(step.body)):
        if step.each is not None and (name == ITEM or name.startswith(f"{ITEM}_")):
            continue
        for fault in page.unknown(step, name, "message"):
            yield Fault(fault.message, f"{fault.remedy}; or write $$ for a dollar sign")


RULES: tuple[Callable[[Page, Step], Iterator[Fault]], ...] = (
    _saves,
    _rollbacks,
    _conditions,
    _lists,
    _assertions,
    _queries,
    _calls,
    _secrets,
    _messages,
)
"""One line for each."""
