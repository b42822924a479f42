"""The interface for programs: who gets in, what is answered, and how everything is refused."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from opsbook.access import accounts, sessions
from opsbook.base.database import Transaction, sqlite_url
from tests.api.asking import Caller, assert_problem, events

ROOT = Path(__file__).resolve().parents[2]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture(scope="session")
def lead(shop):
    return Caller(shop, shop.make_token("lead", "read", "run", "approve"))


@pytest.fixture(scope="session")
def viewer(shop):
    return Caller(shop, shop.make_token("viewer", "read", "run", "approve"))


@pytest.fixture(scope="session")
def reader(shop):
    return Caller(shop, shop.make_token("lead", "read"))


@pytest.fixture(scope="session")
def stranger(shop):
    return Caller(shop, shop.make_token("stranger", "read", "run", "approve"))


@pytest.fixture(scope="session")
def local(shop):
    return Caller(shop, (shop.data / "local.token").read_text())


@pytest.fixture(scope="session")
def nobody(shop):
    return Caller(shop, "")


# ---- who gets in --------------------------------------------------------------------------------


def test_the_version_and_the_description_need_no_token(nobody):
    assert nobody.get("/version").json() == {"version": "0.1.0", "api": "v1"}
    assert nobody.get("/openapi.json").json()["openapi"].startswith("3.1")


def test_everything_else_needs_a_token_and_says_how_to_get_one(nobody):
    for path in nobody.get("/openapi.json").json()["paths"]:
        path = path.removeprefix("/api/v1")
        if path == "/version":
            continue
        for method in ("GET", "POST"):
            answer = nobody.request(method, re.sub(r"\{\w+\}", "1", path), json={})
            if answer.status_code in {405, 422}:
                continue
            problem = assert_problem(answer, 401)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "profile page" in problem["remedy"]


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer opb_wrong", "Basic bGVhZDo=", "Bearer " + "x" * 5000, "opb_x"],
)
def test_what_is_no_valid_token_is_refused(header, nobody):
    assert_problem(nobody.get("/runs", headers={"Authorization": header}), 401)


def test_a_pages_session_may_read_and_do_nothing_else(shop, nobody):
    engine = sa.create_engine(sqlite_url(shop.data / "opsbook.db"))
    with engine.begin() as connection:
        tx = Transaction(connection)
        account = accounts.by_login(tx, "lead")
        assert account is not None
        cookie, _ = sessions.open(tx, datetime.now(UTC), account["id"], "tests")
    engine.dispose()
    headers = {"Cookie": f"opsbook_session={cookie}"}
    assert nobody.get("/checks", headers=headers).status_code == 200
    answer = nobody.post("/runs", headers=headers, json={"runbook": "look"})
    assert "only read" in assert_problem(answer, 401)["detail"]


def test_who_is_in_no_book_sees_nothing_and_learns_nothing(stranger, lead):
    run = lead.start("look")["id"]
    assert stranger.get("/books").status_code == 403
    assert_problem(stranger.get("/runs"), 403)
    there = assert_problem(stranger.get(f"/runs/{run}"), 404)
    gone = assert_problem(stranger.get("/runs/999999"), 404)
    assert there["detail"].replace(str(run), "N") == gone["detail"].replace("999999", "N")
    assert_problem(stranger.get(f"/runs/{run}/output"), 404)
    assert_problem(stranger.get(f"/runs/{run}/stream"), 404)
    assert_problem(stranger.post(f"/runs/{run}/cancel", json={}), 404)


def test_who_may_only_read_is_refused_and_the_refusal_is_on_record(viewer, lead):
    answer = viewer.post("/runs", json={"runbook": "look"})
    problem = assert_problem(answer, 403)
    assert "runs:write" in problem["detail"]
    assert problem["remedy"]
    newest = next(
        one for one in lead.get("/audit").json()["entries"] if one["action"] == "access.refused"
    )
    assert newest["data"]["request"] == "POST /api/v1/runs"
    assert newest["actor_name"].startswith("Viewer")


def test_a_token_has_no_more_than_its_scopes(reader):
    assert reader.get("/runs").status_code == 200
    assert_problem(reader.post("/runs", json={"runbook": "look"}), 403)


@pytest.mark.parametrize("how", ["approve", "reject", "confirm", "decide"])
def test_the_local_token_never_answers_for_a_person(how, local, lead):
    run = lead.start("deploy")["id"]
    lead.until(run, "waiting")
    body = {"choice": "skip"} if how == "decide" else {}
    answer = local.post(f"/runs/{run}/{how}", json=body)
    assert answer.status_code in {403, 409}
    if how in {"approve", "reject"}:
        assert "OPSBOOK_TOKEN" in assert_problem(answer, 403)["remedy"]
        thread = lead.get("/audit", params={"thread": f"run:{run}"}).json()["entries"]
        assert "approval.refused" in [one["action"] for one in thread]
    lead.post(f"/runs/{run}/cancel", json={})


# ---- how everything is refused ------------------------------------------------------------------


def test_an_address_that_is_none_and_a_method_it_has_not(lead, nobody):
    assert "/api/v1/nothing" in assert_problem(lead.get("/nothing"), 404)["detail"]
    answer = lead.delete("/runs")
    assert "GET, POST" in assert_problem(answer, 405)["remedy"]
    assert answer.headers["allow"] == "GET, POST"
    assert_problem(nobody.put("/runs/1/approve"), 405)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "runbook"),
        ({"runbook": "greet", "parms": {}}, "parms"),
        ({"runbook": "greet", "params": {"times": 3}}, "params.times"),
        ({"runbook": ""}, "runbook"),
        ([], "body"),
    ],
)
def test_a_request_of_the_wrong_form_is_told_every_field(body, named, lead):
    problem = assert_problem(lead.post("/runs", json=body), 422)
    assert named in [one["name"] for one in problem["problems"]]


def test_every_wrong_parameter_of_a_runbook_is_named(lead):
    body = {"runbook": "greet", "params": {"nam": "x", "times": "9"}}
    problem = assert_problem(lead.post("/runs", json=body), 422)
    assert {one["name"] for one in problem["problems"]} == {"nam", "times"}


def test_what_cannot_be_read_is_no_bug(lead):
    headers = {"Content-Type": "application/json"}
    assert_problem(lead.post("/runs", content=b"{", headers=headers), 422)
    assert lead.post("/runs", content=b"x" * 3_000_000, headers=headers).status_code == 413
    assert_problem(lead.get("/runs/one"), 422)
    assert_problem(lead.get("/runs", params={"limit": 0}), 422)
    assert_problem(lead.get("/runs", params={"state": "lost"}), 422)
    assert_problem(lead.get("/runs/99999999999999999999999"), 422)


# ---- what is answered ---------------------------------------------------------------------------


def test_books_come_with_their_runbooks_and_parameters(viewer):
    book = viewer.get("/books").json()["books"][0]
    assert book["id"] == "shop"
    assert len(book["revision"]) == 64
    greet = next(one for one in book["runbooks"] if one["id"] == "greet")
    assert greet["title"] == "Greet"
    assert [one["name"] for one in greet["params"]] == ["name", "times"]


def test_texts_come_in_the_language_that_was_asked_for(shop, viewer):
    korean = viewer.get("/checks", headers={"Accept-Language": "ko-KR,ko;q=0.9"}).json()
    assert korean["checks"][0]["title"] == "대기열"
    assert viewer.get("/checks").json()["checks"][0]["title"] == "Queue"


def test_every_time_is_utc_with_milliseconds(lead):
    run = lead.until(lead.start("look")["id"], "succeeded")
    for name in ("created_at", "started_at", "finished_at"):
        assert TIME.fullmatch(run[name])


def test_runs_are_paged_back_without_a_gap(lead):
    for _ in range(3):
        lead.start("look")
    seen, before = [], None
    while True:
        page = lead.get(
            "/runs", params={"limit": 2, **({"before": before} if before else {})}
        ).json()
        seen += [one["id"] for one in page["runs"]]
        before = page["next"]
        if before is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] == 1


def test_runs_are_found_by_state(lead):
    run = lead.start("deploy")["id"]
    lead.until(run, "waiting")
    params = [("state", "waiting"), ("state", "queued")]
    found = lead.get("/runs", params=params).json()["runs"]
    assert run in [one["id"] for one in found]
    assert {one["state"] for one in found} <= {"waiting", "queued"}
    lead.post(f"/runs/{run}/cancel", json={})


def test_output_comes_in_pieces_or_as_plain_text(lead):
    run = lead.start("greet", params={"name": "crew", "times": "2"})["id"]
    lead.until(run, "succeeded")
    answer = lead.get(f"/runs/{run}/output").json()
    assert "".join(one["text"] for one in answer["pieces"]) == "hello crew\nhello crew\n"
    rest = lead.get(f"/runs/{run}/output", params={"after": answer["next"]}).json()
    assert rest == {"pieces": [], "next": answer["next"]}
    plain = lead.get(f"/runs/{run}/output", headers={"Accept": "text/plain"})
    assert plain.text == "hello crew\nhello crew\n"
    assert lead.get(f"/runs/{run}/output", params={"step": "none"}).json()["pieces"] == []


def test_a_stream_tells_a_run_in_the_order_in_which_it_happens_and_ends_with_it(lead):
    run = lead.start("greet")["id"]
    with lead.stream("GET", f"/runs/{run}/stream") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        told = [(kind, data) for kind, data, _ in events(stream)]
    assert told[-1][0] == "run"
    assert told[-1][1]["state"] == "succeeded"
    words = [(kind, data.get("state")) for kind, data in told]
    assert words.index(("output", None)) < words.index(("step", "succeeded"))


def test_a_stream_goes_on_after_the_last_piece_that_was_seen(lead):
    run = lead.start("greet", params={"times": "3"})["id"]
    lead.until(run, "succeeded")
    with lead.stream("GET", f"/runs/{run}/stream") as stream:
        last = [number for kind, _, number in events(stream) if kind == "output"][-1]
    with lead.stream("GET", f"/runs/{run}/stream", headers={"Last-Event-ID": last}) as stream:
        assert "output" not in [kind for kind, _, _ in events(stream)]


def test_a_run_is_approved_confirmed_and_ends_well(lead):
    run = lead.start("deploy")["id"]
    waiting = lead.until(run, "waiting")
    assert waiting["waits"][0]["kind"] == "approval"
    assert waiting["waits"][0]["approval"]["question"] == "Deploy now?"
    approved = lead.post(f"/runs/{run}/approve", json={"step": "allow", "note": "go"})
    assert approved.status_code == 200
    assert approved.json()["waits"] == []
    assert_problem(lead.post(f"/runs/{run}/approve", json={}), 409)
    with lead.stream("GET", f"/runs/{run}/stream") as stream:
        for kind, data, _ in events(stream):
            if kind == "run" and [one["kind"] for one in data["waits"]] == ["person"]:
                assert lead.post(f"/runs/{run}/confirm", json={}).status_code == 200
        assert data["state"] == "succeeded"
    actions = lead.get("/audit", params={"thread": f"run:{run}"}).json()["entries"]
    assert "go" in [one["text"] for one in actions]


def test_a_step_that_does_not_wait_cannot_be_answered(lead):
    run = lead.start("deploy")["id"]
    lead.until(run, "waiting")
    assert_problem(lead.post(f"/runs/{run}/confirm", json={}), 409)
    assert_problem(lead.post(f"/runs/{run}/approve", json={"step": "apply"}), 409)
    assert_problem(lead.post(f"/runs/{run}/decide", json={"choice": "skip"}), 409)
    assert_problem(lead.post(f"/runs/{run}/decide", json={"choice": "maybe"}), 422)
    cancelled = lead.post(f"/runs/{run}/cancel", json={"reason": "enough"})
    assert cancelled.json()["cancelling"] is True
    lead.until(run, "cancelled")
    assert_problem(lead.post(f"/runs/{run}/cancel", json={}), 409)


# ---- repeating a request ------------------------------------------------------------------------


def test_the_same_request_with_the_same_key_is_the_same_run(lead):
    sent = {"json": {"runbook": "greet"}, "headers": {"Idempotency-Key": "one"}}
    first, again = lead.post("/runs", **sent), lead.post("/runs", **sent)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["location"] == f"/api/v1/runs/{first.json()['id']}"
    said = {"json": {"runbook": "greet", "params": {"name": "world"}}}
    assert lead.post("/runs", **{**sent, **said}).json()["id"] == first.json()["id"]


def test_another_request_with_the_same_key_is_a_conflict(lead):
    key = {"Idempotency-Key": "two"}
    first = lead.post("/runs", json={"runbook": "greet"}, headers=key).json()["id"]
    for other in ({"runbook": "look"}, {"runbook": "greet", "params": {"name": "crew"}}):
        problem = assert_problem(lead.post("/runs", json=other, headers=key), 409)
        assert f"run {first}" in problem["detail"]


def test_a_key_belongs_to_the_token_that_sent_it(lead, local):
    sent = {"json": {"runbook": "look"}, "headers": {"Idempotency-Key": "three"}}
    assert lead.post("/runs", **sent).json()["id"] != local.post("/runs", **sent).json()["id"]


def test_a_request_that_is_repeated_at_the_same_moment_starts_one_run(shop, lead):
    sent = {"json": {"runbook": "look"}, "headers": {"Idempotency-Key": "four"}}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: lead.post("/runs", **sent), range(16)))
    assert len({one.json()["id"] for one in answers}) == 1
    assert sum(one.status_code == 201 for one in answers) == 1


# ---- the audit and what happens next ------------------------------------------------------------


def test_the_audit_is_for_those_who_may_read_it(viewer, stranger, lead):
    assert viewer.get("/audit").status_code == 200
    for path in ("/audit", "/audit/verify", "/events", "/events/stream"):
        assert_problem(stranger.get(path), 403)
    assert lead.get("/audit/verify").json()["checked"] > 0


def test_a_follower_who_was_away_has_missed_nothing(lead):
    since = lead.get("/events").json()["next"]
    while (more := lead.get("/events", params={"after": since}).json())["entries"]:
        since = more["next"]
    run = lead.start("look")["id"]
    lead.until(run, "succeeded")
    told = lead.get("/events", params={"after": since}).json()
    mine = [one["action"] for one in told["entries"] if one["subject"] == f"run:{run}"]
    assert mine[0] == "run.started"
    assert [one["id"] for one in told["entries"]] == sorted(one["id"] for one in told["entries"])
    assert told["next"] == told["entries"][-1]["id"]


def test_a_follower_who_waits_is_answered_when_something_happens(lead):
    since = 0
    while (more := lead.get("/events", params={"after": since}).json())["entries"]:
        since = more["next"]
    found = {}

    def follow():
        found.update(lead.get("/events", params={"after": since, "wait": 30}).json())

    follower = threading.Thread(target=follow)
    follower.start()
    lead.start("look")
    follower.join(40)
    assert found["entries"]
    assert found["next"] > since


def test_events_are_streamed_with_ids_to_go_on_from(lead):
    lead.start("look")
    with lead.stream("GET", "/events/stream") as stream:
        kind, data, number = next(events(stream))
    assert kind == "entry"
    assert number == str(data["id"])
    with lead.stream("GET", "/events/stream", headers={"Last-Event-ID": number}) as stream:
        _, following, _ = next(events(stream))
    assert following["id"] > data["id"]


# ---- the description ----------------------------------------------------------------------------


def test_the_description_and_the_reference_name_the_same_addresses(nobody):
    described = set()
    for path, operations in nobody.get("/openapi.json").json()["paths"].items():
        described |= {f"{method.upper()} {path.removeprefix('/api/v1')}" for method in operations}
    text = (ROOT / "docs" / "reference" / "api.md").read_text()
    written = set(re.findall(r"^\| `((?:GET|POST) /[^`?]*)", text, re.MULTILINE))
    assert written == {re.sub(r"\{(\w+?)(?:_id)?\}", r"{\1}", one) for one in described}


def test_every_answer_fits_its_description(lead):
    run = lead.start("deploy")["id"]
    lead.until(run, "waiting")
    whole = lead.get("/openapi.json").json()
    shapes = whole["components"]["schemas"]
    for path, shape in (
        ("/books", "Books"), ("/checks", "Checks"), ("/checks/shop/queue", "CheckDetail"),
        ("/runs", "Runs"), (f"/runs/{run}", "RunDetail"), ("/incidents", "Incidents"),
        ("/audit", "Entries"), ("/audit/verify", "Verification"), ("/events", "Events"),
        (f"/runs/{run}/output", "Output"), ("/nothing", "Problem"),
    ):  # fmt: skip
        assert_fits(lead.get(path).json(), shapes[shape], shapes, path)
    lead.post(f"/runs/{run}/cancel", json={})


def assert_fits(value, schema, shapes, where):
    """Compare a value with the part of JSON Schema that the description uses."""
    if "$ref" in schema:
        schema = shapes[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        kinds = [one for one in schema["anyOf"] if one.get("type") != "null"]
        if value is not None:
            assert_fits(value, kinds[0], shapes, where)
        return
    kinds = {
        "object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
        "boolean": bool,
    }  # fmt: skip
    assert isinstance(value, kinds[schema["type"]]), where
    if schema.get("format") == "date-time":
        assert TIME.fullmatch(value), where
    for name in schema.get("required", ()):
        assert name in value, f"{where}.{name}"
    if "properties" in schema:
        assert set(value) <= set(schema["properties"]), where
        for name, part in value.items():
            assert_fits(part, schema["properties"][name], shapes, f"{where}.{name}")
    for at, part in enumerate(value if isinstance(value, list) else ()):
        assert_fits(part, schema["items"], shapes, f"{where}[{at}]")
