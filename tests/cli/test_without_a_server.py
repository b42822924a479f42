"""Commands that need a running server say so, and what to do; tokens go where they belong."""

import http.server
import json
import os
import subprocess
import sys
import threading

import pytest

from tests.support.front_door import call

TALKING = [
    ["checks"],
    ["checks", "disk"],
    ["run", "look"],
    ["runs"],
    ["runs", "show", "1"],
    ["runs", "logs", "1", "-f"],
    ["runs", "approve", "1"],
    ["runs", "cancel", "1", "-o", "json"],
    ["incidents"],
    ["incidents", "ack", "1"],
    ["audit"],
    ["audit", "verify"],
]


@pytest.mark.parametrize("words", TALKING, ids=" ".join)
def test_no_server_is_one_sentence_and_the_command_that_starts_one(words, tmp_path):
    answer = call(*words, OPSBOOK_DATA=str(tmp_path))
    assert answer.status == 1
    assert answer.out == ""
    assert f"No Opsbook is running (data folder {tmp_path})." in answer.err
    assert "opsbook up books/starter" in answer.err


def test_a_server_that_was_killed_is_not_taken_for_a_running_one(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    about = {"url": "http://127.0.0.1:9", "pid": gone.pid}
    (tmp_path / "server.json").write_text(json.dumps(about))
    (tmp_path / "local.token").write_text("opb_old")
    answer = call("runs", OPSBOOK_DATA=str(tmp_path))
    assert answer.status == 1
    assert "No Opsbook is running (data folder" in answer.err


def test_a_server_that_no_longer_listens_is_said_not_to_run(tmp_path):
    about = {"url": "http://127.0.0.1:9", "pid": os.getpid()}
    (tmp_path / "server.json").write_text(json.dumps(about))
    (tmp_path / "local.token").write_text("opb_old")
    answer = call("runs", OPSBOOK_DATA=str(tmp_path))
    assert answer.status == 1
    assert "No Opsbook is running at http://127.0.0.1:9" in answer.err


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"url": "http://a"}', '{"url": 1, "pid": "x"}']
)
def test_an_address_file_that_is_no_such_thing_is_no_server(content, tmp_path):
    (tmp_path / "server.json").write_text(content)
    answer = call("runs", OPSBOOK_DATA=str(tmp_path))
    assert answer.status == 1
    assert "No Opsbook is running" in answer.err


def test_a_server_elsewhere_needs_a_token_and_the_local_one_is_not_sent_there(tmp_path, shop):
    answer = shop.call("runs", OPSBOOK_URL="http://127.0.0.1:9")
    assert answer.status == 2
    assert "OPSBOOK_TOKEN is not set" in answer.err


@pytest.mark.parametrize(
    "url", ["here", "ftp://a", "http://", "127.0.0.1:8420", "http://[bad", "http://a:x"]
)
def test_an_address_that_is_none_is_named(url, tmp_path):
    answer = call("runs", OPSBOOK_DATA=str(tmp_path), OPSBOOK_URL=url, OPSBOOK_TOKEN="opb_x")
    assert answer.status == 2
    assert repr(url) in answer.err


def test_the_address_of_this_machines_own_server_may_be_named(shop):
    assert shop.call("runs", OPSBOOK_URL=shop.url).status == 0


def test_a_token_that_is_unknown_is_refused_with_what_to_do(shop):
    answer = shop.call("runs", OPSBOOK_TOKEN="opb_wrong")
    assert answer.status == 1
    assert "unknown, expired or revoked" in answer.err
    assert "profile page" in answer.err


class Another(http.server.BaseHTTPRequestHandler):
    """A web server that is not Opsbook."""

    def do_GET(self):
        self.send_response(404)
        self.end_headers()
        self.wfile.write(b"<h1>nginx</h1>")

    def log_message(self, *args):
        pass


def test_an_address_where_something_else_answers_is_said_to_be_that(tmp_path):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Another) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{other.server_port}"
        answer = call("runs", OPSBOOK_DATA=str(tmp_path), OPSBOOK_URL=url, OPSBOOK_TOKEN="opb_x")
        other.shutdown()
    assert answer.status == 1
    assert f"{url} answered with HTTP 404, which is no answer of Opsbook's" in answer.err
