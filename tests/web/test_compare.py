"""Two runs side by side: where they part, by how much, and nothing secret."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from opsbook.base.database import Transaction
from opsbook.book import load
from opsbook.runs import comparing
from opsbook.runs.tables import attempt, output, run, step
from opsbook.web import compare
from opsbook.web.i18n import Speech
from tests.web import cast, running
from tests.web.conftest import Enter
from tests.web.rig import Rig, vocabulary

T = datetime(2026, 3, 3, tzinfo=UTC)
S = timedelta(seconds=1)


def one(seconds: float = 60, **more: Any) -> dict[str, Any]:
    """A run as a row."""
    return {
        "params": {"service": "api"}, "saved": {}, "started_at": T, "state": "succeeded",
        "finished_at": T + S * seconds, **more,
    }  # fmt: skip


def part(key: str, id: int, seconds: float = 1, **more: Any) -> dict[str, Any]:
    """A step as a row."""
    return {
        "id": id, "key": key, "title": key.title(), "phase": "main", "state": "succeeded",
        "message": "", "attempts": [{}], "started_at": T, "finished_at": T + S * seconds, **more,
    }  # fmt: skip


def test_steps_stand_beside_each_other_by_key_in_an_order_that_keeps_to_both() -> None:
    a = [part("look", 1), part("old", 2), part("act", 3), part("check", 4)]
    b = [part("look", 5), part("act", 6), part("new", 7), part("check", 8)]
    made = comparing.compare(one(), one(), (a, b), ({}, {}))
    assert [each.key for each in made.steps] == ["look", "old", "act", "new", "check"]
    assert [each.a is None for each in made.steps] == [False, False, False, True, False]
    assert [each.b is None for each in made.steps] == [False, True, False, False, False]
    assert made.first_difference is not None
    assert made.first_difference.key == "old"


def test_steps_that_changed_places_are_not_told_twice() -> None:
    a, b = [part("x", 1), part("y", 2)], [part("y", 3), part("x", 4)]
    made = comparing.compare(one(), one(), (a, b), ({}, {}))
    assert sorted(each.key for each in made.steps) == ["x", "y"]
    assert all(each.a is not None and each.b is not None for each in made.steps)


def test_two_runs_that_went_the_same_way_have_no_difference() -> None:
    rows = ([part("a", 1)], [part("a", 2)])
    made = comparing.compare(one(), one(), rows, ({1: "x\n"}, {2: "x\n"}))
    assert made.first_difference is None
    assert made.longer == timedelta(0)


def test_only_a_notable_difference_in_time_is_pointed_out() -> None:
    a = [part("quick", 1, 1), part("slow", 2, 60), part("slower", 3, 60)]
    b = [part("quick", 4, 3), part("slow", 5, 66), part("slower", 6, 120)]
    made = comparing.compare(one(100), one(190), (a, b), ({}, {}))
    assert [each.notable for each in made.steps] == [False, False, True]
    assert made.steps[2].longer == 60 * S
    assert made.longer == 90 * S


def test_outputs_are_compared_by_lines_at_their_ends_and_bounded() -> None:
    long = "".join(f"line {n}\n" for n in range(5_000))
    rows = ([part("a", 1), part("b", 2)], [part("a", 3), part("b", 4)])
    made = comparing.compare(
        one(), one(), rows,
        ({1: long + "old\n", 2: "same\n"}, {3: long + "new\n", 4: "same\n"}),
    )  # fmt: skip
    assert [line for line in made.steps[0].output.lines if line[0] in "+-"] == ["-old", "+new"]
    assert made.steps[0].output.bounded
    assert made.steps[1].output.lines == ()


def test_a_page_of_differing_megabytes_stays_within_its_budget() -> None:
    left = "".join(f"{n} {n * 7919 % 997}\n" for n in range(20_000))
    right = "".join(f"{n} {n * 7907 % 991}\n" for n in range(20_000))
    a = [part(f"s{n}", n) for n in range(60)]
    b = [part(f"s{n}", 100 + n) for n in range(60)]
    texts = (dict.fromkeys(range(60), left), dict.fromkeys(range(100, 160), right))
    made = comparing.compare(one(), one(), (a, b), texts)
    compared = [each for each in made.steps if len(each.output.lines) > 1]
    assert 0 < len(compared) <= comparing.BUDGET // comparing.MOST_LINES
    assert all(len(each.output.lines) <= comparing.MOST_SHOWN for each in made.steps)
    assert made.steps[-1].output.bounded


def test_hidden_values_are_no_part_of_a_comparison() -> None:
    made = comparing.compare(
        one(params={"key": "a1", "service": "x"}, saved={"token": "t"}),
        one(params={"key": "b2", "service": "y"}, saved={}),
        ([], []), ({}, {}), frozenset({"key", "token"}),
    )  # fmt: skip
    assert [each.name for each in made.params] == ["service"]
    assert made.saved == ()


# ---- the page -----------------------------------------------------------------------------------


async def test_a_run_stands_beside_the_one_before_it_of_its_runbook(
    trouble: Rig, enter: Enter
) -> None:
    page = await (await enter(trouble)).see("/runs/compare?b=3")
    assert "Restart payments: run 2 and run 3" in page
    assert "Other parameters: service." in page
    assert "They first differ at" in page
    assert "Both ran the same text." in page
    listed = await (await enter(trouble)).see("/runs?show=failed")
    assert 'href="/runs/compare?b=3"' in listed


async def test_the_first_run_of_a_runbook_has_nothing_to_be_compared_with(
    trouble: Rig, enter: Enter
) -> None:
    page = await (await enter(trouble)).see("/runs/compare?b=1")
    assert "There is no earlier run of this runbook" in page


async def test_the_order_of_the_two_is_by_time_however_they_are_named(
    trouble: Rig, enter: Enter
) -> None:
    operator = await enter(trouble)
    assert "run 2 and run 3" in await operator.see("/runs/compare?a=3&b=2")
    other = await operator.see("/runs/compare?a=1&b=3")
    assert "These are runs of two different runbooks." in other


async def test_what_the_runbook_said_then_and_now_is_shown_to_who_may_read_the_book(
    trouble: Rig, enter: Enter
) -> None:
    files = dict(cast.FILES)
    path = "runbooks/restart-payments.md"
    files[path] = files[path].replace('systemctl restart "$service"', 'systemctl reload "$service"')
    newer = load(files, vocabulary())

    def write(tx: Transaction) -> None:
        trouble.library.publish(tx, trouble.clock.now(), newer, "opsbook", "folder:shop")
        tx.execute(sa.update(run).where(run.c.id == 3).values(revision=newer.revision))

    await trouble.database.write(write)
    trouble.library.remember(newer)
    page = await (await enter(trouble)).see("/runs/compare?b=3")
    assert "<del>-systemctl restart &#34;$service&#34;</del>" in page
    assert "<ins>+systemctl reload &#34;$service&#34;</ins>" in page


async def test_outputs_attempts_and_messages_differ_in_sight(trouble: Rig, enter: Enter) -> None:
    def write(tx: Transaction) -> int:
        mine = sa.select(step.c.id).where(step.c.run_id == 2, step.c.key == "restart")
        number = tx.scalar(mine)
        for n in (1, 2):
            tried = tx.insert(
                attempt, run_id=2, step_id=number, number=n, epoch=1, state="failed",
                intended_at=trouble.clock.now(), exit_code=1, bytes_seen=1,
            )  # fmt: skip
            tx.insert(output, attempt_id=tried, start=0, text=f"try {n} <b>\n")
        return int(number)

    await trouble.database.write(write)
    page = await (await enter(trouble)).see("/runs/compare?a=2&b=3")
    assert "The output differs" in page
    assert "<del>-try 2 &lt;b&gt;</del>" in page
    assert "try 1" not in page
    assert "2 tries" in page


@pytest.mark.parametrize("path", ["a=2&b=99", "b=99", "", "a=1"])
async def test_a_run_that_is_not_there_or_not_for_me_is_not_compared(
    trouble: Rig, enter: Enter, path: str
) -> None:
    stranger = await enter(trouble, "stranger")
    assert (await stranger.client.get(f"/runs/compare?{path}")).status_code == 404
    operator = await enter(trouble)
    answer = await operator.client.get(f"/runs/compare?{path}")
    assert answer.status_code == (200 if path == "a=1" else 404)


@pytest.fixture
async def site(stage_folder: Path) -> AsyncIterator[running.Site]:
    async with running.serving(stage_folder) as one:
        yield one


def says(page: str) -> str:
    """The sentence at the top."""
    found = re.search(r'<p class="says">(.*?)</p>', page)
    return found[1] if found is not None else ""


async def test_two_runs_part_where_a_step_ended_otherwise_and_not_where_one_wrote_something_else(
    site: running.Site,
) -> None:
    first, second = await site.start("noisy"), await site.start("noisy")
    third = await site.start("noisy", mode="badly")
    operator = await site.enter("operator")
    page = await operator.see(f"/runs/compare?a={second}&b={third}")
    assert says(page) == "Other parameters: mode. They first differ at “비우기”."
    assert "The output differs" in page
    alike = await operator.see(f"/runs/compare?a={first}&b={second}")
    assert says(alike) == (
        "Every step ended the same way; what they wrote or how often they were tried first differs "
        "at “살펴보기 (load)”."
    )


def test_a_failure_for_another_reason_is_where_two_runs_part() -> None:
    a = [part("x", 1), part("y", 2, state="failed", message="exit code 1")]
    b = [part("x", 3, message="2 done"), part("y", 4, state="failed", message="exit code 2")]
    made = comparing.compare(one(), one(), (a, b), ({1: "x"}, {3: "y"}))
    state = {"state": "failed"}
    assert compare._sentence(Speech("en"), made, state, state) == "They first differ at “Y”."


async def test_a_secret_parameter_is_not_compared_not_even_by_its_digest(
    site: running.Site,
) -> None:
    one = await site.start("secret", api_key="hunter-two-hunter", service="payments")
    other = await site.start("secret", api_key="another-secret", service="storefront")
    page = await (await site.enter("operator")).see(f"/runs/compare?a={one}&b={other}")
    assert "sealed:" not in page
    assert "api_key" not in page.split('id="runbook"')[0]
    assert says(page).startswith("Other parameters: service. ")


async def test_a_comparison_without_runs_says_so_in_korean(site: running.Site) -> None:
    answer = await (await site.enter("operator", "ko")).client.get("/runs/compare")
    assert "비교할 실행을 지정하지 않았습니다." in answer.text
    assert "compare was named" not in answer.text
