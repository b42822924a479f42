"""From a runbook and what it is given to the plan of its run. Values in, a plan out.

A run's course depends on what its steps find, so a plan says three things apart: what is so now
(parameters, a condition on one), what shows only on the way (a saved value, and by which step), and
what must go wrong as things stand. It guesses nothing in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from opsbook.base.quantities import QuantityError
from opsbook.base.secrets import HIDDEN
from opsbook.book import Book, Runbook, Step, check_params
from opsbook.book.coherence import ITEM
from opsbook.book.language import PEOPLE
from opsbook.book.params import items as items_of
from opsbook.runs import items, pausing
from opsbook.runs.dry import faults, sentences
from opsbook.runs.dry.asking import AUTHORED, DISABLED, LINKED, NO_ACCOUNT, STARTED, Ask, ask
from opsbook.runs.dry.model import N_, Around, Fault, Note, Plan, PlannedStep, Used, Value

MOST_DEEP: Final = 4
"""How many runs within one another are shown; what lies deeper is named and not opened."""
MOST_STEPS: Final = 2_000
"""Steps in all: runbooks that call one another ten times each would make a page of millions."""
WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OF_SHELL: Final = re.compile(r"\$\{?[#!]?([A-Za-z_][A-Za-z0-9_]*)")
"""How a shell's text names a variable; a plain word there is a program or a text."""
UNNAMED: Final = PEOPLE | {"notify"}
"""Kinds whose text is for people: a word in it that is also a variable's name means nothing."""
NOTHING_KNOWN: Final = Around()


def plan(
    book: Book,
    runbook: Runbook,
    params: Mapping[str, str],
    now: datetime,
    *,
    around: Around = NOTHING_KNOWN,
    day: date | None = None,
    attended: bool = True,
) -> Plan:
    """Return what a run of `runbook` would do if it were started at `now` with `params`.

    `day` is the run's own, from which phases are counted; today in the book's zone if left out.
    `attended` is whether a person starts it: a run that starts by itself asks before it changes
    anything. Nothing raises for what is wrong with the parameters: the plan says all of it.
    """
    own = day or now.astimezone(ZoneInfo(book.timezone)).date()
    planner = _Planner(book, now, around, own, attended)
    return planner.plan(runbook, {name: Value(text) for name, text in params.items()}, ())


def needed_secrets(book: Book, runbook: Runbook) -> tuple[str, ...]:
    """Return the secrets that the runbook's steps would be given, as references, each once.

    For whoever asks for a plan: it looks up whether each is set, and hands in only that.
    """
    found: dict[str, None] = {}
    seen: set[str] = set()
    left = [runbook]
    while left:
        one = left.pop()
        if one.id in seen:
            continue
        seen.add(one.id)
        for step in one.steps:
            found.update(dict.fromkeys(faults.references(book, step)))
            if step.kind == "run" and (sub := book.runbooks.get(step.runbook)) is not None:
                left.append(sub)
    return tuple(found)


class _Planner:
    """What stays the same in all runs within a plan, and how many steps may still be told."""

    def __init__(
        self, book: Book, now: datetime, around: Around, day: date, attended: bool
    ) -> None:
        self.book = book
        self.now = now
        self.around = around
        self.day = day
        self.attended = attended
        self.left = MOST_STEPS
        self.cut = False
        shut = dict.fromkeys(around.linked, LINKED)
        shut |= {**dict.fromkeys(around.authors, AUTHORED), around.starter: STARTED}
        self.shut = {login: why for login, why in shut.items() if login}
        self.absent = _absent(book, around)

    def plan(self, runbook: Runbook, given: Mapping[str, Value], above: tuple[str, ...]) -> Plan:
        """Return the plan of one runbook; `above` are those whose steps start it."""
        values, found = _values(runbook, given)
        found += faults.of_book(self.book, self.around) if not above else []
        found += faults.of_day(self.book, runbook, self.day)
        draft = _Draft(self, runbook, values, above)
        main = tuple(draft.steps("main"))
        undo = tuple(draft.steps("rollback"))
        always = tuple(draft.steps("finally"))
        return Plan(
            book=self.book.id,
            revision=str(self.book.revision),
            runbook=runbook.id,
            title=runbook.title.in_language(self.book.languages[0]),
            risk=runbook.risk,
            file=runbook.file,
            params=values,
            day=self.day,
            phased=any(step.day for step in runbook.steps),
            steps=main,
            undo=undo,
            always=always,
            lock=runbook.lock,
            held_by=self.around.open_runs if not above else (),
            timeout=runbook.timeout,
            deadline=self._deadline(runbook),
            attended=self.attended,
            faults=(*found, *draft.faults),
            cut=self.cut,
        )

    def _deadline(self, runbook: Runbook) -> datetime | None:
        """Until when it must be over; nothing where one of its days is none, which is a fault."""
        try:
            return pausing.deadline(self.book, runbook, self.day.isoformat(), self.now)
        except pausing.BeyondCalendar:
            return None


class _Draft:
    """The plan of one runbook while it is made: what its steps have saved so far."""

    def __init__(
        self, planner: _Planner, runbook: Runbook, values: Mapping[str, Value],
        above: tuple[str, ...],
    ) -> None:  # fmt: skip
        self.planner = planner
        self.runbook = runbook
        self.above = above
        self.variables: dict[str, Value] = dict(values)
        self.faults: list[Fault] = []
        self.number = 0
        self.asked = planner.attended

    def steps(self, phase: str) -> Iterator[PlannedStep]:
        """Yield the steps of one phase in the order in which they would run."""
        for step in self._in_order(phase):
            if self.planner.left <= 0:
                self.planner.cut = True
                return
            self.planner.left -= 1
            self.number += 1
            yield self._step(step)

    def _in_order(self, phase: str) -> Sequence[Step]:
        """What undoes: the newest first, as if all steps had begun; the rest as it is written."""
        if phase != "rollback":
            return [step for step in self.runbook.steps if step.phase == phase]
        return [
            undoing
            for done in reversed(self.runbook.in_phase("main"))
            for undoing in self.runbook.rollback_for(done.key)
        ]

    def _step(self, step: Step) -> PlannedStep:
        book, planner = self.planner.book, self.planner
        here = dict(self.variables)
        runs, condition = self._condition(step)
        over, repeated = self._items(step)
        if step.each is not None:
            here[ITEM] = Value(None)
        check = self._check(step)
        asked = self._ask(step)
        due = self._due(step)
        told = [*repeated, *sentences.notes(book, step, check), *self._leave(step, runs)]
        sub = self._sub(step, runs)
        if runs is not False:
            self.faults += faults.of_step(book, step, planner.around, check, asked)
        self._save(step, runs)
        undone = any(one.rollback_of for one in self.runbook.steps)
        return PlannedStep(
            number=self.number,
            key=step.key,
            title=step.title,
            section=step.section,
            line=step.line,
            phase=step.phase,
            rollback_of=step.rollback_of,
            kind=step.kind,
            effect=step.effect,
            body=step.body,
            finds=tuple(here),
            uses=tuple(
                Used(name, here[name]) for name in _named(step) if name in here and name != ITEM
            ),
            runs=runs,
            condition=condition,
            items=over,
            notes=tuple(told),
            otherwise=tuple(sentences.otherwise(step, undone=undone)),
            ask=asked,
            due=due,
            target=step.on,
            credential=faults.credential(book, step),
            secrets={one: planner.around.secrets.get(one) for one in faults.references(book, step)},
            sub=sub,
        )

    def _condition(self, step: Step) -> tuple[bool | None, Note | None]:
        """Whether a step's ``when=`` holds: True, False, or None while that cannot be known."""
        if step.when is None:
            return True, None
        named = {"condition": str(step.when)}
        value = self.variables.get(step.when.name)
        if value is not None and not value.known:
            if value.by:
                told = N_("only when %(condition)s, which shows after the step %(step)s")
                return None, Note(told, {**named, "step": value.by})
            return None, Note(N_("only when %(condition)s, and that is not given yet"), named)
        text = value.text if value is not None and value.text is not None else ""
        try:
            holds = step.when.holds({step.when.name: text})
        except QuantityError as error:
            why = str(error) if value is None or not value.secret else "the value is no quantity"
            told = N_("The condition %(condition)s cannot be read: %(why)s.")
            self.faults.append(Fault(Note(told, {**named, "why": why}), step.key))
            return None, Note(N_("only when %(condition)s"), named)
        if holds:
            return True, Note(N_("runs, because %(condition)s"), named)
        return False, Note(N_("is left out: not %(condition)s"), named)

    def _items(self, step: Step) -> tuple[tuple[str, ...] | None, list[Note]]:
        """What a step is repeated over, as far as it is known, and how that is said."""
        if step.each is None:
            return None, []
        value = self.variables.get(step.each)
        param = self.runbook.params.get(step.each)
        at_once = (
            [Note(N_("up to %(n)s at the same time"), {"n": step.at_once})]
            if step.at_once > 1
            else []
        )
        if value is None or value.text is None:
            by = value.by if value is not None else ""
            told = N_("once for each of %(list)s, which the step %(step)s saves")
            missing = N_("once for each of %(list)s, and that is not given yet")
            note = Note(told if by else missing, {"list": step.each, "step": by})
            return None, [note, *at_once]
        found = items_of(param, value.text) if param is not None else ()
        if len(found) > items.MOST:
            told = N_("%(list)s has %(n)s items, and a step is repeated over %(most)s at most.")
            values = {"list": step.each, "n": len(found), "most": items.MOST}
            self.faults.append(Fault(Note(told, values), step.key))
        shown = (HIDDEN,) * len(found) if value.secret else found
        told = N_("once for each of %(list)s: %(n)s times")
        return shown, [Note(told, {"list": step.each, "n": len(found)}), *at_once]

    def _check(self, step: Step) -> str | None:
        """The check that a check step looks at; None where it cannot be known yet."""
        if step.kind != "check":
            return None
        if not step.check.startswith("$"):
            return step.check
        value = self.variables.get(step.check[1:].strip("{}"))
        return value.text if value is not None else step.check

    def _ask(self, step: Step) -> Ask | None:
        if step.kind not in PEOPLE:
            return None
        question = step.body.strip() if step.kind == "approval" else step.title
        return ask(self.planner.book, step, question, self.planner.shut, self.planner.absent)

    def _due(self, step: Step) -> datetime | None:
        zone = ZoneInfo(self.planner.book.timezone)
        try:
            due = pausing.begins(self.planner.book, step, self.planner.day.isoformat())
        except pausing.BeyondCalendar:  # a fault of the whole plan
            return None
        return due.astimezone(zone) if due is not None else None

    def _leave(self, step: Step, runs: bool | None) -> list[Note]:
        """A run that starts by itself asks before its first change, and once."""
        if self.asked or step.effect != "change" or runs is False or step.phase != "main":
            return []
        self.asked = True
        return [Note(N_("asks for an approval first, since nobody started the run by hand"))]

    def _sub(self, step: Step, runs: bool | None) -> Plan | None:
        """The plan of a runbook that the step runs."""
        if step.kind != "run":
            return None
        runbook = self.planner.book.runbooks.get(step.runbook)
        if runbook is None:
            return None
        chain = (*self.above, self.runbook.id)
        if runbook.id in chain:
            told = N_("It runs %(runbook)s, which is what runs it.")
            if runs is not False:
                self.faults.append(Fault(Note(told, {"runbook": runbook.id}), step.key, sure=False))
            return None
        if len(chain) >= MOST_DEEP:
            self.planner.cut = True
            return None
        given = {name: self._argument(text, step) for name, text in step.arguments.items()}
        sub = self.planner.plan(runbook, given, chain)
        if runs is not False:
            self.faults += [
                Fault(one.note, step.key, "", one.sure and runs is True) for one in sub.faults
            ]
        return sub

    def _argument(self, text: str, step: Step) -> Value:
        """What a run within this one is given: a text, or the value of a variable."""
        if not text.startswith("$"):
            return Value(text)
        name = text[1:].strip("{}")
        if name == ITEM and step.each is not None:
            return Value(None, step.key)
        return self.variables.get(name, Value(""))

    def _save(self, step: Step, runs: bool | None) -> None:
        """Note what the step saves: nothing, if it is left out for sure."""
        if step.save is None:
            return
        known = self.variables.get(step.save)
        secret = bool(getattr(step, "secret", False))
        if runs is False:
            self.variables.setdefault(step.save, Value("", step.key))
        elif runs is None and known is not None and known.by:
            self.variables[step.save] = Value(None, known.by, secret)
        else:
            self.variables[step.save] = Value(None, step.key, secret)


def _values(runbook: Runbook, given: Mapping[str, Value]) -> tuple[dict[str, Value], list[Fault]]:
    """The values of all parameters, and everything that is wrong with what was given."""
    later = {name for name, value in given.items() if value.text is None}
    known = {name: one.text for name, one in given.items() if one.text is not None}
    checked, problems = check_params(runbook, known)
    found = [
        Fault(Note(str(one)), param=one.name) for one in problems if one.name not in later
    ]  # fmt: skip
    values: dict[str, Value] = {}
    for name, param in runbook.params.items():
        hidden = param.secret or (name in given and given[name].secret)
        if name in later:
            values[name] = Value(None, given[name].by, hidden)
        else:
            values[name] = Value(checked.get(name), secret=hidden)
    return values, found


def _named(step: Step) -> Iterable[str]:
    """The names of variables that a step mentions, in the order of their first place."""
    found: dict[str, None] = {}
    for text in (step.when.name if step.when else "", step.each or ""):
        found.update(dict.fromkeys(WORD.findall(text)))
    found.update(dict.fromkeys(one.subject for one in step.asserts))
    if step.kind not in UNNAMED:
        form = OF_SHELL if step.kind in {"bash", "sh"} else WORD
        found.update(dict.fromkeys(form.findall(step.body)))
    return found


def _absent(book: Book, around: Around) -> dict[str, str]:
    """The logins of the book's people that could not sign in, and why; none if nobody looked."""
    if around.accounts is None:
        return {}
    found: dict[str, str] = {}
    for person in book.people.values():
        account = around.accounts.get(person.login)
        if account is None:
            found[person.login] = NO_ACCOUNT
        elif not account.enabled:
            found[person.login] = DISABLED
    return found
