"""What every request passes: headers, origin, form tokens, sizes; and the pages of refusals."""

import re

import pytest

from opsbook.web import forms
from tests.web.conftest import Enter
from tests.web.rig import Rig, client

TOKEN = re.compile(r'name="form_token" value="([0-9a-f]+)"')


async def test_answers_carry_a_policy_that_runs_nothing_inline(calm: Rig) -> None:
    async with client(calm) as browser:
        answer = await browser.get("/sign-in")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert "<script>" not in answer.text
    assert " style=" not in answer.text
    assert " onclick=" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_a_wish_from_another_site_is_refused(
    trouble: Rig, enter: Enter, headers: dict[str, str]
) -> None:
    operator = await enter(trouble)
    page = await operator.see("/incidents/1")
    data = {"form_token": TOKEN.findall(page)[-1]}
    answer = await operator.client.post("/incidents/1/acknowledge", data=data, headers=headers)
    assert answer.status_code == 403
    assert "came from another site" in answer.text
    assert "unanswered" in await operator.see("/incidents/1")


async def test_a_wish_from_our_own_page_is_taken(trouble: Rig, enter: Enter) -> None:
    operator = await enter(trouble)
    page = await operator.see("/incidents/1")
    data = {"form_token": TOKEN.findall(page)[-1]}
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": trouble.url}
    answer = await operator.client.post("/incidents/1/acknowledge", data=data, headers=headers)
    assert answer.status_code == 200
    assert "Operator has it" in answer.text


@pytest.mark.parametrize("token", [None, "", "00" * 64, "nonsense", "0" * 200])
async def test_a_form_without_its_token_is_refused(
    trouble: Rig, enter: Enter, token: str | None
) -> None:
    operator = await enter(trouble)
    data = {} if token is None else {"form_token": token}
    answer = await operator.client.post("/incidents/1/acknowledge", data=data)
    assert answer.status_code == 403
    assert "made for another session" in answer.text


async def test_a_token_of_somebody_elses_session_is_refused(trouble: Rig, enter: Enter) -> None:
    operator, viewer = await enter(trouble), await enter(trouble, "viewer")
    theirs = TOKEN.findall(await viewer.see("/profile"))[-1]
    answer = await operator.client.post("/incidents/1/acknowledge", data={"form_token": theirs})
    assert answer.status_code == 403


async def test_the_token_in_a_page_is_another_one_each_time(calm: Rig, enter: Enter) -> None:
    operator = await enter(calm)
    seen = TOKEN.findall(await operator.see("/profile")) + TOKEN.findall(
        await operator.see("/profile")
    )
    assert len(set(seen)) == len(seen)


async def test_a_body_that_is_too_large_is_refused_by_its_length_and_by_its_bytes(
    calm: Rig, enter: Enter
) -> None:
    operator = await enter(calm)
    big = b"note=" + b"x" * 200_000
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await operator.client.post("/profile/look", content=big, headers=form)
    assert answer.status_code == 413
    assert "larger than 128 KiB" in answer.text

    async def pieces():  # type: ignore[no-untyped-def]
        for _ in range(20):
            yield b"x" * 10_000

    answer = await operator.client.post("/profile/look", content=pieces(), headers=form)
    assert answer.status_code == 413


async def test_pages_that_are_not_there_say_so_and_lead_back(calm: Rig, enter: Enter) -> None:
    operator = await enter(calm, language="ko")
    for path in ("/nothing", "/incidents/99", "/incidents/x", "/checks/shop/none", "/book/none"):
        answer = await operator.client.get(path)
        assert answer.status_code == 404, path
        assert "여기에는 아무것도 없습니다." in answer.text
        assert "돌아가기" in answer.text


async def test_programs_get_problems_and_not_pages(calm: Rig) -> None:
    async with client(calm) as browser:
        answer = await browser.get("/api/v1/nothing")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        answer = await browser.post("/api/v1/runs", headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_failing_page_shows_no_trace(calm: Rig, enter: Enter) -> None:
    operator = await enter(calm)
    calm.library.books()[0].__dict__["checks"] = None
    answer = await operator.client.get("/checks")
    assert answer.status_code == 500
    assert "Opsbook failed." in answer.text
    assert "Traceback" not in answer.text
    assert "NoneType" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path", ["//evil", "/\\evil", "/\t/evil", "/\n/evil", "/a\r\nX: y", "evil", ""]
)
def test_where_to_go_next_is_a_path_of_this_site_and_of_no_other(path: str) -> None:
    assert forms.local_path(path, "/here") == "/here"
    assert forms.local_path("/runs/7?show=a b#c", "/here") == "/runs/7?show=a b#c"
