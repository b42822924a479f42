"""The accounts page and the profile: inviting, links shown once, shutting out, one's own things."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from opsbook.access import accounts, links, sessions
from opsbook.access.tables import access_token, account
from opsbook.audit.tables import entry
from opsbook.base.database import Transaction
from opsbook.book import load
from opsbook.notify.tables import page
from opsbook.web.visit import SESSION
from tests.support.visitor import Visitor
from tests.web.cast import FILES, PASSWORD
from tests.web.conftest import Enter
from tests.web.rig import Rig, vocabulary

LINK = re.compile(r'id="link">([^<]+)<')
TOLD = "담당자님이 회원님 계정의 로그인 링크를 만들었습니다"  # in the book's first language
MORE = """  newcomer: {name: {ko: 새 담당자, en: New operator}, roles: [release_manager]}
  officer:
    name: {ko: 보안 담당자, en: Security officer}
    account: s.officer
    roles: [release_manager]
    contacts: ["json://127.0.0.1:9/"]
  desk: {name: {ko: 계정 담당, en: Account desk}, account: responder, roles: [desk]}
"""


async def more_people(rig: Rig) -> None:
    """Name two persons without an account, make the operator a first administrator, and give the
    responder the accounts to look after.
    """
    people = FILES["people.yaml"]
    without = re.sub(r"  responder: \{name.*\n", "", people).replace(
        "responder, approver]", "approver]"
    )
    named = without.replace("  viewer: {name", MORE + "  viewer: {name", 1)
    named = named.replace("page: [responder]", "page: [approver]")
    named = named.replace("roles:\n  admin", 'roles:\n  desk: ["access:admin"]\n  admin', 1)
    book = load({**FILES, "people.yaml": named}, vocabulary())

    def publish(tx: Transaction) -> None:
        rig.library.publish(tx, rig.clock.now(), book, "opsbook", "folder:shop")
        chief = account.c.login == "operator"
        tx.execute(account.update().where(chief).values(first_admin=True))

    await rig.database.write(publish)
    rig.library.remember(book)


async def entries(rig: Rig, action: str) -> list[dict[str, object]]:
    found = sa.select(entry).where(entry.c.action == action).order_by(entry.c.id)
    return await rig.database.read(lambda tx: tx.rows(found))


async def refused(visitor: Visitor, path: str, form: str, **fields: str) -> int:
    """Send what the page does not offer, with a good form token; return the status."""
    token = (await visitor.see(form)).split('name="form_token" value="')[1].split('"')[0]
    answer = await visitor.client.post(path, data={"form_token": token, **fields})
    return answer.status_code


async def test_a_second_person_gets_in_by_a_link_and_chooses_a_password(
    calm: Rig, enter: Enter
) -> None:
    await more_people(calm)
    operator = await enter(calm)
    before = await operator.see("/accounts")
    assert "2 people of the book cannot sign in yet." in before
    assert "Security officer" in before
    shown = await operator.send("/accounts", "/accounts", login="s.officer")
    assert "Send this link to Security officer." in shown
    assert "by the contacts in the book" in shown
    assert "For an hour" in shown
    (url,) = LINK.findall(shown)
    path = "/" + url.split("/", 3)[3]
    assert "1 person of the book cannot sign in yet." in await operator.see("/accounts")
    assert url not in await operator.see("/accounts/6")

    officer = Visitor(calm.url)
    assert "Choose a password" in await officer.send(path, path)
    await officer.send("/sign-in/password", "/sign-in/password", new=PASSWORD, again=PASSWORD)
    assert "Security officer" in await officer.see("/profile")
    assert TOLD in await officer.see("/inbox")
    await officer.close()

    seen = await operator.see("/accounts/6")
    assert "can sign in" in seen
    assert "Counts as one person with Operator" in seen
    assert "made by Operator" in seen
    stored = await calm.database.read(lambda tx: str(tx.rows(sa.select(entry))))
    told = await calm.database.read(lambda tx: tx.rows(sa.select(page)))
    assert {row["channel"] for row in told} == {"inbox", "apprise"}
    raw = path.rpartition("/")[2]
    assert raw not in stored
    assert raw not in str(told)


async def test_somebody_no_book_names_is_told_apart_with_the_lines_to_add(
    calm: Rig, enter: Enter
) -> None:
    await more_people(calm)
    operator = await enter(calm)
    shown = await operator.send("/accounts", "/accounts", login="helper")
    assert "No book names helper yet" in shown
    assert 'account: "helper", roles: [ROLE]' in shown
    assert "it may do nothing" in await operator.see("/accounts")
    token = (await operator.see("/accounts")).split('name="form_token" value="')[1].split('"')[0]
    again = await operator.client.post("/accounts", data={"form_token": token, "login": "helper"})
    assert again.status_code == 422
    assert "There is an account" in again.text
    wrong = await operator.client.post("/accounts", data={"form_token": token, "login": "a b"})
    assert wrong.status_code == 422
    assert "cannot be a name to sign in with" in wrong.text


async def test_a_link_for_who_was_in_before_takes_their_name_typed_and_tells_them(
    calm: Rig, enter: Enter
) -> None:
    await more_people(calm)
    operator = await enter(calm)
    viewer = await enter(calm, "viewer")
    number = calm.ids["viewer"]
    link = f"/accounts/{number}/link"
    assert await refused(operator, link, "/accounts", typed="") == 422
    assert await entries(calm, "link.made") == []
    shown = await operator.send(f"/accounts/{number}", link, typed="viewer")
    assert len(LINK.findall(shown)) == 1
    assert len(await entries(calm, "link.made")) == 1
    assert TOLD in await viewer.see("/inbox")
    assert "Counts as one person" not in await operator.see(f"/accounts/{number}")


async def test_disabling_is_typed_and_ends_everything_at_once(calm: Rig, enter: Enter) -> None:
    await more_people(calm)
    operator, viewer = await enter(calm), await enter(calm, "viewer")
    number = calm.ids["viewer"]
    disable = f"/accounts/{number}/disable"
    page = await operator.see(f"/accounts/{number}")
    token = page.split('name="form_token" value="')[1].split('"')[0]
    wrong = await operator.client.post(disable, data={"form_token": token, "typed": "viewr"})
    assert wrong.status_code == 422
    assert "not the account" in wrong.text
    assert "Viewer" in await viewer.see("/profile")
    done = await operator.send(f"/accounts/{number}", disable, typed="viewer")
    assert "Disabled. It is signed out everywhere." in done
    assert "<h1>Sign in</h1>" in await viewer.see("/profile")
    assert "Enabled." in await operator.send(f"/accounts/{number}", f"/accounts/{number}/enable")


async def test_a_first_administrator_appoints_another_and_never_themself(
    calm: Rig, enter: Enter
) -> None:
    await more_people(calm)
    operator = await enter(calm)
    other, own = calm.ids["approver"], calm.ids["operator"]
    assert f"/accounts/{own}/dismiss" not in await operator.see(f"/accounts/{own}")
    assert await refused(operator, f"/accounts/{own}/dismiss", "/accounts", typed="operator") == 403
    done = await operator.send(f"/accounts/{other}", f"/accounts/{other}/appoint", typed="approver")
    assert "It is a first administrator now." in done
    approver = await enter(calm, "approver")
    done = await approver.send(f"/accounts/{own}", f"/accounts/{own}/dismiss", typed="operator")
    assert "It is no first administrator any more." in done
    dismiss = f"/accounts/{other}/dismiss"
    assert await refused(operator, dismiss, "/accounts", typed="approver") == 403


@pytest.mark.parametrize("who", ["viewer", "approver", "stranger"])
async def test_who_may_not_is_refused_on_record_and_shown_nothing_to_press(
    calm: Rig, enter: Enter, who: str
) -> None:
    await more_people(calm)
    visitor = await enter(calm, who)
    answer = await visitor.client.get("/accounts")
    if who == "viewer":  # reads everything
        assert "Without an account" in answer.text
        assert ">Invite</button>" not in answer.text
        detail = await visitor.see(f"/accounts/{calm.ids['approver']}")
        assert "You may not change this account." in detail
    else:
        assert answer.status_code == 403
    for path, fields in (
        ("/accounts", {"login": "newcomer"}),
        (f"/accounts/{calm.ids['operator']}/link", {"typed": "operator"}),
        (f"/accounts/{calm.ids['operator']}/disable", {"typed": "operator"}),
        (f"/accounts/{calm.ids['viewer']}/appoint", {"typed": "viewer"}),
    ):
        assert await refused(visitor, path, "/profile", **fields) == 403
    told = await entries(calm, "access.refused")
    assert [one["data"]["request"] for one in told] == [  # type: ignore[index]
        "POST /accounts", "POST /accounts/{account_id}/link",
        "POST /accounts/{account_id}/{wish}", "POST /accounts/{account_id}/{wish}",
    ]  # fmt: skip
    assert told[1]["subject"] == f"account:{calm.ids['operator']}"
    assert await entries(calm, "account.created") != []
    assert await calm.database.read(lambda tx: accounts.by_login(tx, "newcomer")) is None


async def test_an_account_desk_invites_and_cannot_reach_an_administrator(
    calm: Rig, enter: Enter
) -> None:
    await more_people(calm)
    desk = await enter(calm, "responder")
    assert "Send this link to New operator." in await desk.send(
        "/accounts", "/accounts", login="newcomer"
    )
    number = calm.ids["operator"]
    assert "You may not change this account." in await desk.see(f"/accounts/{number}")
    link = f"/accounts/{number}/link"
    assert await refused(desk, link, "/accounts", typed="operator") == 403
    assert await refused(desk, "/accounts", "/accounts", login="unheard-of") == 403


async def test_an_account_of_another_book_is_not_there_for_who_reads_only_this_one(
    calm: Rig, enter: Enter
) -> None:
    await more_people(calm)
    viewer = await enter(calm, "viewer")
    assert "stranger" not in await viewer.see("/accounts")
    gone = await viewer.client.get(f"/accounts/{calm.ids['stranger']}")
    assert gone.status_code == 404


async def test_one_browser_is_signed_out_from_the_profile(calm: Rig, enter: Enter) -> None:
    here, there = await enter(calm, "viewer"), await enter(calm, "viewer")
    page = await here.see("/profile")
    (mark,) = re.findall(r"/profile/sessions/(\w+)/end", page)
    done = await here.send("/profile", f"/profile/sessions/{mark}/end")
    assert "That browser is signed out." in done
    assert "<h1>Sign in</h1>" in await there.see("/profile")
    assert "Viewer" in await here.see("/profile")
    other = await enter(calm, "approver")
    assert await refused(other, f"/profile/sessions/{mark}/end", "/profile") == 404


async def test_a_token_made_in_a_link_session_remembers_whose_link_it_was(calm: Rig) -> None:
    def make(tx: Transaction) -> str:
        now, maker = calm.clock.now(), calm.ids["operator"]
        raw = links.make(tx, now, calm.ids["viewer"], timedelta(days=1), made_by=maker)
        assert links.use(tx, now, raw) is not None
        return sessions.open(tx, now, calm.ids["viewer"], "a test", how="link", link_by=maker)[0]

    visitor = Visitor(calm.url)
    visitor.client.cookies.set(SESSION, await calm.database.write(make))
    shown = await visitor.send(
        "/profile", "/profile/tokens", name="job", scopes="accounts", days="7"
    )
    assert "opb_" in shown
    row = await calm.database.read(lambda tx: tx.row(sa.select(access_token)))
    assert row is not None
    assert (row["link_by"], row["scopes"]) == (calm.ids["operator"], ["accounts"])
    await visitor.close()


async def test_too_many_links_that_are_none_are_stopped(calm: Rig) -> None:
    visitor = Visitor(calm.url)
    for n in range(50):
        answer = await visitor.client.get(f"/sign-in/link/guess{n}")
        assert answer.status_code == 410
    assert (await visitor.client.get("/sign-in/link/another")).status_code == 429
    await visitor.close()
