"""The webhooks of a running server: seen, tried, and told of a run."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.api.asking import Caller, assert_problem
from tests.support.front_door import start
from tests.support.shopbook import write_shop

HOOKS = """\
webhooks:
  bot:
    title: {{ko: 봇, en: Bot}}
    url: http://127.0.0.1:{port}/in
    loopback: true
    secret: env:BOT_SECRET
    events: [run.started, run.finished]
    runbooks: [look]
"""


@pytest.fixture(scope="module")
def receiver():
    """A program that takes everything, and what it got."""
    got = []
    arrived = threading.Condition()

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with arrived:
                got.append((dict(self.headers), json.loads(body)))
                arrived.notify_all()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def until(event):
        with arrived:
            assert arrived.wait_for(lambda: any(one["event"] == event for _, one in got), 60)
            return next((head, one) for head, one in got if one["event"] == event)

    yield server.server_port, until
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def hooked(receiver, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hooked")
    folder.chmod(0o755)
    book = write_shop(folder)
    (book / "webhooks.yaml").write_text(HOOKS.format(port=receiver[0]))
    server = start(book, data=folder / "data", BOT_SECRET="a-secret-to-sign-with")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def lead(hooked):
    return Caller(hooked, hooked.make_token("lead", "read", "run", "approve"))


def test_a_run_is_told_of_and_its_deliveries_are_seen(lead, receiver):
    run = lead.start("look")["id"]
    head, told = receiver[1]("run.finished")
    assert told["run"]["id"] == run
    assert told["run"]["state"] == "succeeded"
    assert "Opsbook-Signature" in head
    for _ in range(200):
        found = lead.get("/webhooks/shop/bot/deliveries").json()["deliveries"]
        if {one["state"] for one in found} == {"sent"}:
            break
    assert [one["event"] for one in found] == ["run.finished", "run.started"]
    assert found[0]["delivery"] == told["id"]
    assert (found[0]["status"], found[0]["attempts"], found[0]["error"]) == (204, 1, "")
    (hook,) = lead.get("/webhooks").json()["webhooks"]
    assert (hook["id"], hook["title"], hook["address"]) == ("bot", "Bot", "http")
    assert hook["last"] == found[0]
    assert hook["signed"] is True
    assert str(receiver[0]) not in json.dumps(lead.get("/webhooks").json())


def test_a_hook_is_tried_by_who_may_and_once_for_a_key(hooked, lead, receiver):
    viewer = Caller(hooked, hooked.make_token("viewer", "read", "run"))
    assert viewer.get("/webhooks").status_code == 200
    assert_problem(viewer.post("/webhooks/shop/bot/test"), 403)
    key = {"Idempotency-Key": "try"}
    first, again = (lead.post("/webhooks/shop/bot/test", headers=key) for _ in range(2))
    assert (first.status_code, again.content) == (202, first.content)
    _, told = receiver[1]("webhook.test")
    assert told["id"] == first.json()["delivery"]
    assert told["book"]["id"] == "shop"
    entries = lead.get("/audit").json()["entries"]
    assert [one["action"] for one in entries].count("webhook.tested") == 1
    problem = assert_problem(lead.post("/webhooks/shop/none/test"), 404)
    assert "bot" in problem["remedy"]


def test_deliveries_are_paged(lead):
    page = lead.get("/webhooks/shop/bot/deliveries", params={"limit": 1}).json()
    assert len(page["deliveries"]) == 1
    rest = lead.get("/webhooks/shop/bot/deliveries", params={"before": page["next"]}).json()
    assert page["deliveries"][0]["id"] > rest["deliveries"][0]["id"]
    params = {"state": "failed"}
    assert lead.get("/webhooks/shop/bot/deliveries", params=params).json()["deliveries"] == []
