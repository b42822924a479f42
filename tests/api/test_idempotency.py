"""Idempotency-Key: what is sent twice is done once and answered twice."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from fastapi.routing import APIRoute

from opsbook.base.database import Transaction, sqlite_url
from opsbook.web.api import KEEP_ANSWERS, forget_answers, idempotency
from opsbook.web.api.router import NOUNS
from opsbook.web.tables import answer
from tests.api.asking import Caller, assert_problem
from tests.support.front_door import start
from tests.support.shopbook import write_shop

REPLAYED = "Idempotency-Replayed"


@pytest.fixture(scope="module")
def lead(shop):
    return Caller(shop, shop.make_token("lead", "read", "run", "approve"))


def key(name):
    return {"Idempotency-Key": name}


def actions(lead, run):
    thread = lead.get("/audit", params={"thread": f"run:{run}"}).json()["entries"]
    return [one["action"] for one in thread]


@pytest.fixture
def waiting(lead):
    """A run that waits for an approval."""
    run = lead.start("deploy")["id"]
    lead.until(run, "waiting")
    yield run
    lead.post(f"/runs/{run}/cancel", json={})


def test_an_answer_that_is_given_twice_counts_once_and_reads_the_same(lead, waiting):
    sent = {"json": {"step": "allow", "note": "go"}, "headers": key(f"approve-{waiting}")}
    first = lead.post(f"/runs/{waiting}/approve", **sent)
    assert first.status_code == 200
    assert REPLAYED not in first.headers
    lead.until(waiting, "waiting")
    again = lead.post(f"/runs/{waiting}/approve", **sent)
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers[REPLAYED] == "true"
    assert again.headers["content-type"] == first.headers["content-type"] == "application/json"
    assert actions(lead, waiting).count("approval.approved") == 1


def test_without_a_key_nothing_is_kept_and_the_second_is_a_conflict(lead, waiting):
    assert lead.post(f"/runs/{waiting}/cancel", json={}).status_code == 200
    assert_problem(lead.post(f"/runs/{waiting}/cancel", json={}), 409)


def test_the_order_of_keys_and_blanks_make_no_other_request(lead, waiting):
    headers = {**key(f"order-{waiting}"), "Content-Type": "application/json"}
    address = f"/runs/{waiting}/reject"
    first = lead.post(address, content=b'{"step":"allow","note":"no"}', headers=headers)
    again = lead.post(address, content=b'{ "note": "no", "step": "allow" }', headers=headers)
    assert (first.status_code, again.headers[REPLAYED]) == (200, "true")


@pytest.mark.parametrize("change", ["body", "address", "query", "start"])
def test_the_same_key_for_another_request_is_a_conflict(change, lead, waiting):
    used = key(f"other-{change}-{waiting}")
    assert lead.post(f"/runs/{waiting}/cancel", json={}, headers=used).status_code == 200
    other = {
        "body": lambda: lead.post(f"/runs/{waiting}/cancel", json={"reason": "x"}, headers=used),
        "address": lambda: lead.post(f"/runs/{waiting}/reject", json={}, headers=used),
        "query": lambda: lead.post(f"/runs/{waiting}/cancel?a=b", json={}, headers=used),
        "start": lambda: lead.post("/runs", json={"runbook": "look"}, headers=used),
    }[change]()
    assert "another request" in assert_problem(other, 409)["detail"]


def test_a_key_that_started_a_run_starts_nothing_else(lead, waiting):
    used = key(f"started-{waiting}")
    run = lead.post("/runs", json={"runbook": "look"}, headers=used).json()["id"]
    problem = assert_problem(lead.post(f"/runs/{waiting}/cancel", json={}, headers=used), 409)
    assert f"run {run}" in problem["detail"]
    assert lead.get(f"/runs/{waiting}").json()["cancelling"] is False


def test_starting_again_with_a_key_says_that_it_is_a_repetition(lead):
    sent = {"json": {"runbook": "look"}, "headers": key("start-replayed")}
    first, again = lead.post("/runs", **sent), lead.post("/runs", **sent)
    assert REPLAYED not in first.headers
    assert again.headers[REPLAYED] == "true"
    assert first.json()["id"] == again.json()["id"]


def test_a_refusal_is_not_kept(lead):
    run = lead.start("deploy")["id"]
    lead.until(run, "waiting")
    sent = {"json": {}, "headers": key(f"early-{run}")}
    assert_problem(lead.post(f"/runs/{run}/confirm", **sent), 409)
    lead.post(f"/runs/{run}/approve", json={})
    with lead.stream("GET", f"/runs/{run}/stream") as stream:
        for line in stream.iter_lines():
            if '"kind":"person"' in line:
                break
    done = lead.post(f"/runs/{run}/confirm", **sent)
    assert done.status_code == 200, done.text
    assert REPLAYED not in done.headers


def test_a_key_belongs_to_the_token_that_sent_it(shop, lead, waiting):
    other = Caller(shop, shop.make_token("lead", "read", "run", "approve"))
    sent = {"json": {}, "headers": key(f"mine-{waiting}")}
    assert lead.post(f"/runs/{waiting}/cancel", **sent).status_code == 200
    told = assert_problem(other.post(f"/runs/{waiting}/cancel", **sent), 409)["detail"]
    assert "Idempotency" not in told


def test_at_the_same_moment_one_does_it_and_all_hear_of_it(lead, waiting):
    sent = {"json": {"reason": "once"}, "headers": key(f"moment-{waiting}")}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: lead.post(f"/runs/{waiting}/cancel", **sent), range(16)))
    assert {one.status_code for one in answers} == {200}
    assert len({one.content for one in answers}) == 1
    assert sum(REPLAYED in one.headers for one in answers) == 15
    assert actions(lead, waiting).count("run.cancel_requested") == 1


@pytest.mark.parametrize("given", ["", "x" * 201])
def test_a_key_of_no_use_is_refused(given, lead):
    assert_problem(lead.post("/runs/1/cancel", json={}, headers=key(given)), 422)


def test_keys_are_stored_as_hashes(shop, lead, waiting):
    name = f"readable-{waiting}"
    lead.post(f"/runs/{waiting}/cancel", json={"reason": "said here"}, headers=key(name))
    rows = stored(shop)
    assert any(row["status"] == 200 for row in rows)
    assert name not in repr(rows)
    assert "said here" not in repr([row["request"] for row in rows])


def stored(shop):
    engine = sa.create_engine(sqlite_url(shop.data / "opsbook.db"))
    with engine.begin() as connection:
        rows = Transaction(connection).rows(sa.select(answer))
    engine.dispose()
    return rows


# ---- drafts, incidents, accounts ----------------------------------------------------------------


def test_a_draft_is_opened_changed_and_discarded_once(lead):
    opened = [lead.post("/books/shop/drafts", headers=key("draft-open")) for _ in range(2)]
    assert [one.status_code for one in opened] == [201, 201]
    assert opened[0].content == opened[1].content
    draft = opened[0].json()["id"]
    assert opened[1].headers["location"] == f"/api/v1/drafts/{draft}"
    body = {"path": "runbooks/new.md", "text": "---\nid: new\ntitle: New\n---\n- [ ] Look\n"}
    changed = [
        lead.post(f"/drafts/{draft}/change", json=body, headers=key("draft-change"))
        for _ in range(2)
    ]
    assert changed[0].status_code == 200, changed[0].text
    assert changed[0].content == changed[1].content
    for _ in range(2):
        gone = lead.post(f"/drafts/{draft}/discard", headers=key("draft-discard"))
        assert (gone.status_code, gone.json()["state"]) == (200, "discarded")


def test_an_answer_that_was_lost_before_it_was_kept_is_told_anew(shop, lead):
    first = lead.post("/books/shop/drafts", headers=key("draft-lost"))
    engine = sa.create_engine(sqlite_url(shop.data / "opsbook.db"))
    place = first.headers["location"]
    with engine.begin() as connection:  # as a crash between the two transactions leaves it
        connection.execute(sa.update(answer).where(answer.c.location == place).values(body=""))
    engine.dispose()
    again = lead.post("/books/shop/drafts", headers=key("draft-lost"))
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    lead.post(f"/drafts/{first.json()['id']}/discard")


@pytest.fixture
def own(tmp_path):
    """A server of the test's own, whose book may be changed."""
    tmp_path.chmod(0o755)
    server = start(write_shop(tmp_path), data=tmp_path / "data")
    yield server
    server.stop()


def test_publishing_is_done_once_also_after_a_crash_in_between(own):
    lead = Caller(own, own.make_token("lead", "read", "run", "approve"))
    draft = lead.post("/books/shop/drafts").json()["id"]
    body = {"path": "runbooks/new.md", "text": "---\nid: new\ntitle: New\n---\n- [ ] Look\n"}
    lead.post(f"/drafts/{draft}/change", json=body)
    sent = {"json": {"reason": "a new one"}, "headers": key("publish")}
    empty = {"json": {"reason": " "}, "headers": key("publish")}
    assert_problem(lead.post(f"/drafts/{draft}/publish", **empty), 422)
    first = lead.post(f"/drafts/{draft}/publish", **sent)
    assert (first.status_code, first.json()["state"]) == (200, "published"), first.text
    again = lead.post(f"/drafts/{draft}/publish", **sent)
    assert (again.content, again.headers[REPLAYED]) == (first.content, "true")
    engine = sa.create_engine(sqlite_url(own.data / "opsbook.db"))
    with engine.begin() as connection:  # taken, and not answered: what a crash leaves
        connection.execute(sa.update(answer).values(status=0, body=""))
    engine.dispose()
    anew = lead.post(f"/drafts/{draft}/publish", **sent)
    assert (anew.status_code, anew.json()["state"]) == (200, "published")
    history = lead.get("/audit").json()["entries"]
    by_people = [one for one in history if one["actor"] != "opsbook"]
    assert [one["action"] for one in by_people].count("book.published") == 1


def test_a_refused_publication_gives_its_key_back(own):
    lead = Caller(own, own.make_token("lead", "read", "run", "approve"))
    draft = lead.post("/books/shop/drafts").json()["id"]
    sent = {"json": {"reason": "nothing yet"}, "headers": key("too-early")}
    assert_problem(lead.post(f"/drafts/{draft}/publish", **sent), 422)
    assert stored(own) == []


def test_an_incident_is_acknowledged_once(troubled):
    lead = Caller(troubled, troubled.make_token("lead", "read", "run", "approve"))
    incident = lead.get("/incidents").json()["incidents"][0]["id"]
    sent = {"json": {"note": "on it"}, "headers": key("ack")}
    first = lead.post(f"/incidents/{incident}/acknowledge", **sent)
    again = lead.post(f"/incidents/{incident}/acknowledge", **sent)
    assert (first.status_code, again.content) == (200, first.content)
    note = {"json": {"note": "a word"}, "headers": key("note")}
    for _ in range(2):
        assert lead.post(f"/incidents/{incident}/note", **note).status_code == 200
    story = lead.get(f"/incidents/{incident}").json()["timeline"]
    assert [one["text"] for one in story].count("a word") == 1


def test_answers_are_forgotten_after_a_week(own):
    lead = Caller(own, own.make_token("lead", "read", "run", "approve"))
    lead.post("/books/shop/drafts", headers=key("a week"))
    engine = sa.create_engine(sqlite_url(own.data / "opsbook.db"))
    now = datetime.now(UTC)
    with engine.begin() as connection:
        tx = Transaction(connection)
        assert forget_answers(tx, now - KEEP_ANSWERS) == 0
        assert forget_answers(tx, now + timedelta(days=7, seconds=1) - KEEP_ANSWERS) == 1
    engine.dispose()


# ---- every route --------------------------------------------------------------------------------

OWN_WAY = {"/runs", "/runs/{run_id}/rerun"}
"""Whose key stands in the run's row."""
QUESTIONS = {"/runs/plan"}
"""Asked by POST because of what they carry; they write nothing."""


def test_every_route_that_writes_takes_a_key():
    seen = set()
    for noun in NOUNS:
        for route in noun.routes.routes:
            assert isinstance(route, APIRoute)
            if route.methods <= {"GET", "HEAD"} or route.path in QUESTIONS:
                continue
            seen.add(route.path)
            taken = {one.call for one in route.dependant.dependencies}
            if route.path in OWN_WAY:
                names = {one.alias for one in route.dependant.header_params}
                assert "Idempotency-Key" in names, route.path
            else:
                assert idempotency.once in taken, route.path
    assert seen > OWN_WAY


def test_a_key_shows_nothing_that_its_sender_may_not_read_any_more(tmp_path):
    tmp_path.chmod(0o755)
    book = write_shop(tmp_path)
    file = book / "book.yaml"
    before, after = 'viewer: ["*:read"]', 'viewer: ["runs:write", "book:read"]'
    file.write_text(file.read_text().replace(before, after))
    server = start(book, data=tmp_path / "data")
    try:
        viewer = Caller(server, server.make_token("viewer", "read", "run"))
        started = {"json": {"runbook": "greet"}, "headers": key("begin")}
        run = viewer.post("/runs", **started).json()["id"]
        viewer.until(run, "succeeded")
        said = {"json": {"text": "mine"}, "headers": key("say")}
        assert viewer.post(f"/runs/{run}/comments", **said).status_code == 200
        assert viewer.post("/runs", **started).status_code == 200
        file.write_text(file.read_text().replace(after, 'viewer: ["book:read"]'))
        for _ in range(200):
            if viewer.get(f"/runs/{run}").status_code != 200:
                break
            time.sleep(0.05)
        else:
            raise AssertionError("the book's change does not run")
        for again in (
            viewer.post(f"/runs/{run}/comments", **said), viewer.post("/runs", **started)
        ):  # fmt: skip
            assert again.status_code in {403, 404}, again.text
            assert "mine" not in again.text
    finally:
        server.stop()


# ---- PostgreSQL ---------------------------------------------------------------------------------


def test_on_postgresql_two_servers_do_it_once(tmp_path, postgres_url):
    tmp_path.chmod(0o755)
    book = write_shop(tmp_path)
    first = start(book, "--database", postgres_url, data=tmp_path / "one")
    try:
        second = start(book, "--database", postgres_url, data=tmp_path / "two")
        try:
            raw = (first.data / "local.token").read_text()
            servers = one, _ = Caller(first, raw), Caller(second, raw)
            for turn in range(5):
                run = one.start("deploy")["id"]
                one.until(run, "waiting")
                sent = {"json": {"reason": "once"}, "headers": key(f"pg-{turn}")}

                def ask(n, run=run, sent=sent):
                    return servers[n % 2].post(f"/runs/{run}/cancel", **sent)

                with ThreadPoolExecutor(8) as pool:
                    answers = list(pool.map(ask, range(8)))
                assert {each.status_code for each in answers} == {200}, [x.text for x in answers]
                assert sum(REPLAYED not in each.headers for each in answers) == 1
                assert actions(one, run).count("run.cancel_requested") == 1
        finally:
            second.stop()
    finally:
        first.stop()
