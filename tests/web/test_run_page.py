"""The page of a run, before a real engine: how it stands, what it asks, what one can do with it."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from opsbook import runs
from opsbook.base.database import Transaction
from opsbook.runs.tables import step
from opsbook.web import asks
from tests.support.visitor import Visitor
from tests.web import running
from tests.web.running import Site


@pytest.fixture
async def site(stage_folder: Path) -> AsyncIterator[Site]:
    async with running.serving(stage_folder) as one:
        yield one


def says(page: str) -> str:
    """The sentence at the top, as it is read."""
    found = re.search(r'<p class="says" id="says">(.*?)</p>', page, re.DOTALL)
    assert found is not None
    return re.sub(r"<[^>]+>", "", found[1])


async def test_an_approval_says_who_has_who_may_not_and_how_long(site: Site) -> None:
    run = await site.start("deploy")
    await site.approve("deploy", "officer", "Looked at the plan.")
    auditor = await site.enter("auditor")
    page = await auditor.see(f"/runs/{run}")
    assert says(page) == "It waits for you: 2. 반입 승인 · 3 h left"
    assert "waits for security (Auditor) · 1 of 2" in page
    assert "Officer approved." in page
    assert "Looked at the plan." in page
    assert "Operator started it and may not approve." in page
    assert page.count('id="note-allow"') == 1
    officer = await site.enter("officer")
    back = await officer.send(f"/runs/{run}", "/withdraw")
    assert "Your approval is taken back." in back
    assert "0 of 2" in back
    await site.approve("deploy", "officer", "Looked at the plan.")
    starter = await (await site.enter("operator")).see(f"/runs/{run}")
    assert "/steps/allow/approve" not in starter
    assert "/withdraw" not in starter
    assert "waits for security (Auditor) · 1 of 2 · 3 h left" in says(starter)
    after = await auditor.send(f"/runs/{run}", "/steps/allow/approve", note="Go.")
    assert "Approved." in after
    await site.stage.settle()
    assert says(await auditor.see(f"/runs/{run}")).startswith("Succeeded after")


async def test_a_step_that_failed_asks_with_what_each_answer_will_do(site: Site) -> None:
    run = await site.start("asks")
    operator = await site.enter("operator")
    page = await operator.see(f"/runs/{run}")
    assert says(page) == "“교체” failed: exit code 3. What now?"
    assert "cannot load certificate /etc/ssl/shop.pem" in page
    assert "Starts “교체” once more, as try 2." in page
    assert "It stays as it failed. Goes on with “확인”." in page
    undo = "Rolls back 2 steps: 이전 인증서로, 받은 것 지우기. In the end, in any case: 알리기."
    assert f"The run fails. {undo}" in page
    assert "The run ends here, and nothing is undone." in page
    viewer = await (await site.enter("viewer")).see(f"/runs/{run}")
    assert 'name="choice"' not in viewer
    assert "waits for anybody who may run things here" in viewer
    await operator.send(f"/runs/{run}", "/decide", choice="stop", note="Night shift is over.")
    await site.stage.settle()
    page = await operator.see(f"/runs/{run}")
    assert says(page) == "Failed at “교체”: exit code 3. Nothing was rolled back."
    assert "stopped the run at “교체”; nothing is undone." in page


async def test_what_was_interrupted_asks_without_the_choice_to_stop(site: Site) -> None:
    run = await site.interrupt()
    page = await (await site.enter("operator")).see(f"/runs/{run}")
    assert "nobody knows how far it came" in says(page)
    assert 'value="skip"' in page
    assert 'value="stop"' not in page
    korean = await (await site.enter("operator", "ko")).see(f"/runs/{run}")
    assert "중단: 실행 중에 서버가 멈춰" in says(korean)
    why = "its keeper is gone and has left no outcome; processes of the step may still run"

    def other(tx: Transaction) -> None:
        mine = (step.c.run_id == run) & (step.c.key == "switch")
        tx.execute(sa.update(step).where(mine).values(message=why))

    await site.stage.write(other)
    assert f"how far it came: {why}. Look at" in says(
        await (await site.enter("operator")).see(f"/runs/{run}")
    )
    korean = await (await site.enter("operator", "ko")).see(f"/runs/{run}")
    assert "단계의 프로세스가 아직 돌고 있을 수 있음" in says(korean)
    assert "its keeper" not in korean


async def test_the_end_of_what_failed_is_few_lines_with_the_fault_as_the_last(site: Site) -> None:
    run = await site.start("noisy", mode="badly")
    page = await (await site.enter("operator")).see(f"/runs/{run}")
    box = page.split('id="now"')[1].split("<code>")[1].split("</code>")[0].splitlines()
    assert re.sub(r"<[^>]+>", "", box[-1]) == "rm: /var/cache/shop: Read-only file system"
    assert len(box) == asks.LAST


async def test_steps_under_one_heading_are_told_apart_in_the_story(site: Site) -> None:
    run = await site.start("noisy")
    page = await (await site.enter("operator", "ko")).see(f"/runs/{run}")
    story = page.split('id="story"')[1]
    assert "“살펴보기 (load)” 완료" in story
    assert "“살펴보기 (space)” 완료" in story
    assert "“비우기” 완료" in story


async def test_a_list_shows_what_failed_first_and_counts_the_rest(site: Site) -> None:
    hosts = [f"web-{n:02}" for n in range(1, 13)]
    run = await site.start("each", hosts=",".join(hosts))
    page = await (await site.enter("operator")).see(f"/runs/{run}")
    assert "3 of 12 done · 1 waiting" in page
    assert 'id="step-restart[4]"' in page
    assert 'id="step-restart[1]"' not in page
    assert f"/runs/{run}/steps/restart%5B1%5D/output.txt" in page
    assert "Goes on with “서버마다 재시작 (web-05)”." in page
    assert "“서버마다 재시작 (web-01)” is done." not in page


async def test_a_pause_before_another_try_counts_down(site: Site) -> None:
    run = await site.start("retry")
    page = await (await site.enter("operator")).see(f"/runs/{run}")
    assert says(page) == "내려받기: exit code 7 – tried again in 10 min (try 2 of 4)"


async def test_what_failed_says_where_why_and_what_was_undone(site: Site) -> None:
    run = await site.start("back")
    operator = await site.enter("operator")
    page = await operator.see(f"/runs/{run}")
    assert says(page) == "Failed at “바꾸기”: exit code 1. 2 steps rolled it back."
    assert "No space left on device" in page.split('id="now"')[1].split("</section>")[0]
    assert "It cannot go on where it failed: Run" in page
    assert page.index('id="step-unswitch"') < page.index('id="step-unload"')
    korean = await (await site.enter("operator", "ko")).see(f"/runs/{run}")
    assert says(korean) == "“바꾸기”에서 실패: 종료 코드 1. 2개 단계로 되돌렸습니다."
    assert "되돌려졌습니다" in korean


async def test_a_run_goes_on_where_it_failed_once_somebody_says_why(site: Site) -> None:
    run = await site.start("stops")
    operator = await site.enter("operator")
    assert "/resume" not in await (await site.enter("viewer")).see(f"/runs/{run}")
    (site.stage.work / "mended").touch()
    after = await operator.send(f"/runs/{run}", "/resume", reason="More memory.")
    assert "It goes on." in after
    await site.stage.settle()
    page = await operator.see(f"/runs/{run}")
    assert says(page).startswith("Succeeded after")
    assert "Operator let" in page
    assert "More memory." in page
    refused = await operator.client.post(f"/runs/{run}/resume", data={"reason": "x"})
    assert refused.status_code in {403, 409, 422}


async def test_a_run_is_started_again_from_a_step_with_its_parameters(site: Site) -> None:
    run = await site.start("stops")
    operator = await site.enter("operator")
    form = await operator.see(f"/runs/{run}/rerun?step=build")
    assert re.search(r'value="build" checked', form)
    assert re.search(r'value="verify" disabled', form)
    again = await operator.client.post(
        f"/runs/{run}/rerun", data={**await fields(operator, run), "step": "build", "reason": ""}
    )
    assert again.status_code == 422
    assert "Nobody has said why." in again.text
    done = await operator.client.post(
        f"/runs/{run}/rerun",
        data={**await fields(operator, run), "step": "build", "reason": "Try."},
    )
    assert "Started again." in done.text
    made = int(str(done.url).rpartition("/")[2])
    await site.stage.settle()
    page = await operator.see(f"/runs/{made}")
    assert f'<a href="/runs/{run}">run {run}</a>, from “build” on' in page
    assert f"taken over from run {run}" in page
    assert f"/runs/compare?a={run}&amp;b={made}" in page
    assert (await (await site.enter("viewer")).client.get(f"/runs/{run}/rerun")).status_code == 403


async def fields(visitor: Visitor, run: int) -> dict[str, str]:
    """The hidden fields of the form to start a run again."""
    page = await visitor.see(f"/runs/{run}/rerun")
    form = page.split('class="form again"')[1].split("</form>")[0]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))


async def test_secrets_are_dots_and_are_asked_for_again(site: Site) -> None:
    run = await site.start("secret", api_key="hunter-two-hunter", service="payments")
    operator = await site.enter("operator")
    page = await operator.see(f"/runs/{run}")
    form = await operator.see(f"/runs/{run}/rerun")
    for text in (page, form):
        assert "hunter-two-hunter" not in text
        assert "new-key-value" not in text
        assert "sealed:" not in text
    assert page.count("••••") == 2
    assert "owner =</dt><dd>team-payments" in page
    assert "<option selected>payments</option>" in form
    assert re.search(r'name="param-api_key" type="password"', form)
    given = {**await fields(operator, run), "reason": "Again.", "param-service": "payments"}
    lacking = await operator.client.post(f"/runs/{run}/rerun", data={**given, "param-api_key": ""})
    assert lacking.status_code == 422
    done = await operator.client.post(
        f"/runs/{run}/rerun", data={**given, "param-api_key": "another-secret-key"}
    )
    assert "Started again." in done.text


async def test_a_manual_step_takes_files_and_words_of_several_people(site: Site) -> None:
    outer = await site.start("outer")
    page = await (await site.enter("deputy")).see(f"/runs/{outer}")
    inner = int(re.findall(r'waits for <a href="/runs/(\d+)">', page)[0])
    deputy = await site.enter("deputy")
    page = await deputy.see(f"/runs/{inner}")
    assert "A step of" in page
    form = page.split(f'action="/runs/{inner}/steps/looked/evidence"')[1].split("</form>")[0]
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    files = [
        ("file", ("대기열.png", b"\x89PNG one", "image/png")),
        ("file", ("queue.html", b"<script>alert(1)</script>", "text/html")),
    ]
    address = f"/runs/{inner}/steps/looked/evidence"
    after = await deputy.client.post(address, data=hidden, files=files)
    assert "Attached." in after.text
    numbers = re.findall(rf'href="/runs/{inner}/evidence/(\d+)"', after.text)
    assert len(numbers) == 2
    got = await deputy.client.get(f"/runs/{inner}/evidence/{numbers[1]}")
    assert got.content == b"<script>alert(1)</script>"
    assert got.headers["content-disposition"].startswith("attachment;")
    assert got.headers["content-type"] == "application/octet-stream"
    assert "sandbox" in got.headers["content-security-policy"]
    assert (await deputy.client.get(f"/runs/{outer}/evidence/{numbers[1]}")).status_code == 404
    stale = await deputy.client.post(address, data={}, files=files)
    assert stale.status_code == 403
    none = await deputy.client.post(address, data=hidden)
    assert "No file was chosen." in none.text
    officer = await site.enter("officer")
    assert '/evidence"' not in (await officer.see(f"/runs/{inner}")).replace("evidence/", "")
    refused = await officer.client.get(f"/runs/{inner}/evidence/{numbers[0]}")
    assert refused.status_code == 200  # who may see the run may see what proves it
    page = await deputy.send(f"/runs/{inner}", "/confirm", note="It was empty.")
    assert "Deputy said that it is done." in page
    assert "You have answered; 1 more person is needed." in page
    operator = await site.enter("operator")
    await operator.send(f"/runs/{inner}", "/confirm")
    await site.stage.settle()
    assert says(await operator.see(f"/runs/{outer}")).startswith("Succeeded after")


async def test_too_large_a_file_is_refused_and_nothing_of_the_form_is_kept(site: Site) -> None:
    inner = await site.start("hands")
    deputy = await site.enter("deputy")
    page = await deputy.see(f"/runs/{inner}")
    form = page.split("/steps/looked/evidence")[1].split("</form>")[0]
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    files = [("file", ("a.txt", b"fine")), ("file", ("b.bin", b"x" * (5 * 2**20 + 1)))]
    answer = await deputy.client.post(
        f"/runs/{inner}/steps/looked/evidence", data=hidden, files=files
    )
    assert answer.status_code == 422
    assert "The file has" in answer.text
    assert "a.txt" not in await deputy.see(f"/runs/{inner}")


async def test_a_phase_says_from_which_day_it_goes_on(site: Site) -> None:
    run = await site.start("phased")
    page = await (await site.enter("operator")).see(f"/runs/{run}")
    assert says(page) == "실행: from 2026-03-06 00:00, in 2 d 6 h"
    assert '<li class="group">D+3</li>' in page


async def test_cancelling_says_what_it_undoes_and_taking_over_whose_it_is(site: Site) -> None:
    run = await site.start("asks")
    operator, deputy = await site.enter("operator"), await site.enter("deputy")
    assert "/take-over" not in await operator.see(f"/runs/{run}")
    page = await deputy.send(f"/runs/{run}", "/take-over", reason="My shift.")
    assert "It is yours to look after." in page
    assert "Looked after by" in page
    assert "Rolls back 2 steps" in page.split('id="cancel"')[1].split("</form>")[0]
    await deputy.send(f"/runs/{run}", "/comment", text="Waiting for the vendor.")
    await deputy.send(f"/runs/{run}", "/cancel", reason="Wrong certificate.")
    await site.stage.settle()
    page = await deputy.see(f"/runs/{run}")
    assert re.fullmatch(r"Cancelled by Deputy after .+\. 2 steps rolled it back\.", says(page))
    assert "Waiting for the vendor." in page
    assert "/cancel" not in page
    viewer = await site.enter("viewer")
    for path in ("cancel", "take-over", "resume", "comment"):
        assert (await viewer.client.post(f"/runs/{run}/{path}")).status_code == 403


async def test_who_may_not_read_the_book_sees_the_run_and_not_its_text(site: Site) -> None:
    run = await site.start("back")
    reads = await (await site.enter("operator")).see(f"/runs/{run}")
    assert "What the book says" in reads
    assert f"?revision={site.book.revision}" in reads
    other = await (await site.enter("viewer")).see(f"/runs/{run}")
    assert "What the book says" not in other
    assert "?revision=" not in other
    assert "switching symlink" in other


async def test_the_newest_of_a_long_story_is_shown(site: Site) -> None:
    run = await site.start("phased")
    who, stage = await site.stage.person("operator"), site.stage

    def much(tx: Transaction) -> None:
        for number in range(410):
            runs.comment(tx, stage.clock.now(), run, who, site.book, f"word {number}")

    await stage.write(much)
    page = await (await site.enter("operator")).see(f"/runs/{run}")
    assert "word 409" in page
    assert "word 3<" not in page
    assert f"/audit?about=run:{run}" in page
