"""Ways round an approval through the run itself: going on, repeating, running another, time."""

from datetime import timedelta

import pytest

from opsbook import runs
from opsbook.access import approvals
from opsbook.access.errors import NotApproved, Settled, Voted
from opsbook.base.errors import Refused
from opsbook.book import BookError, load
from opsbook.runs.tables import run as run_table
from tests.runs.crew import AGREE, ASK_TWO, BOOK, CHANGE, HAND, begun, excluded, shop, start, vote
from tests.security.test_one_person import lend
from tests.support.runs import VOCABULARY, Stage, runbook

ONCE_BROKEN = '```bash {#change on-fail=stop}\necho change >> "$OPSBOOK_WORK/ran"; exit 1\n```\n'
BROKEN = '```bash {#broken on-fail=stop}\ntest -e "$OPSBOOK_WORK/mended"\n```\n'


async def failed(stage: Stage) -> tuple[int, object]:
    """A run that the officer has approved and that has failed afterwards."""
    run_id, book = await begun(stage, AGREE + BROKEN + CHANGE)
    await vote(stage, run_id, "officer")
    assert (await stage.row(run_id))["state"] == "failed"
    return run_id, book


async def test_whoever_has_approved_a_run_does_not_resume_it(stage: Stage) -> None:
    run_id, book = await failed(stage)
    with pytest.raises(Voted):
        await stage.act(runs.resume, run_id, await stage.person("officer"), book, book, "mended")
    row = await stage.row(run_id)
    assert (row["state"], row["steered_by"]) == ("failed", (await stage.person("operator")).actor)
    assert stage.ran() == []


async def test_nor_through_an_account_of_their_making(stage: Stage) -> None:
    run_id, book = await failed(stage)
    await lend(stage, "officer", "relief")
    with pytest.raises(Voted):
        await stage.act(runs.resume, run_id, await stage.person("relief"), book, book, "mended")
    assert (await stage.row(run_id))["state"] == "failed"


async def test_whoever_resumes_a_run_approves_nothing_more_that_it_asks(stage: Stage) -> None:
    run_id, book = await begun(stage, BROKEN + AGREE + CHANGE)
    (stage.work / "mended").touch()
    officer = await stage.person("officer")
    await stage.act(runs.resume, run_id, officer, book, book, "mended")
    assert await excluded(stage, run_id) == {"operator": "started", "officer": "steers"}
    with pytest.raises(NotApproved, match="they steer it"):
        await vote(stage, run_id, "officer")
    assert stage.ran() == []


async def test_a_yes_to_a_run_is_no_yes_to_the_run_that_it_starts(stage: Stage) -> None:
    book = load(
        {
            "book.yaml": BOOK.format(self_approval="forbid"),
            "runbooks/fix.md": runbook(AGREE + "```run {#call}\nother\n```\n"),
            "runbooks/other.md": runbook(AGREE + CHANGE, "", "other"),
        },
        VOCABULARY,
    )
    await stage.publish(book)
    above = await stage.run()
    assert await vote(stage, above, "officer") == "approved"
    below = await stage.write(
        lambda tx: tx.rows(run_table.select().where(run_table.c.parent_id == above))
    )
    (waits,) = await stage.waits(below[0]["id"])
    assert waits["kind"] == "approval"
    assert stage.ran() == []
    assert await excluded(stage, below[0]["id"]) == {"operator": "started"}
    assert await vote(stage, below[0]["id"], "officer") == "approved"
    assert stage.ran() == ["change"]


async def test_how_many_are_needed_is_not_lowered_for_what_waits(stage: Stage) -> None:
    run_id, _ = await begun(stage, ASK_TWO + CHANGE)
    await stage.publish(shop(AGREE + CHANGE))
    assert await vote(stage, run_id, "officer") == "open"
    assert stage.ran() == []
    assert await vote(stage, run_id, "second") == "approved"


async def test_a_role_that_a_question_has_not_named_does_not_answer_it_whatever_the_book_says_now(
    stage: Stage,
) -> None:
    run_id, _ = await begun(stage, AGREE + CHANGE)
    await stage.publish(shop(AGREE.replace("by=security", "by=responder") + CHANGE))
    with pytest.raises(NotApproved, match="takes the role security"):
        await vote(stage, run_id, "relief")
    assert stage.ran() == []


async def test_somebody_who_is_not_in_the_book_any_more_answers_nothing(stage: Stage) -> None:
    run_id, book = await begun(stage, AGREE + CHANGE)
    left = {name: one for name, one in book.people.items() if name != "officer"}
    stage.library.remember(book.model_copy(update={"people": left}))
    with pytest.raises(NotApproved) as failure:
        await vote(stage, run_id, "officer")
    assert failure.value.details["reason"] == "role"
    assert stage.ran() == []


async def test_a_new_role_of_that_name_is_worth_something_only_where_the_book_runs(
    stage: Stage,
) -> None:
    """The widening itself is held until somebody else approves it; see the plan."""
    run_id, book = await begun(stage, AGREE + CHANGE)
    widened = {
        **book.people,
        "relief": book.people["relief"].model_copy(update={"roles": ("responder", "security")}),
    }
    other = book.model_copy(update={"people": widened})
    asked, relief = (await stage.waits(run_id))[0]["approval_id"], await stage.person("relief")
    with pytest.raises(NotApproved):
        await vote(stage, run_id, "relief")
    assert await stage.act(approvals.decide, asked, relief, other, "approve") == "approved"


@pytest.mark.parametrize("way", ["cancelled", "expired"])
async def test_what_was_called_off_or_too_late_takes_no_yes(stage: Stage, way: str) -> None:
    run_id, book = await begun(stage, AGREE + CHANGE)
    asked, officer = (await stage.waits(run_id))[0]["approval_id"], await stage.person("officer")
    if way == "cancelled":
        await stage.act(runs.cancel, run_id, await stage.person("operator"), book)
    else:
        await stage.wind(timedelta(hours=4))
    with pytest.raises(Settled):
        await stage.act(approvals.decide, asked, officer, book, "approve")
    assert stage.ran() == []


async def test_a_question_is_not_skipped_by_deciding_about_it(stage: Stage) -> None:
    """An approval is no step that was interrupted: nobody takes it as done."""
    run_id, book = await begun(stage, AGREE + CHANGE)
    for choice in ("skip", "retry", "fail"):
        with pytest.raises(runs.NotWaiting):
            await stage.act(
                runs.decide, run_id, "agree", await stage.person("relief"), book, choice
            )
    with pytest.raises(runs.NotWaiting):
        await stage.act(runs.confirm, run_id, "agree", await stage.person("officer"), book)
    assert stage.ran() == []


async def test_a_repetition_with_other_parameters_asks_those_who_did_not_set_them(
    stage: Stage,
) -> None:
    book = await stage.publish(shop(AGREE + CHANGE, "params:\n  where: {}"))
    first = await stage.run(where="here")
    assert await vote(stage, first, "officer") == "approved"
    second = await stage.person("second")
    with pytest.raises(Refused):
        await stage.act(runs.rerun, first, second, book, None, "again")
    relief = await stage.person("relief")
    again = await stage.act(
        runs.rerun, first, relief, book, "change", "elsewhere", {"where": "there"}
    )
    assert await excluded(stage, again) == {"operator": "edited", "relief": "started"}
    assert stage.ran() == ["change"]
    assert (await stage.row(again))["params"] == {"where": "there"}


async def test_a_run_that_started_by_itself_is_not_made_attended_by_taking_it_over(
    stage: Stage,
) -> None:
    book = await stage.publish(shop(CHANGE))
    run_id = await start(stage, book)
    await stage.act(runs.take_over, run_id, await stage.person("officer"), book)
    assert stage.ran() == []
    with pytest.raises(NotApproved, match="they steer it"):
        await vote(stage, run_id, "officer")
    assert stage.ran() == []


@pytest.mark.parametrize("rule", ["on-fail=continue", "on-fail=ask"])
def test_a_no_cannot_be_written_away(rule: str) -> None:
    with pytest.raises(BookError, match="would let a run go on after a no"):
        shop(AGREE.replace("within=4h", f"within=4h {rule}") + CHANGE)


async def test_a_manual_step_takes_who_it_names_and_no_program(stage: Stage) -> None:
    run_id, book = await begun(stage, HAND)
    for who in (await stage.person("viewer"), await stage.person("dba"), await stage.local()):
        with pytest.raises(Refused):
            await stage.act(runs.confirm, run_id, "count", who, book)
    assert (await stage.states(run_id))["count"] == "waiting"


NAMES = (
    "PATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "BASH_ENV", "ENV", "IFS", "PS4", "PROMPT_COMMAND",
    "SHELLOPTS", "BASHOPTS", "CDPATH", "GLOBIGNORE", "PYTHONPATH", "PYTHONSTARTUP", "PERL5LIB",
    "RUBYOPT", "NODE_OPTIONS", "GIT_SSH_COMMAND", "SSH_ASKPASS", "SUDO_ASKPASS", "HTTPS_PROXY",
    "http_proxy", "EDITOR", "PAGER", "LESSOPEN", "OPENSSL_CONF", "XDG_CONFIG_HOME", "HOME",
    "TMPDIR", "JAVA_TOOL_OPTIONS", "OPSBOOK_FILES", "OPSBOOK_STEP",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_no_value_gets_a_name_that_programs_obey(name: str) -> None:
    with pytest.raises(BookError, match="is a name the shell or Opsbook uses itself"):
        shop(CHANGE, f"params:\n  {name}: {{}}")
    with pytest.raises(BookError, match="is a name the shell or Opsbook uses itself"):
        shop(f"```bash {{#s save={name}}}\necho x\n```\n")


SECRET = "params:\n  key: {secret: true}"
MAKE = "```bash {#make save=made secret}\necho it\n```\n"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('```bash {#s when="key == x"}\ntrue\n```\n', "when: key is secret"),
        (MAKE + '```bash {#s when="made > 5"}\ntrue\n```\n', "when: made is secret"),
        ("```bash {#s each=key}\ntrue\n```\n", "each: key is secret"),
        ('```bash {#s assert="key == 5"}\ntrue\n```\n', "assert: key is secret"),
        ("```bash {#s save=made secret each=list}\ntrue\n```\n", "cannot be kept secret"),
        ("```bash {#s save=made secret expect=x}\ntrue\n```\n", "looks at the output"),
    ],
)
def test_nothing_is_compared_with_a_secret(body: str, told: str) -> None:
    with pytest.raises(BookError, match=told):
        shop(body, f"{SECRET}\n  list: {{type: list}}")


async def test_a_yes_before_a_no_does_not_let_the_run_go_on(stage: Stage) -> None:
    body = AGREE + AGREE.replace("#agree", "#second") + CHANGE
    run_id, book = await begun(stage, body)
    await vote(stage, run_id, "officer")
    await vote(stage, run_id, "officer", "reject")
    with pytest.raises(runs.CannotResume, match="was not approved"):
        await stage.act(runs.resume, run_id, await stage.person("operator"), book, book, "again")
    assert stage.ran() == []


async def test_leave_that_was_given_a_month_ago_is_asked_for_again(stage: Stage) -> None:
    book = await stage.publish(shop(ONCE_BROKEN))
    run_id = await start(stage, book)
    assert (await stage.waits(run_id))[0]["data"] == {"leave": True}
    await vote(stage, run_id, "officer")
    assert stage.ran() == ["change"]
    await stage.wind(timedelta(hours=1))
    operator = await stage.person("operator")
    await stage.act(runs.resume, run_id, operator, book, book, "mended")
    assert stage.ran() == ["change", "change"]
    await stage.wind(timedelta(days=30))
    await stage.act(runs.resume, run_id, operator, book, book, "mended")
    assert (await stage.waits(run_id))[0]["data"] == {"leave": True}
    assert stage.ran() == ["change", "change"]


async def test_whoever_takes_over_the_run_of_a_step_approves_nothing_of_the_whole(
    stage: Stage,
) -> None:
    book = load(
        {
            "book.yaml": BOOK.format(self_approval="forbid"),
            "runbooks/fix.md": runbook("```run {#call}\nother\n```\n" + AGREE + CHANGE),
            "runbooks/other.md": runbook(HAND, id="other"),
        },
        VOCABULARY,
    )
    await stage.publish(book)
    parent = await stage.run()
    officer, operator = await stage.person("officer"), await stage.person("operator")
    await stage.act(runs.take_over, parent + 1, officer, book, "mine")
    await stage.act(runs.confirm, parent + 1, "count", operator, book)
    assert (await excluded(stage, parent))["officer"] == "steers"
    with pytest.raises(NotApproved, match="they steer it"):
        await vote(stage, parent, "officer")
    assert stage.ran() == []
