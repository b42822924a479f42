"""Notify steps: recorded with the step, delivered by the outbox."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from opsbook import people, runs
from opsbook.book import Book, load
from opsbook.notify import Outbox
from opsbook.notify.tables import page
from opsbook.runs.kinds.notify import audience
from tests.notify.sink import Sink
from tests.support.runs import BOOK, START, VOCABULARY, Stage, runbook

AUDIENCE = """
  reached: {{name: Reached, contacts: ["{contact}"]}}
channels:
  chat: {{title: Chat, to: "{chat}"}}
  status: {{title: Status page, to: "{chat}", public: true}}
rotations:
  weekly: {{layers: [{{people: [officer, operator], starts: 2026-03-02}}]}}
teams:
  duty: {{members: [operator, officer, viewer], rotation: weekly}}
  all: {{members: [operator, officer]}}
  loud: {{members: [viewer], channel: chat}}
"""
NOWHERE = "json://127.0.0.1:9/"


def shop(body: str, head: str = "", *, contact: str = NOWHERE, chat: str = NOWHERE) -> Book:
    """A book whose runbook `fix` has this body, with people, teams and channels to tell."""
    people, rest = BOOK.format(file="/nowhere").split("roles:\n", 1)
    person, more = AUDIENCE.format(contact=contact, chat=chat).split("channels:\n", 1)
    text = f"{people.rstrip()}{person.rstrip()}\nroles:\n{rest}\nchannels:\n{more}"
    return load({"book.yaml": text, "runbooks/fix.md": runbook(body, head)}, VOCABULARY)


def say(text: str, has: str) -> str:
    return f"```notify {{#say {has}}}\n{text}\n```\n"


def say_publicly(has: str) -> str:
    return f"```notify {{#publish to=status {has}}}\nWe are down.\n```\n"


async def pages(stage: Stage) -> list[dict[str, Any]]:
    return await stage.database.read(lambda tx: tx.rows(page.select().order_by(page.c.id)))


@contextlib.asynccontextmanager
async def sending(stage: Stage) -> AsyncIterator[None]:
    """An outbox that sends what is recorded."""
    outbox = Outbox(
        stage.database, stage.library, stage.loops, stage.clock, base_url="http://127.0.0.1:1",
    )  # fmt: skip
    await outbox.start(stage.clock.now())
    stage.hub.on("pages", stage.loops.add("pages", outbox.tick))
    stage.loops.start()
    yield
    await outbox.stop()


async def test_a_person_is_told_in_the_inbox_and_not_woken(any_stage: Stage) -> None:
    stage = any_stage
    await stage.publish(shop(say("The shop runs.", "to=reached")))
    run = await stage.run()
    assert (await stage.steps(run))["say"]["message"] == "told 1"
    (row,) = await pages(stage)
    assert (row["person"], row["channel"], row["state"]) == ("reached", "inbox", "sent")
    assert (row["title"], row["body"]) == ("Fix", "The shop runs.")
    assert (row["path"], row["urgent"]) == (f"/runs/{run}#step-say", False)
    assert row["thread"] == f"run:{run}"


async def test_what_is_urgent_reaches_a_person_outside_as_well(stage: Stage) -> None:
    async with Sink() as sink, sending(stage):
        await stage.publish(shop(say("The shop is down.", "to=reached urgent"), contact=sink.url()))
        await stage.run()
        assert [(row["channel"], row["state"]) for row in await pages(stage)] == [
            ("inbox", "sent"), ("apprise", "sent"),
        ]  # fmt: skip
        assert sink.got[0]["message"].startswith("The shop is down.\n")


async def test_a_channel_is_told_whether_it_is_urgent_or_not(any_stage: Stage) -> None:
    stage = any_stage
    async with Sink() as sink, sending(stage):
        await stage.publish(shop(say("It is done.", "to=chat,status"), chat=sink.url()))
        run = await stage.run()
        assert (await stage.steps(run))["say"]["message"] == "told 2"
        internal, public = await pages(stage)
        assert (internal["person"], internal["destination"]) == ("chat", "channel:chat")
        assert (internal["state"], public["state"]) == ("sent", "sent")
        assert (public["path"], public["title"]) == ("", "Shop")
        assert len(sink.got) == 2


def test_a_team_is_its_channel_and_whoever_is_on_duty_or_else_all_of_it() -> None:
    book = shop("- [ ] x\n")
    assert audience(people.Duty(book), ("duty",), START) == (["officer"], [])
    assert audience(people.Duty(book), ("all",), START) == (["operator", "officer"], [])
    assert audience(people.Duty(book), ("loud",), START) == (["viewer"], ["chat"])
    assert audience(people.Duty(book), ("all", "officer", "chat", "loud"), START) == (
        ["operator", "officer", "viewer"], ["chat"],
    )  # fmt: skip
    assert audience(people.Duty(book), ("nobody",), START) == ([], [])


async def test_values_are_put_in_bounded_and_without_control_characters(stage: Stage) -> None:
    head = "params:\n  what: {}\n  long: {default: " + "x" * 600 + "}\n  none: {required: false}"
    body = ("```bash {#give save=found}\nprintf 'a\\033[31mb\\nP1: fake $what'\n```\n") + say(
        "$what costs $$5: ${found}; $none; $long", "to=reached"
    )
    await stage.publish(shop(body, head))
    await stage.run(what="$found; rm -rf / `id`")
    (row,) = await pages(stage)
    start, _, long = row["body"].rpartition("; ")
    assert start == "$found; rm -rf / `id` costs $5: a[31mb P1: fake $what; –"
    assert (len(long), long[-1]) == (500, "…")


async def test_each_item_is_told_once(stage: Stage) -> None:
    head = "params:\n  shops: {type: list, default: [seoul, busan]}"
    await stage.publish(shop(say("$item is moved.", "to=reached each=shops"), head))
    await stage.run()
    assert [row["body"] for row in await pages(stage)] == ["seoul is moved.", "busan is moved."]


async def test_a_finally_step_tells_although_the_run_was_cancelled(stage: Stage) -> None:
    body = "```bash {#change}\ntrue\n```\n```wait {#pause}\n1h\n```\n## Always {.finally}\n" + say(
        "It is over.", "to=reached"
    )
    await stage.publish(shop(body))
    run = await stage.run()
    who = await stage.person("operator")
    await stage.act(runs.cancel, run, who, stage.library.current("shop"), "enough")
    assert (await stage.states(run))["say"] == "succeeded"
    assert [row["body"] for row in await pages(stage)] == ["It is over."]


async def test_a_run_that_started_by_itself_asks_before_it_speaks_in_public(stage: Stage) -> None:
    await stage.publish(
        shop(say("We are down.", "to=reached,chat") + say_publicly("effect=change"))
    )
    run = await stage.run(by="")
    told = [row["person"] for row in await pages(stage)]
    assert (told, await stage.states(run)) == (
        ["reached", "chat"], {"say": "succeeded", "publish": "waiting"},
    )  # fmt: skip
    await stage.answer(run, "officer", "approve")
    assert (await pages(stage))[-1]["person"] == "status"
    assert (await stage.row(run))["state"] == "succeeded"
    refused = await stage.run(by="")
    await stage.answer(refused, "officer", "reject")
    assert (await stage.row(refused))["state"] == "failed"
    assert [row["person"] for row in await pages(stage)].count("status") == 1


async def test_a_public_message_that_is_said_to_change_nothing_asks_nobody(stage: Stage) -> None:
    await stage.publish(shop(say_publicly("effect=read")))
    run = await stage.run(by="")
    assert (await stage.row(run))["state"] == "succeeded"


async def test_a_step_that_reaches_nobody_fails_and_says_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsbook.runs.kinds.notify.audience", lambda *_: ([], []))
    await stage.publish(shop(say("It is done.", "to=all")))
    run = await stage.run()
    assert (await stage.steps(run))["say"]["message"] == "it reaches nobody: all"
    assert (await stage.row(run))["state"] == "failed"


async def test_a_secret_is_never_in_a_message(stage: Stage) -> None:
    head = "params:\n  token: {secret: true}\n"
    body = ("```bash {#make save=key secret}\nprintf 'geheim-%s' 12345\n```\n") + say(
        "token $token, key ${key}", "to=reached,chat"
    )
    await stage.publish(shop(body, head))
    await stage.run(token="hunter2hunter2")
    bodies = {row["body"] for row in await pages(stage) if row["cause"].endswith("notify")}
    assert bodies == {"token ••••, key ••••"}
