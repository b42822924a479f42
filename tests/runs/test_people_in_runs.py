"""People in a run: who answers, how many, until when, and what they leave behind."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from opsbook import audit, runs
from opsbook.access import Principal, approvals, tokens
from opsbook.access.errors import NotApproved, Settled, Voted
from opsbook.audit.entries import timeline
from opsbook.base.database import Transaction
from opsbook.base.errors import Conflict, Invalid, NotFound, Refused
from opsbook.book import load
from opsbook.notify.tables import page
from opsbook.runs import attaching, confirmations
from opsbook.runs.tables import run, wait
from tests.runs.crew import (
    AGREE,
    ASK_TWO,
    BACK,
    BOOK,
    BROKEN,
    CHANGE,
    DAY,
    HAND,
    HOUR,
    MINUTE,
    account,
    begun,
    excluded,
    pages,
    shop,
    start,
    vote,
)
from tests.support.runs import VOCABULARY, Stage, runbook

# ---- several people -----------------------------------------------------------------------------


async def test_two_people_of_any_of_its_roles_approve_and_then_it_goes_on(any_stage: Stage) -> None:
    stage = any_stage
    run_id, _ = await begun(stage, ASK_TWO + CHANGE)
    assert (await stage.waits(run_id))[0]["role"] == "security,dba"
    with pytest.raises(NotApproved, match="security or dba"):
        await vote(stage, run_id, "relief")
    assert await vote(stage, run_id, "dba") == "open"
    with pytest.raises(Settled, match="1 of 2 did"):
        await vote(stage, run_id, "dba")
    assert stage.ran() == []
    assert await vote(stage, run_id, "second") == "approved"
    assert stage.ran() == ["change"]
    assert (await stage.steps(run_id))["agree"]["message"] == "approved by dba, second"


async def test_a_run_can_move_as_soon_as_its_answer_is_there(any_stage: Stage) -> None:
    """Not when somebody hears of it: a server that stops in between leaves nothing to be heard."""
    stage = any_stage
    run_id, book = await begun(stage, ASK_TWO + CHANGE)
    asked = (await stage.waits(run_id))[0]["approval_id"]
    people = [await stage.person(login) for login in ("dba", "second")]
    states = []

    def both(tx: Transaction) -> None:
        for who in people:
            runs.vote(tx, stage.clock.now(), asked, who, book, "approve")
            states.append(tx.scalar(sa.select(run.c.state).where(run.c.id == run_id)))

    await stage.write(both)
    assert states == ["waiting", "running"]
    await stage.settle()
    assert stage.ran() == ["change"]


async def test_one_no_is_enough_whatever_the_quorum(stage: Stage) -> None:
    run_id, _ = await begun(stage, ASK_TWO + CHANGE)
    await vote(stage, run_id, "dba")
    assert await vote(stage, run_id, "second", "reject") == "rejected"
    assert (await stage.row(run_id))["reason"].endswith("rejected by second")
    assert stage.ran() == []


async def test_an_approval_that_only_some_gave_in_time_says_how_many(stage: Stage) -> None:
    run_id, _ = await begun(stage, ASK_TWO + CHANGE)
    await vote(stage, run_id, "dba")
    await stage.wind(4 * HOUR)
    assert (await stage.row(run_id))["reason"].endswith("only 1 of 2 approved within 4h")
    assert stage.ran() == []


async def test_a_manual_step_takes_as_many_people_as_it_needs_each_once(any_stage: Stage) -> None:
    stage = any_stage
    body = HAND.replace("by=responder", 'by="responder, dba" need=2')
    run_id, book = await begun(stage, body)
    one, two = await stage.person("operator"), await stage.person("dba")
    with pytest.raises(Refused, match="'responder' or 'dba'"):
        await stage.act(runs.confirm, run_id, "count", await stage.person("viewer"), book)
    await stage.act(runs.confirm, run_id, "count", one, book, note="forty-one")
    with pytest.raises(Conflict, match="1 of 2 did"):
        await stage.act(runs.confirm, run_id, "count", one, book)
    assert (await stage.row(run_id))["state"] == "waiting"
    await stage.act(runs.confirm, run_id, "count", two, book, note="forty-one, too")
    assert (await stage.row(run_id))["state"] == "succeeded"
    step = (await stage.steps(run_id))["count"]
    assert step["message"] == "done by operator, dba"
    said = await stage.write(lambda tx: confirmations.of_step(tx, step["id"]))
    assert [row["note"] for row in said] == ["forty-one", "forty-one, too"]
    actions = await stage.actions(run_id)
    assert actions[-3:] == ["step.confirmed_partly", "step.confirmed", "run.succeeded"]


async def test_a_manual_step_that_only_some_did_in_time_says_how_many(stage: Stage) -> None:
    run_id, book = await begun(stage, HAND.replace("by=responder", "need=2 within=1h"))
    await stage.act(runs.confirm, run_id, "count", await stage.person("operator"), book)
    await stage.wind(HOUR)
    assert (await stage.row(run_id))["reason"].endswith("only 1 of 2 did it within 1h")


async def test_at_the_very_end_of_its_time_nobody_confirms_any_more(stage: Stage) -> None:
    run_id, book = await begun(stage, HAND.replace("by=responder", "within=1h"))
    operator, due = await stage.person("operator"), stage.clock.now() + HOUR
    with pytest.raises(Conflict, match="not any more"):
        await stage.write(lambda tx: runs.confirm(tx, due, run_id, "count", operator, book))
    early = due - timedelta(microseconds=1)
    await stage.write(lambda tx: runs.confirm(tx, early, run_id, "count", operator, book))


async def test_roles_are_those_of_the_day_on_which_somebody_answers(stage: Stage) -> None:
    run_id, _ = await begun(stage, AGREE + CHANGE)
    text = BOOK.format(self_approval="forbid")
    text = text.replace("name: Second officer, roles: [security]", "name: Second officer")
    text = text.replace("roles: [dba]", "roles: [security]")
    later = load({"book.yaml": text, "runbooks/fix.md": runbook(AGREE + CHANGE)}, VOCABULARY)
    await stage.publish(later)
    with pytest.raises(NotApproved, match="the role security"):
        await vote(stage, run_id, "second")
    assert await vote(stage, run_id, "dba") == "approved"


# ---- what is approved ---------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["params", "saved", "revision"])
async def test_a_yes_to_something_that_has_changed_since_is_void_and_says_so(
    stage: Stage, what: str
) -> None:
    look = "```bash {#look effect=read save=before}\necho 3 replicas\n```\n"
    run_id, _ = await begun(stage, look + AGREE + CHANGE)
    asked = (await stage.waits(run_id))[0]["approval_id"]
    other = await stage.publish(shop(look + AGREE + CHANGE + "\nAnother.\n"))
    changed = {"params": {"n": "1"}, "saved": {"before": "300 replicas"},
               "revision": other.revision}  # fmt: skip
    await stage.write(
        lambda tx: tx.execute(
            sa.update(run).where(run.c.id == run_id).values({what: changed[what]})
        )
    )
    await vote(stage, run_id, "second")
    assert stage.ran() == []
    row = await stage.row(run_id)
    assert row["state"] == "failed"
    assert row["reason"].endswith("what was to be approved has changed since")
    assert (await stage.write(lambda tx: approvals.require(tx, asked)))["state"] == "void"


async def test_each_run_and_each_step_needs_a_yes_of_its_own(stage: Stage) -> None:
    body = AGREE + AGREE.replace("#agree", "#again") + CHANGE
    one, _ = await begun(stage, body)
    two = await stage.run()
    bound = set()
    for run_id in (one, two):
        for _ in range(2):
            asked = (await stage.waits(run_id))[0]["approval_id"]
            row = await stage.write(lambda tx, asked=asked: approvals.require(tx, asked))
            bound.add(row["bound_to"])
            await vote(stage, run_id, "second")
    assert len(bound) == 4
    assert stage.ran() == ["change", "change"]


async def test_how_long_a_script_may_take_is_not_how_long_its_leave_may_be_waited_for(
    stage: Stage,
) -> None:
    await begun(stage, CHANGE.replace("#change", "#change within=10s"), by="")
    (asked,) = await stage.waits(1)
    assert (asked["due_at"], asked["remind_at"]) == (None, None)
    await stage.wind(DAY)
    await vote(stage, 1, "officer")
    assert stage.ran() == ["change"]


# ---- reminders ----------------------------------------------------------------------------------


async def remind(stage: Stage) -> list[dict[str, Any]]:
    """Let the loop look, and return the reminders that there are."""
    await runs.Reminding(stage.database, stage.library).tick(stage.clock.now())
    found = sa.select(page).where(page.c.key.contains("/reminder/"), page.c.channel == "inbox")
    return await stage.write(lambda tx: tx.rows(found.order_by(page.c.id)))


async def test_those_who_have_not_answered_are_reminded_once_before_it_ends(
    any_stage: Stage,
) -> None:
    stage = any_stage
    run_id, _ = await begun(stage, ASK_TWO + CHANGE, by="second")
    await vote(stage, run_id, "dba")
    loop = runs.Reminding(stage.database, stage.library)
    begun_at = stage.clock.now()
    assert await loop.tick(begun_at) == begun_at + 3 * HOUR
    await stage.wind(3 * HOUR - MINUTE)
    assert await remind(stage) == []
    await stage.wind(MINUTE)
    # The starter may not answer, the database administrator has: the officer is left.
    (told,) = await remind(stage)
    assert (told["person"], told["urgent"]) == ("officer", False)
    assert told["title"] == "1 h left to approve: Is this all right?"
    assert told["body"] == f"Fix · run {run_id}\nuntil 2026-03-03 22:00 KST"
    assert told["path"] == f"/runs/{run_id}#step-agree"
    assert await loop.tick(stage.clock.now()) is None
    assert len(await remind(stage)) == 1


async def test_a_reminder_with_less_than_an_hour_left_may_ring(stage: Stage) -> None:
    await begun(stage, HAND.replace("by=responder", "by=dba within=40m"))
    await stage.wind(30 * MINUTE)
    (told,) = await remind(stage)
    assert (told["person"], told["urgent"]) == ("dba", True)
    assert told["title"] == "10 min left to do it: Count the boxes."


async def test_nobody_is_reminded_of_what_is_short_or_answered_or_over(stage: Stage) -> None:
    short, book = await begun(stage, HAND.replace("by=responder", "within=9m"))
    assert (await stage.waits(short))[0]["remind_at"] is None
    hour = HAND.replace("by=responder", "within=1h")
    book = await stage.publish(shop(hour))
    answered, cancelled, missed = [await stage.run() for _ in range(3)]
    operator = await stage.person("operator")
    await stage.act(runs.confirm, answered, "count", operator, book)
    await stage.write(  # as between the request and the engine's next move
        lambda tx: tx.execute(sa.update(run).where(run.c.id == cancelled).values(cancelling=True))
    )
    await stage.write(  # as after a server that was away
        lambda tx: tx.execute(
            sa.update(wait).where(wait.c.run_id == missed).values(due_at=stage.clock.now())
        )
    )
    await runs.Reminding(stage.database, stage.library).tick(stage.clock.now() + 50 * MINUTE)
    assert await remind(stage) == []
    left = await stage.write(lambda tx: tx.rows(sa.select(wait.c.remind_at)))
    assert {one["remind_at"] for one in left} == {None}


# ---- taking over and telling --------------------------------------------------------------------


async def test_whoever_takes_a_run_over_steers_it_and_no_longer_approves_it(stage: Stage) -> None:
    run_id, book = await begun(stage, ASK_TWO + AGREE.replace("#agree", "#later") + CHANGE)
    officer = await stage.person("officer")
    await stage.act(runs.take_over, run_id, officer, book, "the shift ends")
    assert (await stage.row(run_id))["steered_by"] == officer.actor
    with pytest.raises(NotApproved, match="they steer it"):
        await vote(stage, run_id, "officer")
    # Who has steered it before still takes part when somebody else does.
    await stage.act(runs.take_over, run_id, await stage.person("relief"), book, "")
    await vote(stage, run_id, "dba")
    await vote(stage, run_id, "second")
    assert await excluded(stage, run_id) == {
        "operator": "started", "officer": "steers", "relief": "steers",
    }  # fmt: skip
    story = await stage.write(lambda tx: timeline(tx, f"run:{run_id}"))
    taken = [one for one in story if one["action"] == "run.taken_over"]
    assert [(one["actor"], one["text"]) for one in taken] == [
        (officer.actor, "the shift ends"), ((await stage.person("relief")).actor, None),
    ]  # fmt: skip


async def test_taking_over_is_refused_with_what_to_do(stage: Stage) -> None:
    run_id, book = await begun(stage, ASK_TWO + CHANGE)
    for who in (await stage.person("viewer"), await stage.local()):
        with pytest.raises(Refused):
            await stage.act(runs.take_over, run_id, who, book, "")
    officer = await stage.person("officer")
    await vote(stage, run_id, "officer")
    with pytest.raises(Voted, match="cannot take it over"):
        await stage.act(runs.take_over, run_id, officer, book, "")
    relief = await stage.person("relief")
    await stage.act(runs.take_over, run_id, relief, book, "")
    with pytest.raises(Conflict, match="already"):
        await stage.act(runs.take_over, run_id, relief, book, "")
    await stage.act(runs.cancel, run_id, relief, book)
    with pytest.raises(Conflict, match="is over"):
        await stage.act(runs.take_over, run_id, await stage.person("operator"), book, "")


async def test_whoever_takes_a_run_over_takes_over_what_its_steps_have_started(
    stage: Stage,
) -> None:
    book = await stage.publish(shop(ASK_TWO + CHANGE))
    above = await start(stage, book, by=(await stage.person("operator")).actor)
    below = await start(stage, book, parent_id=above)
    officer = await stage.person("officer")
    await vote(stage, below, "officer")
    with pytest.raises(Voted):
        await stage.act(runs.take_over, above, officer, book, "")
    relief = await stage.person("relief")
    await stage.act(runs.take_over, above, relief, book, "")
    assert (await excluded(stage, below))["relief"] == "steers"


async def test_a_yes_that_crossed_a_take_over_lets_nothing_happen(stage: Stage) -> None:
    run_id, _ = await begun(stage, AGREE + CHANGE)
    second = await stage.person("second")
    asked = (await stage.waits(run_id))[0]["approval_id"]
    book = stage.library.current("shop")

    def both(tx: Transaction) -> None:
        now = stage.clock.now()
        approvals.decide(tx, now, asked, second, book, "approve")
        audit.record(tx, now, second.actor, "run.taken_over", f"run:{run_id}")

    await stage.write(both)
    await stage.settle()
    assert stage.ran() == []
    reason = (await stage.row(run_id))["reason"]
    assert reason.endswith("approved by second, who takes part in the run")


async def test_whoever_steers_is_told_what_failed_and_what_has_to_be_decided(stage: Stage) -> None:
    run_id, book = await begun(stage, BROKEN + BACK)
    await stage.act(runs.take_over, run_id, await stage.person("relief"), book, "")
    await stage.act(runs.decide, run_id, "broken", await stage.person("operator"), book, "retry")
    told = await pages(stage)
    titles = {one["title"] for one in told}
    assert titles == {"Failed, decide: Break"}
    assert {one["person"] for one in told} == {"relief", "officer"}
    assert all(one["urgent"] for one in told)
    await stage.act(runs.decide, run_id, "broken", await stage.person("operator"), book, "fail")
    failed = [one for one in await pages(stage) if one["title"].startswith("Run failed")]
    assert {"operator", "relief"} <= {one["person"] for one in failed}
    assert stage.ran() == ["back"]


async def test_only_those_who_can_answer_are_told_that_somebody_waits(stage: Stage) -> None:
    await begun(stage, AGREE + CHANGE, by="officer")
    assert [one["person"] for one in await pages(stage)] == ["second"]


async def test_what_nobody_can_answer_is_told_to_the_owner(stage: Stage) -> None:
    await begun(stage, AGREE.replace("by=security", "by=dba") + CHANGE, by="dba")
    assert [one["person"] for one in await pages(stage)] == ["officer"]


async def test_a_step_that_failed_can_be_left_as_it_is_without_undoing_anything(
    stage: Stage,
) -> None:
    run_id, book = await begun(stage, BROKEN + BACK)
    operator = await stage.person("operator")
    await stage.act(runs.decide, run_id, "broken", operator, book, "stop", "the vendor looks")
    assert (await stage.row(run_id))["state"] == "failed"
    assert stage.ran() == []
    story = await stage.write(lambda tx: timeline(tx, f"run:{run_id}"))
    (decided,) = [one for one in story if one["action"] == "step.decided"]
    assert (decided["data"]["choice"], decided["text"]) == ("stop", "the vendor looks")


# ---- comments -----------------------------------------------------------------------------------


async def test_people_write_about_a_run_also_when_it_is_over(stage: Stage) -> None:
    run_id, book = await begun(stage, CHANGE)
    viewer = await stage.person("viewer")
    await stage.act(runs.comment, run_id, viewer, book, "  looked at it, was fine  ")
    story = await stage.write(lambda tx: timeline(tx, f"run:{run_id}"))
    last = story[-1]
    assert (last["action"], last["actor"]) == ("run.commented", viewer.actor)
    assert (last["text"], last["data"]) == ("looked at it, was fine", {})


async def test_a_comment_says_something_and_comes_from_somebody_who_may(stage: Stage) -> None:
    run_id, book = await begun(stage, CHANGE)
    viewer = await stage.person("viewer")
    for text in ("", "  \n", "x" * 10_001, "a\0b"):
        with pytest.raises(Invalid):
            await stage.act(runs.comment, run_id, viewer, book, text)
    with pytest.raises(Refused, match="nobody in the book"):
        await stage.act(runs.comment, run_id, await stage.person("stranger"), book, "hello")
    number = await account(stage, "viewer")

    def reads_only(tx: Transaction) -> Principal:
        now = stage.clock.now()
        found = tokens.principal(tx, now, tokens.create(tx, now, number, "wall", ["read"], DAY))
        assert found is not None
        return found

    with pytest.raises(Refused, match="only reads"):
        await stage.act(runs.comment, run_id, await stage.write(reads_only), book, "hello")
    with pytest.raises(NotFound):
        await stage.act(runs.comment, 99, viewer, book, "hello")


# ---- evidence -----------------------------------------------------------------------------------


async def test_files_are_attached_to_a_step_and_the_audit_knows_their_digest(
    any_stage: Stage,
) -> None:
    stage = any_stage
    run_id, book = await begun(stage, HAND + AGREE)
    operator = await stage.person("operator")
    photo = bytes(range(256))
    give = (run_id, "count", operator, book, "boxes 3.png", "Image/PNG; q=1", photo)
    made = await stage.act(runs.attach, *give)
    assert await stage.act(runs.attach, *give) == made  # a repeated request makes no copy
    await stage.act(runs.confirm, run_id, "count", operator, book)
    late = await stage.act(runs.attach, *give[:4], "later.txt", "", b"the rest")
    listed = await stage.write(lambda tx: runs.evidence(tx, run_id))
    assert [(one["id"], one["name"], one["step"], one["size"]) for one in listed] == [
        (made, "boxes 3.png", "count", 256), (late, "later.txt", "count", 8),
    ]  # fmt: skip
    assert "content" not in listed[0]
    whole = await stage.write(lambda tx: runs.evidence_content(tx, made))
    assert (whole["content"], whole["media_type"]) == (photo, "image/png")
    assert listed[1]["media_type"] == "application/octet-stream"
    story = await stage.write(lambda tx: timeline(tx, f"run:{run_id}"))
    kept = [one for one in story if one["action"] == "step.evidence_attached"]
    assert [one["data"]["sha256"] for one in kept] == [one["digest"] for one in listed]
    assert [one["text"] for one in kept] == ["boxes 3.png", "later.txt"]
    assert "boxes" not in str(kept[0]["data"]).replace("Count the boxes", "")
    await stage.act(runs.cancel, run_id, operator, book)
    with pytest.raises(Conflict, match="is over"):
        await stage.act(runs.attach, *give[:4], "too late.txt", "", b"x")
    with pytest.raises(NotFound):
        await stage.write(lambda tx: runs.evidence_content(tx, 99))


UNFIT = (
    ("", "", b"x", "says nothing"),
    ("..", "", b"x", "says nothing"),
    ("../../etc/passwd", "", b"x", "is a path"),
    ("C:\\boot.ini", "", b"x", "is a path"),
    ("a\nb", "", b"x", "cannot be seen"),
    ("a\0b", "", b"x", "cannot be seen"),
    ("photo\u202egnp.exe", "", b"x", "cannot be seen"),
    ("a\ud800", "", b"x", "cannot be seen"),
    ("n" * 201, "", b"x", "200 fit"),
    ("a", "text/html\r\nX: 1", b"x", "no media type"),
    ("a", "html", b"x", "no media type"),
    ("a", "", b"", "is empty"),
    ("a", "", bytes(attaching.LARGEST + 1), "5 MiB fit"),
)


async def test_a_file_that_cannot_be_kept_is_refused_with_the_reason(stage: Stage) -> None:
    run_id, book = await begun(stage, HAND)
    who = await stage.person("operator")
    for name, kind, content, told in UNFIT:
        with pytest.raises(Invalid, match=told):
            await stage.act(runs.attach, run_id, "count", who, book, name, kind, content)
    assert await stage.write(lambda tx: runs.evidence(tx, run_id)) == []


async def test_files_are_few_and_from_those_who_do_the_step(stage: Stage) -> None:
    by_two = HAND.replace("by=responder", "by=dba") + HAND.replace("#count", "#then")
    run_id, book = await begun(stage, by_two + AGREE + CHANGE)
    dba = await stage.person("dba")
    for who in (await stage.person("operator"), await stage.local()):
        with pytest.raises(Refused):
            await stage.act(runs.attach, run_id, "count", who, book, "a", "", b"x")
    operator, second = await stage.person("operator"), await stage.person("second")
    with pytest.raises(Conflict, match="has not begun"):
        await stage.act(runs.attach, run_id, "then", operator, book, "a", "", b"x")
    with pytest.raises(Invalid, match="of kind approval"):
        await stage.act(runs.attach, run_id, "agree", dba, book, "a", "", b"x")
    with pytest.raises(NotFound, match="no step"):
        await stage.act(runs.attach, run_id, "other", dba, book, "a", "", b"x")
    await stage.act(runs.confirm, run_id, "count", dba, book)
    for n in range(attaching.MOST):  # whoever did it may add to it afterwards
        await stage.write(
            lambda tx, n=n: runs.attach(
                tx, stage.clock.now(), run_id, "count", dba, book, f"{n}", "", b"x"
            )
        )
    with pytest.raises(Conflict, match="20 fit"):
        await stage.act(runs.attach, run_id, "count", dba, book, "one more", "", b"x")
    with pytest.raises(Refused):
        await stage.act(runs.attach, run_id, "count", second, book, "a", "", b"x")
