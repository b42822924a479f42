"""Alerts of this interface: taken, listed, in their groups, and the receivers there are."""

from __future__ import annotations

from collections.abc import Callable

import re2

from opsbook.alerts.intake.posted import encode
from opsbook.alerts.pipeline import view
from opsbook.alerts.pipeline.view import Standing
from opsbook.base.errors import Invalid
from opsbook.web.alertmanager import forms
from opsbook.web.alertmanager.asking import Answer, Asked
from opsbook.web.alertmanager.forms import InvalidAlert

MOST_NAMED = 20


async def post(asked: Asked) -> Answer:
    """Take alerts: they are on disk before this answers. The good of a batch are taken anyway."""
    doors, door, now = asked.doors, asked.door, asked.now()
    try:
        good, bad, clean = forms.alerts(asked.body)
    except InvalidAlert as error:
        doors.refuse(door, error.message)
        raise
    doors.allow(door, len(good))
    if good:
        body = asked.body if clean else encode(good)
        source = door.intake.id
        await doors.accepting.take_encoded(now, door.book.id, source, body.strip(), len(good))
    if bad:
        told = "; ".join(bad[:MOST_NAMED])
        doors.accepting.refuse(now, door.book.id, door.intake.id, len(bad), told)
        raise InvalidAlert(told)
    return Answer(200)


async def get(asked: Asked) -> Answer:
    """List alerts that are not over, as far as the query wants them."""
    wanted = _wanted(asked)
    memory, now = await asked.memory(), asked.now()
    found = [one for one in view.standings(memory, asked.door.book.id, now) if wanted(one)]
    shown = [forms.alert_form(one, now, asked.app.url) for one in found]
    return Answer(200, sorted(shown, key=lambda one: str(one["fingerprint"])))


async def groups(asked: Asked) -> Answer:
    """List groups, with their alerts as far as the query wants them."""
    wanted = _wanted(asked, by_receiver=False)
    receiver = _receiver(asked)
    memory, now, url = await asked.memory(), asked.now(), asked.app.url
    found = []
    for group, alerts in view.groups(memory, asked.door.book.id, now):
        if not receiver(group.node.receiver):
            continue
        standing = [view.standing(memory, one, now) for one in alerts]
        shown = [forms.alert_form(one, now, url) for one in standing if wanted(one)]
        if shown:
            receiver_form = {"name": group.node.receiver}
            found.append({"alerts": shown, "labels": group.labels, "receiver": receiver_form})
    return Answer(200, found)


async def receivers(asked: Asked) -> Answer:
    """List who may be told, by name."""
    memory = await asked.memory()
    routing = memory.routings.get(asked.door.book.id)
    names = {node.receiver for node in routing.root.all()} if routing is not None else set()
    names |= set(asked.door.book.receivers)
    return Answer(200, [{"name": name} for name in sorted(names)])


def _receiver(asked: Asked) -> Callable[[str], bool]:
    pattern = asked.query.get("receiver", [""])[-1]
    if not pattern:
        return lambda _: True
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error:
        raise Invalid(f"failed to parse receiver param: {pattern[:80]!r} is no pattern") from None
    return lambda name: compiled.fullmatch(name) is not None


def _wanted(asked: Asked, *, by_receiver: bool = True) -> Callable[[Standing], bool]:
    """Return which alerts a query wants; raises Invalid."""
    active, silenced = asked.flag("active"), asked.flag("silenced")
    inhibited = asked.flag("inhibited")
    asked.flag("unprocessed")
    matchers = forms.filters(asked.query.get("filter", []))
    receiver = _receiver(asked)

    def wanted(one: Standing) -> bool:
        return (
            (active or one.state != "active")
            and (silenced or not one.silenced_by)
            and (inhibited or not one.inhibited_by)
            and view.passes(matchers, one.alert.labels)
            and (not by_receiver or any(receiver(node.receiver) for node in one.nodes))
        )

    return wanted
