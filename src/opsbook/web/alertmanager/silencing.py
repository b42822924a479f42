"""Silences of this interface: listed, set, looked at, expired."""

from __future__ import annotations

from opsbook.alerts import silences
from opsbook.alerts.pipeline import view
from opsbook.alerts.silences import Silence, Wanted
from opsbook.alerts.silences.store import KEPT
from opsbook.base.errors import NotFound
from opsbook.web.alertmanager import forms
from opsbook.web.alertmanager.asking import Answer, Asked

ORDER = {"active": 0, "pending": 1, "expired": 2}


async def listed(asked: Asked) -> Answer:
    """List silences: those that hold first, by when they end; those that are over last."""
    matchers = forms.filters(asked.query.get("filter", []))
    now, book = asked.now(), asked.door.book.id
    found = await asked.app.database.read(
        lambda tx: silences.list_of(tx, book, now, over_since=now - KEPT)
    )
    wanted = [one for one in found if view.passes(matchers, _labels(one))]
    wanted.sort(key=lambda one: one.ends_at)
    wanted.sort(key=lambda one: ORDER[one.state(now)])
    return Answer(200, [forms.silence_form(one, now) for one in wanted])


def _labels(one: Silence) -> dict[str, str]:
    return {each.name: each.value for each in one.matchers}


async def post(asked: Asked) -> Answer:
    """Set a silence, or change one."""
    form, matchers = forms.silence(asked.body)
    now, book = asked.now(), asked.door.book.id
    who = form.createdBy or (asked.who.login if asked.who is not None else "")
    wanted = Wanted(matchers, form.startsAt, form.endsAt, who, form.comment, form.id or "")
    if wanted.uuid:
        before = await asked.app.database.read(lambda tx: silences.get(tx, wanted.uuid))
        if before is not None and before.recurs:  # its form here has no word for when it recurs
            wanted = Wanted(
                matchers, before.starts_at, form.endsAt, who, form.comment, before.uuid,
                before.schedule, before.length, before.timezone,
            )  # fmt: skip
    made = await asked.app.database.write(
        lambda tx: silences.put(tx, now, book, wanted, asked.actor)
    )
    return Answer(200, {"silenceID": made.uuid})


async def one(asked: Asked) -> Answer:
    """Return one silence."""
    found = await asked.app.database.read(lambda tx: silences.get(tx, asked.name))
    if found is None or found.book != asked.door.book.id:
        raise NotFound(f"silence {asked.name[:64]!r} not found")
    return Answer(200, forms.silence_form(found, asked.now()))


async def delete(asked: Asked) -> Answer:
    """Expire a silence."""
    now, book = asked.now(), asked.door.book.id
    await asked.app.database.write(
        lambda tx: silences.expire(tx, now, book, asked.name, asked.actor)
    )
    return Answer(200)
