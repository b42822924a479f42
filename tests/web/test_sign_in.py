"""Getting in and out: passwords, one-time links, sessions, limits."""

from datetime import timedelta

import pytest

from opsbook.access import accounts, links
from opsbook.base.database import Transaction
from tests.support.visitor import Visitor
from tests.web.cast import PASSWORD
from tests.web.conftest import Enter
from tests.web.rig import Rig, client

DAY = timedelta(days=1)


async def link_for(rig: Rig, login: str, *, life: timedelta = DAY) -> str:
    """A sign-in link for a fresh account, or for one of the cast."""

    def make(tx: Transaction) -> str:
        now = rig.clock.now()
        row = accounts.by_login(tx, login)
        account = row["id"] if row else accounts.create(tx, now, login)
        return links.make(tx, now, account, life)

    return f"/sign-in/link/{await rig.database.write(make)}"


async def test_a_page_asks_to_sign_in_and_comes_back_to_where_it_was_wanted(calm: Rig) -> None:
    visitor = Visitor(calm.url)
    asked = await visitor.see("/checks/shop/checkout?span=day")
    assert "<h1>Sign in</h1>" in asked
    page = await visitor.send(
        "/checks/shop/checkout?span=day", "/sign-in", login="operator", password=PASSWORD
    )
    assert "Payment API answers" in page
    assert "last day" in page
    await visitor.close()


@pytest.mark.parametrize(
    "onward", ["https://evil.example/", "//evil.example", "/\\evil.example", "/sign-in/password"]
)
async def test_signing_in_leads_nowhere_but_here(calm: Rig, onward: str) -> None:
    visitor = Visitor(calm.url)
    page = await visitor.send(
        "/sign-in", "/sign-in", login="operator", password=PASSWORD, next=onward
    )
    assert "Nothing needs you" in page
    await visitor.close()


async def test_a_wrong_password_and_an_unknown_name_read_the_same(calm: Rig) -> None:
    async with client(calm, "ko") as browser:
        told = []
        for login in ("operator", "nobody-at-all"):
            page = (await browser.get("/sign-in")).text
            token = page.split('name="form_token" value="')[1].split('"')[0]
            data = {"form_token": token, "login": login, "password": "wrong"}
            answer = await browser.post("/sign-in", data=data)
            assert answer.status_code == 401
            told.append(answer.text.split('role="alert">')[1].split("</p>")[0])
    assert told[0] == told[1]
    assert "계정과 비밀번호가 맞지 않습니다." in told[0]


async def test_guessing_is_stopped_with_how_long_to_wait(calm: Rig) -> None:
    async with client(calm) as browser:
        page = (await browser.get("/sign-in")).text
        token = page.split('name="form_token" value="')[1].split('"')[0]
        data = {"form_token": token, "login": "operator", "password": "wrong"}
        answers = [await browser.post("/sign-in", data=data) for _ in range(11)]
        assert [answer.status_code for answer in answers[:10]] == [401] * 10
        assert answers[10].status_code == 429
        assert "Wait" in answers[10].text
        data["password"] = PASSWORD
        assert (await browser.post("/sign-in", data=data)).status_code == 429


async def test_a_link_is_used_up_by_its_button_and_not_by_being_opened(calm: Rig) -> None:
    path = await link_for(calm, "newcomer")
    visitor, late = Visitor(calm.url), Visitor(calm.url)
    for _ in range(3):
        assert "Sign in as newcomer" in await visitor.see(path)
    page = await visitor.send(path, path)
    assert "Choose a password" in page
    answer = await late.client.get(path)
    assert answer.status_code == 410
    assert "no longer works" in answer.text
    await visitor.send("/sign-in/password", "/sign-in/password", new=PASSWORD, again=PASSWORD)
    await late.send("/sign-in", "/sign-in", login="newcomer", password=PASSWORD)
    assert "newcomer" in await late.see("/profile")
    for one in (visitor, late):
        await one.close()


async def test_a_link_lets_somebody_choose_a_new_password_once(calm: Rig) -> None:
    path = await link_for(calm, "viewer")
    visitor = Visitor(calm.url)
    await visitor.send(path, path)
    await visitor.send(
        "/sign-in/password",
        "/sign-in/password",
        new="another honest shop",
        again="another honest shop",
    )
    assert "Choose a password" not in await visitor.see("/sign-in/password")
    await visitor.close()


async def test_a_password_that_cannot_be_used_is_refused_with_every_reason(calm: Rig) -> None:
    path = await link_for(calm, "ab")
    visitor = Visitor(calm.url, "ko")
    await visitor.send(path, path)
    page = await visitor.see("/sign-in/password")
    token = page.split('name="form_token" value="')[1].split('"')[0]
    answer = await visitor.client.post(
        "/sign-in/password", data={"form_token": token, "new": "ab", "again": "ab"}
    )
    assert answer.status_code == 422
    assert "10자 이상이어야 합니다." in answer.text
    assert "계정 이름과 같습니다." in answer.text
    answer = await visitor.client.post(
        "/sign-in/password", data={"form_token": token, "new": PASSWORD, "again": "other"}
    )
    assert "두 비밀번호가 서로 다릅니다." in answer.text
    await visitor.close()


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(calm: Rig) -> None:
    async with client(calm) as browser:
        page = (await browser.get("/sign-in")).text
        token = page.split('name="form_token" value="')[1].split('"')[0]
        data = {"form_token": token, "login": "operator", "password": PASSWORD}
        answer = await browser.post("/sign-in", data=data, follow_redirects=False)
    cookie = next(
        one for one in answer.headers.get_list("set-cookie") if one.startswith("opsbook_session=")
    )
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie  # this server is asked over plain http, on this machine alone


async def test_signing_out_ends_the_session_on_the_server(calm: Rig, enter: Enter) -> None:
    operator = await enter(calm)
    stolen = dict(operator.client.cookies)
    await operator.send("/profile", "/sign-out")
    async with client(calm) as thief:
        thief.cookies.update(stolen)
        assert "<h1>Sign in</h1>" in (await thief.get("/profile")).text


async def test_changing_the_password_ends_the_other_sessions(calm: Rig, enter: Enter) -> None:
    here, there = await enter(calm, "viewer"), await enter(calm, "viewer")
    page = await here.send(
        "/profile",
        "/profile/password",
        old=PASSWORD,
        new="a new honest shop",
        again="a new honest shop",
    )
    assert "The password is set." in page
    assert "<h1>Sign in</h1>" in await there.see("/profile")
    assert "Viewer" in await here.see("/profile")


async def test_the_present_password_is_asked_for(calm: Rig, enter: Enter) -> None:
    viewer = await enter(calm, "viewer")
    page = await viewer.see("/profile")
    token = page.split('name="form_token" value="')[1].split('"')[0]
    data = {
        "form_token": token,
        "old": "wrong",
        "new": "a new honest shop",
        "again": "a new honest shop",
    }
    answer = await viewer.client.post("/profile/password", data=data)
    assert answer.status_code == 422
    assert "The present password is not right." in answer.text
