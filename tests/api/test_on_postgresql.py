"""The interface on PostgreSQL: the same answers, and one run for one key there too."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api.asking import Caller, assert_problem
from tests.support.front_door import start
from tests.support.shopbook import write_shop


@pytest.fixture
def local(tmp_path, postgres_url):
    tmp_path.chmod(0o755)
    server = start(write_shop(tmp_path), "--database", postgres_url, data=tmp_path / "data")
    yield Caller(server, (server.data / "local.token").read_text())
    server.stop()


def test_runs_waits_and_the_audit_are_answered_the_same_on_postgresql(local):
    sent = {"json": {"runbook": "greet"}, "headers": {"Idempotency-Key": "one"}}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: local.post("/runs", **sent), range(16)))
    assert {one.status_code for one in answers} <= {200, 201}, [one.text for one in answers]
    assert len({one.json()["id"] for one in answers}) == 1
    local.until(answers[0].json()["id"], "succeeded")
    output = local.get(f"/runs/{answers[0].json()['id']}/output").json()
    assert [one["text"] for one in output["pieces"]] == ["hello world\n"]
    deploy = local.start("deploy")["id"]
    waiting = local.until(deploy, "waiting")
    assert waiting["waits"][0]["approval"]["question"] == "Deploy now?"
    assert local.get("/runs", params={"state": "waiting"}).json()["runs"][0]["id"] == deploy
    assert_problem(local.post(f"/runs/{deploy}/approve", json={}), 403)
    assert local.get("/checks").json()["checks"][0]["id"] == "queue"
    for _ in range(300):
        verdict = local.get("/audit/verify").json()
        if verdict["waiting"] == 0:
            break
    assert verdict["holds"] is True
    assert local.get("/events").json()["entries"][0]["id"] == 1
