"""The same timelines through a real Alertmanager and through Opsbook: the same messages."""

import asyncio
import contextlib
import logging
import pprint
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from opsbook.alerts.exchange import alertmanager_in
from opsbook.app import build
from opsbook.settings import Settings
from tests.alerts.pipeline import timelines
from tests.alerts.pipeline.timelines import TIMELINES, End, Fire, Silence, Timeline
from tests.support.alertmanager import Ears, Heard, listening, running_alertmanager

LAST = 16.0
TOLERANCE = 2.5
"""Seconds by which a message may come sooner or later than Alertmanager's, on a busy machine."""

BOOK = """\
id: shop
title: Shop
timezone: UTC
people: {lead: {name: Lead, roles: [lead]}}
roles: {lead: ["*:admin"]}
severities: {P1: {title: Down}, P2: {title: Slow}}
"""


@dataclass
class Side:
    """One of the two: where it answers, and what its receivers heard."""

    url: str
    ears: Ears
    silences: dict[str, list[str]] = field(default_factory=dict)


@contextlib.asynccontextmanager
async def played(
    folder: Path, lines: Sequence[Timeline] = TIMELINES
) -> AsyncIterator[tuple[Side, Side]]:
    """Play timelines to both, and give what both told."""
    async with listening() as theirs, listening() as ours:
        book = folder / "book"
        book.mkdir(parents=True)
        write_book(book, yaml.safe_dump(timelines.configuration(f"http://127.0.0.1:{ours.port}")))
        app = build(Settings(books=(book,), data=folder / "data", listen=("127.0.0.1", 0)))
        await app.start()
        try:
            yml = yaml.safe_dump(timelines.configuration(f"http://127.0.0.1:{theirs.port}"))
            with running_alertmanager(yml) as url:
                sides = Side(url, theirs), Side(app.url, ours)
                await play(sides, lines)
                yield sides
        finally:
            await app.stop()


def write_book(folder: Path, text: str) -> None:
    (folder / "book.yaml").write_text(BOOK)
    imported = alertmanager_in.read(text, "alertmanager.yml")
    for name, content in imported.files.items():
        loopback = content.replace("events: [alerts]", "events: [alerts]\n    loopback: true")
        (folder / name).write_text(content if "loopback" in content else loopback)


async def play(sides: tuple[Side, Side], lines: Sequence[Timeline]) -> None:
    """Hand the timelines' steps in to both at their moments."""
    begun = time.monotonic()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for one in lines:
            group.create_task(play_one(session, sides, one, begun))
    await asyncio.sleep(max(0.0, begun + LAST - time.monotonic()))


async def play_one(
    session: aiohttp.ClientSession, sides: tuple[Side, Side], one: Timeline, begun: float
) -> None:
    starts: dict[str, datetime] = {}
    for at, act in one.steps:
        await asyncio.sleep(max(0.0, begun + at - time.monotonic()))
        now = datetime.now(UTC)
        match act:
            case Fire() | End():
                body = timelines.body(act, one.name, now, starts)
                await asyncio.gather(
                    *(post(session, f"{s.url}/api/v2/alerts", body) for s in sides)
                )
            case Silence():
                wanted = timelines.silence(act, one.name, now)
                for side in sides:
                    made = await post(session, f"{side.url}/api/v2/silences", wanted)
                    side.silences.setdefault(one.name, []).append(made["silenceID"])
            case _:
                for side in sides:
                    for id in side.silences.pop(one.name, []):
                        async with session.delete(f"{side.url}/api/v2/silence/{id}") as answer:
                            assert answer.status == 200, await answer.text()


async def post(session: aiohttp.ClientSession, url: str, body: Any) -> Any:
    async with session.post(url, json=body) as answer:
        assert answer.status == 200, (url, answer.status, await answer.text())
        return await answer.json() if answer.content_length else None


def told(heard: list[Heard]) -> list[dict[str, Any]]:
    """What messages say, without what cannot be the same: who sent them, and times to a second."""
    return [
        {
            "group": one.body["groupKey"],
            "status": one.body["status"],
            "labels": one.body["groupLabels"],
            "common": one.body["commonLabels"],
            "annotations": one.body["commonAnnotations"],
            "alerts": [
                (each["status"], each["labels"], each["annotations"], each["fingerprint"],
                 each["startsAt"][:22], each["generatorURL"], each["endsAt"].startswith("0001"))
                for each in one.body["alerts"]
            ],
        }
        for one in heard
    ]  # fmt: skip


def by_group(heard: list[Heard]) -> dict[str, list[Heard]]:
    found: dict[str, list[Heard]] = {}
    for one in heard:
        found.setdefault(one.body["groupKey"], []).append(one)
    return found


@pytest.mark.timeout(180)
async def test_receivers_are_told_the_same_as_by_alertmanager(tmp_path: Path) -> None:
    """All timelines in one test: they are played at the same time, which takes as long as one.

    A machine that is held up for a second moves a step past one side's next look at a group, which
    either side then tells an interval later. So what differs is played once more with little beside
    it: what is really different stays so.
    """
    async with played(tmp_path / "all") as sides:
        assert len(sides[0].ears.heard) >= len(TIMELINES), "Alertmanager told too little"
        first = differences(sides, TIMELINES)
    if not first:
        return
    logging.getLogger(__name__).warning("played again: %s", pprint.pformat(first, width=150))
    again = [one for one in TIMELINES if one.name in first]
    async with played(tmp_path / "again", again) as sides:
        second = differences(sides, again)
    assert not second, pprint.pformat(second, width=150)


def differences(sides: tuple[Side, Side], lines: Sequence[Timeline]) -> dict[str, Any]:
    """What receivers were told differently, by timeline and the path of the receiver."""
    differ: dict[str, Any] = {}
    for one in lines:
        for output in one.outputs:
            found = difference(*(side.ears.at(f"/{one.name}{output}") for side in sides))
            if found:
                differ.setdefault(one.name, {})[f"/{one.name}{output}"] = found
    return differ


def difference(theirs: list[Heard], ours: list[Heard]) -> Any:
    """How two receivers were told differently; nothing where they were not."""
    grouped, mine = by_group(theirs), by_group(ours)
    both = [{name: told(heard) for name, heard in one.items()} for one in (grouped, mine)]
    if both[0] != both[1]:
        return {"alertmanager": both[0], "opsbook": both[1]}
    apart = {
        name: [round(b.at - a.at, 2) for a, b in zip(heard, mine[name], strict=True)]
        for name, heard in grouped.items()
    }
    late = {name: some for name, some in apart.items() if any(abs(s) > TOLERANCE for s in some)}
    return {"apart": late} if late else None
