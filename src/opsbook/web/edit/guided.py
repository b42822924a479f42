"""The usual edits as plain forms: thresholds of a check with its rules, a rotation, a team's order.

A form is made from the files as the draft has them, and given back as new texts of these files;
what it cannot change without touching something else is for somebody to edit as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from opsbook.base.errors import NotFound
from opsbook.book import Book, editing, yamlpos
from opsbook.book.editing import CannotEdit
from opsbook.book.measures import MEASURES
from opsbook.book.positions import Path
from opsbook.web import words
from opsbook.web.edit.desk import Desk
from opsbook.web.handbook import names
from opsbook.web.i18n import N_, Speech

SECTIONS: Final = ("checks", "rotations", "teams")
OVERRIDE: Final = (
    ("from", N_("From"), N_("Such as 2026-12-24 09:00, in the rotation's time zone.")),
    ("to", N_("Until"), N_("A day alone means its end.")),
)
Choices = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Slot:
    """One value of the book as an input. With ``several`` it is one place in a list."""

    name: str
    label: str
    file: str
    path: Path
    value: str
    hint: str = ""
    choices: Choices = ()
    several: bool = False


@dataclass(frozen=True)
class Group:
    """Inputs that belong to one element."""

    title: str
    where: str
    slots: list[Slot]


@dataclass(frozen=True)
class Form:
    """``adds`` is the list that an override is added to, and the people to choose from."""

    section: str
    id: str
    title: str
    file: str
    line: str
    groups: list[Group]
    adds: Path = ()
    people: Choices = ()
    files: list[str] = field(default_factory=list)


def at(book: Book, path: str, line: str) -> tuple[str, str] | None:
    """Return which form edits the element that begins at a line of a file."""
    if not line.isdigit():
        return None
    for section in (*SECTIONS, "rules"):
        for one in getattr(book, section):
            mark = book.positions.key((section, one))
            if mark is not None and (mark.file, str(mark.line)) == (path, line):
                return _form_of(book, section, one)
    return None


def _form_of(book: Book, section: str, element: str) -> tuple[str, str] | None:
    """A rule is in its check's form, and a team by turns in its rotation's."""
    if section == "rules":
        check = book.rules[element].check
        return ("checks", check) if check is not None else None
    turns = book.teams[element].rotation if section == "teams" else None
    return ("rotations", turns) if turns is not None else (section, element)


def form(speech: Speech, desk: Desk, section: str, element: str) -> Form:
    """Return the form of an element.

    Raises:
        NotFound: the book has no such element.
        CannotEdit: the file cannot be read as the draft has it.
    """
    held = getattr(desk.book, section) if section in SECTIONS else {}
    if element not in held:
        raise NotFound(f"The book {desk.book.id} has no {section} {element!r} that a form edits.")
    maker = {"checks": _check, "rotations": _rotation, "teams": _team}[section]
    made = maker(_Maker(speech, desk), element)
    made.files.extend(dict.fromkeys(slot.file for one in made.groups for slot in one.slots))
    return made


def applied(made: Form, desk: Desk, fields: Mapping[str, str]) -> dict[str, str]:
    """Return the files that a filled-in form changes, with their new texts.

    Raises:
        CannotEdit: a value cannot be changed by itself.
    """
    texts = {file: desk.files[file] for file in made.files}
    lists: dict[tuple[str, Path], list[str]] = {}
    for slot in (slot for group in made.groups for slot in group.slots):
        given = fields.get(slot.name, slot.value).strip()
        if slot.several:
            lists.setdefault((slot.file, slot.path), []).append(given)
        elif given != slot.value:
            if not given:
                raise CannotEdit(
                    f"{slot.label} is empty now, and a form leaves nothing out.",
                    remedy="Edit it as text to remove it.",
                )
            texts[slot.file] = editing.put(texts[slot.file], slot.file, slot.path, given)
    before = _lists(made)
    for (file, path), given_names in lists.items():
        chosen = [one for one in given_names if one]
        if chosen != before[file, path]:
            texts[file] = editing.put(texts[file], file, path, chosen)
    if made.adds and any(fields.get(f"override.{name}", "").strip() for name in _ADDED):
        given_values = {name: fields.get(f"override.{name}", "").strip() for name in _ADDED}
        value = {name: one for name, one in given_values.items() if one}
        texts[made.file] = editing.append(texts[made.file], made.file, made.adds, value)
    return texts


_ADDED: Final = ("from", "to", "person", "reason")


def _lists(made: Form) -> dict[tuple[str, Path], list[str]]:
    found: dict[tuple[str, Path], list[str]] = {}
    for slot in (slot for group in made.groups for slot in group.slots if slot.several):
        kept = found.setdefault((slot.file, slot.path), [])
        if slot.value:
            kept.append(slot.value)
    return found


class _Maker:
    """Looks values up as they are written, file by file, each read once."""

    def __init__(self, speech: Speech, desk: Desk) -> None:
        self.speech, self.desk, self.book = speech, desk, desk.book
        self._data: dict[str, Any] = {}

    def place(self, *path: str) -> tuple[str, str]:
        """Return the file and the line of an element."""
        file, _, line = self.book.where(*path).rpartition(":")
        if file not in self.desk.files or self.raw(file, path) is None:
            raise CannotEdit(
                f"{' '.join(path)} is not where it was in {file}.", remedy="Edit it as text."
            )
        return file, line

    def raw(self, file: str, path: Path) -> Any:
        if file not in self._data:
            reading = yamlpos.read(self.desk.files[file], file)
            if reading.problems:
                raise CannotEdit(
                    f"{file} cannot be read as it is: {reading.problems[0]}",
                    remedy="Edit it as text.",
                )
            self._data[file] = reading.data
        return editing.value_at(self._data[file], path)

    def slot(
        self, label: str, file: str, path: Path, hint: str = "", choices: Choices = ()
    ) -> Slot:
        found = self.raw(file, path)
        say = self.speech.say
        return Slot(
            ".".join(map(str, path)), say(label), file, path,
            "" if found is None else str(found), say(hint) if hint else "", choices,
        )  # fmt: skip

    def order(self, label: str, file: str, path: Path, choices: Choices) -> list[Slot]:
        """One input for each place in a list of people, and one more."""
        found = self.raw(file, path)
        names = [str(one) for one in found] if isinstance(found, list) else []
        known = {name for name, _ in choices}
        options = (*choices, *((one, one) for one in names if one not in known))
        name = ".".join(map(str, path))
        return [
            Slot(
                f"{name}.{n}", self.speech.say(label, n=n + 1), file, path, one,
                choices=(("", "–"), *options), several=True,
            )
            for n, one in enumerate([*names, ""])
        ]  # fmt: skip

    def people(self, only: tuple[str, ...] | None = None) -> Choices:
        chosen = self.book.people.values()
        return tuple(
            (one.id, words.text(self.speech, one.name) or one.id)
            for one in chosen
            if only is None or one.id in only
        )

    def title(self, section: str, element: str) -> str:
        found = getattr(getattr(self.book, section)[element], "title", None)
        return words.text(self.speech, found) if found else element


def _check(make: _Maker, element: str) -> Form:
    file, line = make.place("checks", element)
    here: Path = ("checks", element)
    band = N_("A comparison, such as > 85%, >= 10 or < 30d.")
    slots = [
        make.slot(N_("Looks every"), file, (*here, "every"), N_("Such as 30s, 5m or 1h.")),
        make.slot(N_("Warning from"), file, (*here, "bands", "warning"), band),
        make.slot(N_("Critical from"), file, (*here, "bands", "critical"), band),
    ]
    if make.raw(file, (*here, "bands", "normal")) is not None:
        slots.insert(1, make.slot(N_("Normal"), file, (*here, "bands", "normal"), band))
    title = make.title("checks", element)
    groups = [Group(make.speech.say("The check"), f"{file}:{line}", slots)]
    severities = tuple(
        (one.id, f"{one.id} {words.text(make.speech, one.title)}".strip())
        for one in make.book.severities.values()
    )
    for rule in make.book.rules.values():
        if rule.check != element:
            continue
        there, row = make.place("rules", rule.id)
        path: Path = ("rules", rule.id)
        groups.append(
            Group(
                make.speech.say("Rule %(rule)s", rule=make.title("rules", rule.id)),
                f"{there}:{row}",
                [
                    *_fires(make, there, (*path, "when")),
                    make.slot(N_("Held for"), there, (*path, "for"),
                              N_("How long it must hold before anybody is told.")),
                    make.slot(N_("Severity"), there, (*path, "severity"), choices=severities),
                ],
            )
        )  # fmt: skip
    return Form("checks", element, title, file, line, groups)


def _fires(make: _Maker, file: str, path: Path) -> list[Slot]:
    """A condition as it is written: one text, or a measure's band and the time it is taken over."""
    when = make.raw(file, path)
    if not isinstance(when, Mapping):
        hint = N_("warning, critical, nodata, or a comparison.")
        return [make.slot(N_("Fires when"), file, path, hint)]
    slots = []
    for name in when:
        if name in MEASURES:
            band = make.slot(N_("Fires when"), file, (*path, name))
            slots.append(replace(band, hint=names.key(make.speech, name, "Condition")))
    if "over" in when:
        slots.append(make.slot(N_("Measured over"), file, (*path, "over")))
    return slots


def _rotation(make: _Maker, element: str) -> Form:
    file, line = make.place("rotations", element)
    groups = []
    layers = make.book.rotations[element].layers
    for n, _ in enumerate(layers):
        here: Path = ("rotations", element, "layers", n)
        if make.raw(file, here) is None:
            continue
        slots = make.order(N_("Turn %(n)s"), file, (*here, "people"), make.people())
        slots += [
            make.slot(N_("Length of a turn"), file, (*here, "shift"), N_("Such as 12h, 1d or 1w.")),
            make.slot(N_("Starts"), file, (*here, "starts"),
                      N_("When the first turn began; hand-overs are at this time of day.")),
        ]  # fmt: skip
        several = len(layers) > 1
        title = make.speech.say("Layer %(n)s", n=n + 1) if several else make.speech.say("Turns")
        groups.append(Group(title, f"{file}:{line}", slots))
    return Form(
        "rotations", element, make.title("rotations", element), file, line, groups,
        adds=("rotations", element, "overrides"), people=make.people(),
    )  # fmt: skip


def _team(make: _Maker, element: str) -> Form:
    file, line = make.place("teams", element)
    members = make.book.teams[element].members
    slots = make.order(N_("Place %(n)s"), file, ("teams", element, "on_duty"), make.people(members))
    group = Group(make.speech.say("Who is called, in this order"), f"{file}:{line}", slots)
    return Form("teams", element, make.title("teams", element), file, line, [group])
