"""Pages as somebody without JavaScript meets them: what they say, allow and refuse."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from opsbook.audit.tables import entry
from opsbook.book.library import Trouble
from opsbook.incidents.tables import incident
from opsbook.notify.tables import page as pages
from opsbook.runs.tables import run, step, wait
from tests.web import rig as sites
from tests.web.cast import PASSWORD
from tests.web.conftest import Enter
from tests.web.rig import Rig

PAGES = (
    "/", "/inbox", "/incidents", "/incidents/1", "/incidents/2", "/incidents/3", "/runs",
    "/runs?show=open", "/runs?q=rest&trigger=incident", "/runs/compare?b=3", "/runs/compare?b=1",
    "/runbooks", "/runbooks?q=systemctl", "/runs/1", "/runs/2", "/runs/3", "/runs/4", "/checks",
    "/checks/shop/checkout", "/checks/shop/search?span=day", "/checks/shop/disk?span=week", "/book",
    "/checks/shop/front?span=year", "/alerts", "/alerts/1", "/alerts/3", "/silences?alert=1",
    "/intake",
    "/book/shop", "/book/shop/runbooks/restart-payments", "/book/shop/files/checks.yaml",
    "/book/shop/files", "/book/shop/checks", "/book/shop/checks/checkout", "/book/shop/rules",
    "/book/shop/rules/checkout-slow", "/book/shop/services/payments", "/book/shop/severities/P1",
    "/book/shop/people/operator", "/book/shop/teams/operations", "/book/shop/routines/morning",
    "/book/shop/escalation/standard", "/book/shop/runbooks", "/book/shop/windows", "/audit",
    "/audit?about=incident:1", "/profile", "/more", "/search", "/search?q=pay", "/search?q=1",
)  # fmt: skip
WRITING = ("/book/shop/runbooks/restart-payments/start", "/book/shop/runbooks/wipe-cache/start")
TITLE = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)


def title(page: str) -> str:
    return re.sub(r"<[^>]+>", "", TITLE.findall(page)[0]).strip()


@pytest.mark.parametrize("language", ["ko", "en"])
async def test_every_page_opens_for_who_may_see_it(
    trouble: Rig, enter: Enter, language: str
) -> None:
    operator = await enter(trouble, "operator", language)
    viewer = await enter(trouble, "viewer", language)
    for path in PAGES:
        for visitor in (operator, viewer):
            page = await visitor.see(path)
            assert f'<html lang="{language}"' in page
            assert title(page)
            assert "%(" not in page.split("<main")[1]
    for path in WRITING:
        await operator.see(path)


async def test_every_page_opens_on_postgresql(
    postgres_url: str, tmp_path: Path, enter: Enter
) -> None:
    async with sites.serving(tmp_path / "data", sites.trouble, postgres_url) as rig:
        operator = await enter(rig)
        for path in (*PAGES, *WRITING):
            assert title(await operator.see(path))


@pytest.mark.parametrize("language", ["ko", "en"])
async def test_every_page_opens_before_anything_happened(
    empty: Rig, enter: Enter, language: str
) -> None:
    operator = await enter(empty, "operator", language)
    for path in ("/", "/inbox", "/incidents", "/runs", "/checks", "/checks/shop/disk", "/audit"):
        assert title(await operator.see(path))


async def test_today_says_in_one_sentence_what_needs_me(trouble: Rig, enter: Enter) -> None:
    operator = await enter(trouble)
    page = await operator.see("/")
    assert title(page) == "1 incident needs you. 2 things wait for you. 3 checks are not ok."
    korean = await enter(trouble, "operator", "ko")
    assert title(await korean.see("/")) == (
        "접수할 장애 1건. 확인을 기다리는 일 2건. 정상이 아닌 점검 3개."
    )
    viewer = await enter(trouble, "viewer")
    assert title(await viewer.see("/")) == "3 checks are not ok. Nothing needs you."


async def test_a_quiet_day_says_so(calm: Rig, enter: Enter) -> None:
    operator = await enter(calm)
    assert title(await operator.see("/")) == "7 checks are fine. Nothing needs you."


@pytest.mark.parametrize(
    ("kind", "language", "said"),
    [
        ("broken", "en", "7 checks are fine. The last edit of Online shop does not run."),
        ("broken", "ko", "점검 7개 정상. 온라인 가게의 마지막 편집이 실행되지 않습니다."),
        ("gone", "en", "7 checks are fine. The source of Online shop is not what runs."),
        ("rejected", "en", "7 checks are fine. Nothing needs you."),
    ],
)
async def test_a_quiet_day_is_not_called_one_while_an_edit_cannot_run(
    calm: Rig, enter: Enter, kind: str, language: str, said: str
) -> None:
    trouble = Trouble("/book", kind, "It has 1 problem.", "Mend it.", (), calm.clock.now())
    calm.library.note("shop", trouble)
    assert title(await (await enter(calm, "operator", language)).see("/")) == said


async def test_an_account_that_is_nobody_is_told_what_to_do(calm: Rig, enter: Enter) -> None:
    stranger = await enter(calm, "stranger")
    page = await stranger.see("/")
    assert "Nobody in a running book signs in as stranger." in page
    assert 'href="/incidents"' not in page
    for path in ("/incidents", "/runs", "/checks", "/book", "/audit"):
        answer = await stranger.client.get(path)
        assert answer.status_code == 403, path
        assert "stranger is nobody in the book shop." in answer.text
    for path in ("/runs/1", "/checks/shop/disk", "/book/shop", "/book/shop/files/people.yaml"):
        assert (await stranger.client.get(path)).status_code == 404, path


async def test_one_acknowledges_without_javascript(trouble: Rig, enter: Enter) -> None:
    operator = await enter(trouble)
    page = await operator.send("/", "/incidents/1/acknowledge")
    assert "Acknowledged. It is yours." in page
    assert "Operator has it since" in page
    assert "Acknowledged. It is yours." not in await operator.see("/incidents/1")
    late = await enter(trouble, "responder")
    assert "/incidents/1/acknowledge" not in await late.see("/incidents/1")


async def test_two_who_acknowledge_at_once_get_one_incident(trouble: Rig, enter: Enter) -> None:
    operator, responder = await enter(trouble), await enter(trouble, "responder")
    forms = [await one.see("/incidents/1") for one in (operator, responder)]
    tokens = [one.split('name="form_token" value="')[-1].split('"')[0] for one in forms]
    for visitor, token, status in zip((operator, responder), tokens, (200, 409), strict=True):
        data = {"form_token": token}
        answer = await visitor.client.post("/incidents/1/acknowledge", data=data)
        assert answer.status_code == status
    assert "Incident 1 is already acknowledged." in answer.text


async def test_notes_and_resolving_by_hand_are_in_the_story(trouble: Rig, enter: Enter) -> None:
    operator = await enter(trouble)
    page = await operator.send("/incidents/1", "/note", text="<b>Saw</b> the pool\nrun dry.")
    assert "&lt;b&gt;Saw&lt;/b&gt; the pool\nrun dry." in page
    page = await operator.send("/incidents/1", "/resolve", note="The pool was enlarged.")
    assert "Resolved after" in page
    assert "by Operator." in page
    assert "The pool was enlarged." in page


async def test_one_approves_without_javascript_where_the_run_is_shown(
    trouble: Rig, enter: Enter
) -> None:
    approver = await enter(trouble, "approver")
    page = await approver.send("/incidents/1", "/approve", note="Payments are stopped anyway.")
    assert "Approved." in page
    votes = "SELECT account_id, decision, note FROM approval_vote"
    rows = await trouble.database.read(lambda tx: tx.rows(sa.text(votes)))
    assert [(row["account_id"], row["decision"]) for row in rows] == [
        (trouble.ids["approver"], "approve")
    ]
    assert rows[0]["note"] == "Payments are stopped anyway."


async def test_one_rejects_without_javascript(trouble: Rig, enter: Enter) -> None:
    approver = await enter(trouble, "approver")
    page = await approver.see("/runs/2")
    assert 'formaction="/runs/2/steps/allow/reject"' in page
    form = dict(
        re.findall(
            r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.split('id="answer-allow"')[1]
        )
    )
    answer = await approver.client.post("/runs/2/steps/allow/reject", data=form)
    assert "Rejected." in answer.text


async def test_what_i_may_not_do_is_not_shown_and_is_refused(trouble: Rig, enter: Enter) -> None:
    viewer = await enter(trouble, "viewer")
    for path in PAGES:
        page = await viewer.see(path)
        # These only look; and whoever may read a run may write a word about it.
        actions = set(re.findall(r'action="([^"]+)"', page)) - {
            "/search", "/audit", "/runs", "/runbooks",
        }  # fmt: skip
        assert all(
            one.startswith(("/profile", "/sign-out", "/inbox", "/audit/verify"))
            or re.fullmatch(r"/runs/\d+/comment", one)
            for one in actions
        ), (path, actions)
    room = await viewer.see("/incidents/1")
    assert "waits for release_manager (Operator, Approver)" in room
    token = room.split('name="form_token" value="')[1].split('"')[0]
    for path in (
        "/incidents/1/acknowledge", "/incidents/1/resolve", "/incidents/1/note", "/runs/2/cancel",
        "/runs/2/steps/allow/approve", "/runs/4/steps/wipe/decide", "/checks/shop/disk/look",
    ):  # fmt: skip
        data = {"form_token": token, "approval": "1", "choice": "skip", "text": "x"}
        answer = await viewer.client.post(path, data=data)
        assert answer.status_code == 403, (path, answer.text[:2000])
        assert "You may not do this." in answer.text
    refused = await trouble.database.read(
        lambda tx: tx.rows(sa.select(entry).where(entry.c.action == "access.refused"))
    )
    assert {row["actor"] for row in refused} == {f"account:{trouble.ids['viewer']}"}
    assert len(refused) == 7


async def test_who_started_a_run_is_told_that_somebody_else_approves(
    trouble: Rig, enter: Enter
) -> None:
    change = (
        "UPDATE approval SET self_approval = 'forbid', "
        f"excluded = '[{trouble.ids['operator']}]', excluded_because = '{{}}'"
    )
    await trouble.database.write(lambda tx: tx.execute(sa.text(change)))
    operator, approver = await enter(trouble), await enter(trouble, "approver")
    page = await operator.see("/runs/2")
    assert "so somebody else approves" in page
    assert "/approve" not in page
    assert "/runs/2/steps/allow/approve" in await approver.see("/runs/2")


async def test_a_team_of_one_is_told_that_the_audit_says_so(trouble: Rig, enter: Enter) -> None:
    change = f"UPDATE approval SET excluded = '[{trouble.ids['operator']}]'"
    await trouble.database.write(lambda tx: tx.execute(sa.text(change)))
    operator = await enter(trouble)
    assert "self_approval: record" in await operator.see("/runs/2")
    await operator.send("/runs/2", "/approve")
    assert "approved their own work" in await operator.see("/audit")


async def test_an_interrupted_step_is_decided_by_a_person(trouble: Rig, enter: Enter) -> None:
    operator = await enter(trouble)
    page = await operator.see("/runs/4")
    assert "nobody knows how far it came" in page
    await operator.send("/runs/4", "/decide", choice="skip", note="The folder is empty.")
    assert "said that" in await operator.see("/audit?about=run:4")
    answer = await trouble.database.read(
        lambda tx: tx.scalar(sa.select(wait.c.answer).where(wait.c.run_id == 4))
    )
    assert answer in {"skip", None}


async def test_a_manual_step_is_confirmed_with_a_note(trouble: Rig, enter: Enter) -> None:
    def ask(tx):  # type: ignore[no-untyped-def]
        row = tx.row(sa.select(step).where(step.c.run_id == 2, step.c.key == "cause"))
        tx.execute(sa.delete(wait).where(wait.c.run_id == 2))
        tx.execute(step.update().where(step.c.id == row["id"]).values(state="waiting"))
        now = trouble.clock.now()
        tx.insert(
            wait, run_id=2, step_id=row["id"], kind="person", role="responder", since=now, data={}
        )

    await trouble.database.write(ask)
    viewer, responder = await enter(trouble, "viewer"), await enter(trouble, "responder")
    assert "/confirm" not in await viewer.see("/runs/2")
    page = await responder.send("/runs/2", "/confirm", note="It was the pool.")
    assert "Confirmed." in page
    assert "It was the pool." in page


async def test_cancelling_says_what_it_will_do(trouble: Rig, enter: Enter) -> None:
    operator = await enter(trouble)
    page = await operator.see("/runs/2")
    assert "No further step is started." in page
    assert "Nothing is rolled back." in page  # what it would undo has not begun
    await operator.send("/runs/2", "/cancel", reason="Wrong service.")
    row = await trouble.database.read(lambda tx: tx.row(sa.select(run).where(run.c.id == 2)))
    assert row is not None
    assert row["cancelling"]


async def test_a_runbook_starts_with_typed_parameters_and_shows_every_fault_at_once(
    calm: Rig, enter: Enter
) -> None:
    operator = await enter(calm, language="ko")
    path = "/book/shop/runbooks/restart-payments/start"
    page = await operator.see(path)
    assert "다시 시작할 서비스" in page
    token = page.split('name="form_token" value="')[-1].split('"')[0]
    data = {"form_token": token, "param-service": "moon", "param-wait_seconds": "999"}
    answer = await operator.client.post(path, data=data)
    assert answer.status_code == 422
    assert "고를 수 있는 값이 아닙니다" in answer.text
    assert "가능한 값: payments, storefront 중 하나." in answer.text
    assert "범위를 벗어납니다" in answer.text
    assert 'value="999"' in answer.text
    page = await operator.send(path, "/start", **{"param-service": "payments"})
    assert "시작했습니다." in page
    row = await calm.database.read(lambda tx: tx.row(sa.select(run).order_by(run.c.id.desc())))
    assert row is not None
    assert row["params"] == {"service": "payments", "wait_seconds": "5"}
    assert row["started_by"] == f"account:{calm.ids['operator']}"
    assert row["attended"]


async def test_sending_the_start_form_twice_starts_one_run(calm: Rig, enter: Enter) -> None:
    operator = await enter(calm)
    path = "/book/shop/runbooks/restart-payments/start"
    page = await operator.see(path)
    data = dict(re.findall(r'<input type="hidden" name="(form_token|once)" value="([^"]*)"', page))
    data["param-service"] = "payments"
    answers = [await operator.client.post(path, data=data) for _ in range(2)]
    assert len({str(answer.url) for answer in answers}) == 1


async def test_a_dangerous_runbook_asks_for_its_name_typed(calm: Rig, enter: Enter) -> None:
    operator = await enter(calm)
    path = "/book/shop/runbooks/wipe-cache/start"
    page = await operator.see(path)
    assert "changes something" in page
    token = page.split('name="form_token" value="')[-1].split('"')[0]
    answer = await operator.client.post(path, data={"form_token": token, "named": "wipe"})
    assert answer.status_code == 422
    assert "was not typed as it is" in answer.text
    page = await operator.send(path, "/start", named="wipe-cache")
    assert "Started." in page


async def test_a_check_is_looked_at_now(calm: Rig, enter: Enter) -> None:
    operator = await enter(calm)
    page = await operator.send("/checks/shop/disk", "/disk/look")
    assert "Looked just now." in page


async def test_a_page_is_read_by_opening_it(trouble: Rig, enter: Enter) -> None:
    operator, viewer = await enter(trouble), await enter(trouble, "viewer")
    page = await operator.see("/inbox")
    assert title(page) == "1 page is not read."
    assert "now: unanswered" in page
    assert "apprise: not delivered yet" in page
    number = re.findall(r"/inbox/(\d+)/open", page)[0]
    token = (await viewer.see("/inbox")).split('name="form_token" value="')[-1].split('"')[0]
    answer = await viewer.client.post(f"/inbox/{number}/open", data={"form_token": token})
    assert answer.status_code == 404
    assert "Payment API is slow" in await operator.send("/inbox", f"/inbox/{number}/open")
    assert title(await operator.see("/inbox")) == "Nothing unread."


async def test_the_chain_is_verified_from_the_page_and_names_what_was_changed(
    trouble: Rig, enter: Enter
) -> None:
    operator = await enter(trouble)
    await trouble.sealer.tick(trouble.clock.now())
    page = await operator.send("/audit", "/audit/verify")
    assert title(page) == "The chain holds: no sealed entry was changed."
    change = sa.update(entry).where(entry.c.action == "incident.opened").values(actor="account:9")
    await trouble.database.write(lambda tx: tx.execute(change))
    page = await operator.send("/audit", "/audit/verify")
    assert title(page) == "The chain is broken in 3 places."
    assert "Changed after it was sealed (action incident.opened" in page


async def test_a_token_is_shown_once_and_works_within_its_scopes(calm: Rig, enter: Enter) -> None:
    viewer = await enter(calm, "viewer")
    page = await viewer.send("/profile", "/profile/tokens", name="reader", scopes="read", days="30")
    raw = page.split('<code class="secret" id="secret">')[1].split("</code>")[0]
    assert raw.startswith("opb_")
    again = await viewer.see("/profile")
    assert raw not in again
    assert "reader" in again
    headers = {"Authorization": f"Bearer {raw}"}
    answer = await viewer.client.get("/api/v1/checks", headers=headers)
    assert answer.status_code == 200
    await viewer.send("/profile", "/revoke")
    answer = await viewer.client.get("/api/v1/checks", headers=headers)
    assert answer.status_code == 401


async def test_the_language_and_the_look_stay_with_the_account(calm: Rig, enter: Enter) -> None:
    viewer = await enter(calm, "viewer", "en")
    page = await viewer.send("/profile", "/profile/look", language="ko", theme="dark")
    assert '<html lang="ko" data-theme="dark">' in page
    elsewhere = await enter(calm, "viewer", "en")
    assert '<html lang="ko" data-theme="dark">' in await elsewhere.see("/")
    page = await viewer.send("/profile", "/profile/look", theme="auto")
    assert '<html lang="ko">' in page


async def test_what_is_wrong_with_opsbook_itself_is_loud(trouble: Rig, enter: Enter) -> None:
    loop = trouble.loops
    loop.add("rules", None)  # type: ignore[arg-type]
    loop.loops["rules"].failures = 4
    loop.loops["rules"].error = "OperationalError: disk I/O error"
    lost = (
        sa.update(pages).where(pages.c.channel != "inbox").values(state="failed", error="refused")
    )
    await trouble.database.write(lambda tx: tx.execute(lost))
    trouble.engine.trouble[2] = "OSError: no space left on device"
    operator = await enter(trouble)
    page = await operator.see("/")
    assert "Run 2 cannot move on" in page
    assert "Opsbook itself is in trouble." in title(page)
    assert "4 times in a row: OperationalError: disk I/O error." in page
    assert "A page did not reach Operator." in page


async def test_old_output_is_cut_and_whole_behind_a_link(trouble: Rig, enter: Enter) -> None:
    operator = await enter(trouble)
    long = "INSERT INTO attempt_output (attempt_id, start, text) VALUES (2, 100000, :text)"
    text = "".join(f"line {n}\n" for n in range(9000))
    await trouble.database.write(lambda tx: tx.execute(sa.text(long), {"text": text}))
    page = await operator.see("/runs/2")
    assert "line 8999" in page
    assert "line 10\n" not in page
    _, _, cut = page.partition('<p class="small">The beginning is not shown.')
    path = re.findall(r'href="(/runs/2/steps/[a-z-]+/output\.txt\?attempt=1)"', cut)[0]
    answer = await operator.client.get(path)
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-disposition"].startswith('attachment; filename="run-2-')
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "line 10\n" in answer.text
    last = await operator.client.get(path.partition("?")[0])
    assert last.text == answer.text
    for wrong in (path.replace("=1", "=9"), "/runs/2/steps/none/output.txt"):
        assert (await operator.client.get(wrong)).status_code == 404
    stranger = await enter(trouble, "stranger")
    assert (await stranger.client.get(path)).status_code == 404


async def test_a_story_is_told_in_both_languages(trouble: Rig, enter: Enter) -> None:
    english, korean = await enter(trouble), await enter(trouble, "operator", "ko")
    assert "Level 1 was paged: Operator." in await english.see("/incidents/1")
    assert "1단계 호출: 담당자." in await korean.see("/incidents/1")


async def test_a_file_of_the_book_shows_its_lines_and_an_unknown_one_is_not_there(
    calm: Rig, enter: Enter
) -> None:
    operator = await enter(calm)
    page = await operator.see("/book/shop/files/checks.yaml")
    assert 'id="L3"' in page
    for path in ("../etc/passwd", "/etc/passwd", "none.yaml"):
        answer = await operator.client.get(f"/book/shop/files/{path}")
        assert answer.status_code == 404
    answer = await operator.client.get("/book/shop/files/checks.yaml?revision=nothing")
    assert answer.status_code == 404


async def test_an_incident_without_a_page_says_why(trouble: Rig, enter: Enter) -> None:
    operator = await enter(trouble)
    page = await operator.see("/incidents/2")
    assert "the severity P3 names no escalation" in page
    gone = sa.update(incident).where(incident.c.id == 1).values(rule="no-longer-there")
    await trouble.database.write(lambda tx: tx.execute(gone))
    await operator.see("/incidents/1")
    await operator.see("/")


async def test_the_password_is_in_no_page_and_no_entry(calm: Rig, enter: Enter) -> None:
    operator = await enter(calm)
    assert PASSWORD not in await operator.see("/audit")
    rows = await calm.database.read(lambda tx: tx.rows(sa.select(entry)))
    assert PASSWORD not in str(rows)


@pytest.mark.parametrize(
    "path",
    ["/runs/{}", "/incidents/{}", "/runs?before={}", "/audit?before={}", "/inbox?before={}",
     "/runs/2/output?after={}"],
)  # fmt: skip
async def test_a_number_no_database_can_hold_is_refused_and_is_no_fault_of_ours(
    calm: Rig, enter: Enter, path: str
) -> None:
    visitor = await enter(calm)
    answer = await visitor.client.get(path.format(2**63))
    assert answer.status_code in {404, 422}
