"""A runbook's page: what it takes, how its steps read, and which of them undo or always run."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from opsbook.book import Book, Runbook, Step
from opsbook.book.runbook import Section
from opsbook.web import words
from opsbook.web.handbook import special
from opsbook.web.i18n import Speech
from opsbook.web.startform import TYPES


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
        if param.label:
            accepts.append(speech.say("from the alert's label %(name)s", name=param.label))
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


def about(speech: Speech, book: Book, runbook: Runbook) -> list[tuple[str, Markup]]:
    """Return what holds for the whole runbook: whose it is, how long it may take, its lock."""
    reader = special.reader(speech, book)
    told: list[tuple[str, Markup]] = []
    if runbook.owner:
        told.append((speech.say("Owner"), reader.named(special.OWNERS, runbook.owner)))
    if runbook.timeout is not None:
        told.append((speech.say("At most"), Markup("{}").format(
            words.length(speech, runbook.timeout))))  # fmt: skip
    if runbook.lock:
        told.append(
            (
                speech.say("One at a time"),
                Markup('<span class="mono">{}</span>').format(runbook.lock),
            )
        )
    for path, said in book.assumed.items():
        if path[:2] == ("runbooks", runbook.id) and said.assumed:
            why = speech.say("assumed: %(why)s", why=said.reason)
            key = ".".join(map(str, path[2:]))
            told.append((key, Markup('<span class="muted">{}</span>').format(why)))
    return told


def section(speech: Speech, one: Section) -> Markup:
    """Return what stands beside a heading: whether what follows undoes something or always runs."""
    said = []
    if one.phase == "rollback":
        told = (
            speech.say("undoes %(step)s", step=one.rollback_of)
            if one.rollback_of
            else speech.say("to undo")
        )
        said.append(Markup(' <span class="tag change">{}</span>').format(told))
    elif one.phase == "finally":
        told = speech.say("always runs at the end")
        said.append(Markup(' <span class="tag">{}</span>').format(told))
    if one.day:
        said.append(Markup(' <span class="tag">{}</span>').format(one.day))
    return Markup("").join(said)


def step(speech: Speech, book: Book, runbook: Runbook, one: Step, body: Markup) -> Markup:
    """Return a step as a block: what kind, what it may do, how long, and where it is written."""
    if one.kind == "manual":
        by = _roles(speech, book, one)
        told = speech.html("by %(who)s", who=by) if by else speech.say("by a person")
        return Markup('<span class="tag">{}</span> ').format(told)
    source = f"/book/{quote(book.id)}/files/{quote(runbook.file)}#L{one.line}"
    told = Markup(" ").join(
        Markup("<span>{}</span>").format(part) for part in _bar(speech, book, one)
    )
    link = Markup('<a class="source" href="{}">{}:{}</a>').format(source, runbook.file, one.line)
    if one.kind == "approval":
        body = Markup('<p class="body">{}</p>').format(one.body.strip())
    elif one.kind == "check" and one.check in book.checks:
        named = special.reader(speech, book).named(("checks",), one.check)
        body = Markup('<p class="body">{}</p>').format(named)
    elif one.kind == "run" and one.runbook in book.runbooks:
        named = special.reader(speech, book).named(("runbooks",), one.runbook)
        given = ", ".join(f"{name}: {value}" for name, value in one.arguments.items())
        body = Markup('<p class="body">{} <span class="muted">{}</span></p>').format(named, given)
    return Markup('<div class="block" id="step-{}"><div class="bar">{} {}</div>{}</div>').format(
        one.key, told, link, body
    )


def _bar(speech: Speech, book: Book, one: Step) -> list[Any]:
    say = speech.say
    told: list[Any] = [Markup('<b class="mono">{}</b>').format(one.key)]
    if one.kind == "approval":
        by = _roles(speech, book, one) or say("anybody who may run things here")
        who = speech.html("waits for %(who)s", who=by)
        told.append(Markup("{} × {}").format(who, one.need) if one.need > 1 else who)
        if one.within is not None:
            told.append(say("within %(span)s", span=words.length(speech, one.within)))
    elif one.kind == "check":
        told.append(
            say("must hold for %(span)s", span=words.length(speech, one.for_))
            if one.for_
            else say("must hold")
        )
    else:
        told.append(one.kind)
        changes = one.effect == "change"
        word = say("changes something") if changes else say("only reads")
        tag = Markup('<span class="tag {}">{}</span>')
        told.append(tag.format("change" if changes else "", word))
        told.append(say("at most %(span)s", span=words.length(speech, one.timeout)))
    told += _conditions(speech, book, one)
    if one.retry:
        told.append(say("tried again %(n)s times", n=one.retry))
    if one.save:
        told.append(say("saves %(name)s", name=one.save))
    return told


def _conditions(speech: Speech, book: Book, one: Step) -> list[Any]:
    """What decides whether a step runs, where, whom it tells, and what its output must be."""
    say, reader = speech.say, special.reader(speech, book)
    told: list[Any] = []
    if one.when is not None:
        told.append(say("only when %(condition)s", condition=one.when))
    if one.each:
        told.append(say("for each of %(list)s", list=one.each))
    if one.on:
        told.append(say("on %(target)s", target=one.on))
    if one.to:
        named = Markup(", ").join(reader.named((*special.OWNERS, "channels"), x) for x in one.to)
        told.append(speech.html("tells %(who)s", who=named))
    for pattern, sentence in ((one.expect, say("output has")), (one.reject, say("output lacks"))):
        if pattern:
            told.append(Markup("{} <code>{}</code>").format(sentence, pattern))
    if one.asserts:
        told.append(say("must be %(numbers)s", numbers=", ".join(map(str, one.asserts))))
    return told


def _roles(speech: Speech, book: Book, one: Step) -> Markup:
    reader = special.reader(speech, book)
    return Markup(", ").join(reader.named(("roles",), role) for role in one.roles)
