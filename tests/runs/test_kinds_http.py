"""`http` steps: what a parameter can become in a request, and what an answer means."""

import json
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.answering import Answering, Asked, Reply
from tests.support.runs import Stage
from tests.support.targets import outcome, published

PARAMS = "params:\n  x: {required: false}\n  host: {choices: [127.0.0.1, localhost]}"


def fence(request: str, about: str = "") -> str:
    return f"```http {{#s {about}}}\n{request}\n```\n"


def target(answering: Answering, more: str = "", path: str = "") -> str:
    return f"  web: {{title: Web, kind: http, url: '{answering.url}{path}'{more}}}\n"


async def run(stage: Stage, request: str, about: str = "", targets: str = "", **params: str) -> int:
    await published(stage, fence(request, about), PARAMS, targets)
    return await stage.run(**{"host": "127.0.0.1", **params})


NASTY = [
    "a&b=c#d?e",
    "; rm -rf /",
    'it\'s "quoted" \\ ${x} $host',
    "%2e%2e%2f",
    "한국어 ✓",
    "a/b",
    "x HTTP/1.1",
]


@pytest.mark.parametrize("value", NASTY)
async def test_a_value_stays_what_it_stands_in(
    stage: Stage, answering: Answering, value: str
) -> None:
    request = (
        f"POST {answering.url}/items/$x/parts?q=${{x}}&z=1\nX-Note: <$x>\n"
        'Content-Type: application/json\n\n{"one": "$x", "two": ["${x}", "$5"], "n": 1.50}'
    )
    number = await run(stage, request, x=value)
    assert (await outcome(stage, number))[0] == "succeeded", await outcome(stage, number)
    path, _, query = answering.last.target.partition("?")
    assert (path.count("/"), path.split("/")[1::2]) == (3, ["items", "parts"])
    assert query.split("&")[1:] == ["z=1"]
    assert query.count("=") == 2
    raw = answering.last.headers["X-Note"].encode("latin-1").decode()
    assert raw == f"<{value}>"
    assert json.loads(answering.last.body) == {"one": value, "two": [value, "$5"], "n": 1.5}
    assert b'"n": 1.50' in answering.last.body


async def test_a_form_is_filled_field_by_field(stage: Stage, answering: Answering) -> None:
    request = (
        f"POST {answering.url}/form\nContent-Type: application/x-www-form-urlencoded\n\n"
        "a=$x\nb=2&c=${x}"
    )
    await run(stage, request, x="1&admin=true\u00e9 +")
    assert answering.last.body == b"a=1%26admin%3Dtrue%C3%A9+%2B&b=2&c=1%26admin%3Dtrue%C3%A9+%2B"


@pytest.mark.parametrize("value", ["..", ".", "a/../b", "..\\x", ""])
async def test_a_path_is_not_left(stage: Stage, answering: Answering, value: str) -> None:
    number = await run(stage, f"DELETE {answering.url}/users/$x", x=value)
    state, message, _ = await outcome(stage, number)
    assert (state, "x " in message) == ("failed", True)
    assert answering.asked == []


async def test_a_saved_value_with_line_breaks_makes_no_header(
    stage: Stage, answering: Answering
) -> None:
    for ending in ("\\r\\n", "\\n", "\\r"):
        body = f"```bash {{#give effect=read save=told}}\nprintf 'a{ending}X-Admin: yes'\n```\n"
        body += fence(f"GET {answering.url}/?q=$told\nX-Note: $told")
        await published(stage, body)
        state, message, _ = await outcome(stage, await stage.run())
        assert (state, "line break" in message) == ("failed", True)
    assert answering.asked == []
    body = "```bash {#give effect=read save=told}\nprintf 'a\\r\\nX-Admin: yes'\n```\n"
    await published(stage, body + fence(f"GET {answering.url}/$told?q=$told"))
    assert (await outcome(stage, await stage.run()))[0] == "succeeded"
    assert answering.last.target == "/a%0D%0AX-Admin%3A%20yes?q=a%0D%0AX-Admin%3A%20yes"


async def test_a_host_is_one_of_its_choices(stage: Stage, answering: Answering) -> None:
    request = f"GET http://$host:{answering.port}/"
    assert (await outcome(stage, await run(stage, request)))[0] == "succeeded"
    assert answering.last.headers["Host"] == f"127.0.0.1:{answering.port}"


async def test_a_host_of_a_loose_pattern_is_still_a_host(
    stage: Stage, answering: Answering
) -> None:
    await published(
        stage, fence(f"GET http://$where:{answering.port}/"), 'params:\n  where: {pattern: ".*"}'
    )
    for value in ("user@127.0.0.1", "127.0.0.1:1/x?", "127.0.0.1#", "a b", "[::1", "%31"):
        state, message, _ = await outcome(stage, await stage.run(where=value))
        assert (state, "where gives no host" in message) == ("failed", True), value
        assert value not in message
    assert answering.asked == []


async def test_the_answer_is_told_saved_and_judged(stage: Stage, answering: Answering) -> None:
    answering.reply = lambda asked: (
        200, {"Content-Type": "application/json"}, b'{"items": [{"id": 7}]}',
    )  # fmt: skip
    about = 'json=$.items[0].id save=found assert="status == 200 and latency < 9s" expect="items"'
    number = await run(stage, f"GET {answering.url}/", about)
    state, message, text = await outcome(stage, number)
    assert (state, message) == ("succeeded", "")
    assert text.startswith("HTTP/1.0 200 OK · ")
    assert text.endswith('\n{"items": [{"id": 7}]}\n')
    assert (await stage.row(number))["saved"] == {"found": "7"}


@pytest.mark.parametrize(
    ("status", "about", "state"),
    [
        (200, "", "succeeded"),
        (404, "", "failed"),
        (503, "", "failed"),
        (404, 'assert="status == 404"', "succeeded"),
        (200, 'assert="status == 404"', "failed"),
        (200, 'assert="latency < 0ms"', "failed"),
    ],
)
async def test_a_status_of_400_and_more_fails_unless_it_is_judged(
    stage: Stage, answering: Answering, status: int, about: str, state: str
) -> None:
    answering.reply = lambda asked: (status, {}, b"")
    assert (await outcome(stage, await run(stage, f"GET {answering.url}/", about)))[0] == state


async def test_a_request_is_a_change_unless_its_method_reads(stage: Stage) -> None:
    for method, effect in (("GET", "read"), ("HEAD", "read"), ("POST", "change")):
        book = await published(stage, fence(f"{method} http://127.0.0.1:1/"))
        assert book.runbooks["fix"].steps[0].effect == effect
    book = await published(stage, fence("GET http://127.0.0.1:1/restart", "effect=change"))
    assert book.runbooks["fix"].steps[0].effect == "change"


async def test_a_target_gives_the_address_and_the_credential_of_the_effect(
    stage: Stage, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_READ", "Bearer reading-token")
    monkeypatch.setenv("WEB_CHANGE", "Bearer changing-token")
    more = (
        ", read: {headers: {Authorization: 'env:WEB_READ'}}"
        ", change: {headers: {Authorization: 'env:WEB_CHANGE'}}"
    )
    at = target(answering, more, "/api/")
    assert (await outcome(stage, await run(stage, "GET /v1/x", "on=web", at)))[0] == "succeeded"
    assert (answering.last.target, answering.last.headers["Authorization"]) == (
        "/api/v1/x", "Bearer reading-token",
    )  # fmt: skip
    await run(stage, "PUT /v1/x\nAuthorization: mine", "on=web", at)
    assert answering.last.headers["Authorization"] == "Bearer changing-token"


def redirecting(where: str, status: int = 302) -> object:
    def reply(asked: Asked) -> Reply:
        if asked.target.startswith("/there"):
            return 200, {}, b"arrived"
        return status, {"Location": where}, b""

    return reply


async def test_redirects_stay_on_the_host_and_keep_the_credential_there(
    stage: Stage, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_READ", "Bearer reading-token")
    at = target(answering, ", read: {headers: {Authorization: 'env:WEB_READ'}}")
    answering.reply = redirecting("/there")  # type: ignore[assignment]
    state, _, text = await outcome(stage, await run(stage, "GET /", "on=web", at))
    assert (state, "arrived" in text) == ("succeeded", True)
    assert answering.last.headers["Authorization"] == "Bearer reading-token"

    away = f"http://localhost:{answering.port}/there"
    answering.reply = redirecting(away)  # type: ignore[assignment]
    answering.asked.clear()
    state, _, text = await outcome(stage, await run(stage, "GET /", "on=web", at))
    assert (state, "somebody else" in text, len(answering.asked)) == ("failed", True, 1)

    about = "on=web redirects=any"
    request = "GET /\nCookie: session=1\nX-Kept: yes"
    state, _, text = await outcome(stage, await run(stage, request, about, at))
    assert (state, "arrived" in text) == ("succeeded", True)
    assert {"Authorization", "Cookie"} & answering.last.headers.keys() == set()
    assert answering.last.headers["X-Kept"] == "yes"

    about = "on=web redirects=none save=told optional"
    state, _, text = await outcome(stage, await run(stage, "GET /", about, at))
    assert (state, text.splitlines()[1]) == ("succeeded", f"Location: {away}")


async def test_a_redirect_without_end_and_one_of_a_post_are_not_followed(
    stage: Stage, answering: Answering
) -> None:
    answering.reply = redirecting("/again")  # type: ignore[assignment]
    state, _, text = await outcome(stage, await run(stage, f"GET {answering.url}/"))
    assert (state, "more than 5 times" in text) == ("failed", True)
    answering.asked.clear()
    state, _, _ = await outcome(stage, await run(stage, f"POST {answering.url}/"))
    assert (state, len(answering.asked)) == ("succeeded", 1)


async def test_a_large_answer_is_cut(stage: Stage, answering: Answering) -> None:
    answering.reply = lambda asked: (200, {}, b"x" * 5_000_000)
    state, _, text = await outcome(stage, await run(stage, f"GET {answering.url}/"))
    assert state == "succeeded"
    assert len(text) < 3_000_000
    number = await run(stage, f"GET {answering.url}/", "save=all")
    assert (await outcome(stage, number))[0] == "failed"


async def test_an_answer_in_another_character_set_can_be_read(
    stage: Stage, answering: Answering
) -> None:
    answering.reply = lambda asked: (
        200, {"Content-Type": "text/plain; charset=euc-kr"}, "점검 완료".encode("euc-kr"),
    )  # fmt: skip
    assert "점검 완료" in (await outcome(stage, await run(stage, f"GET {answering.url}/")))[2]


@pytest.mark.parametrize(
    ("port", "told"), [(1, "refuses connections"), (0, "Content-Length")], ids=["refused", "hang"]
)
async def test_what_does_not_answer_is_told(stage: Stage, port: int, told: str) -> None:
    if port:
        state, _, text = await outcome(stage, await run(stage, f"GET http://127.0.0.1:{port}/"))
        assert (state, told in text) == ("failed", True)
        return
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        request = f"GET http://127.0.0.1:{silent.getsockname()[1]}/"
        number = await run(stage, request, "timeout=1s")
        assert (await outcome(stage, number))[:2] == ("failed", "it ran longer than 1 s")


async def test_a_certificate_that_nobody_knows_is_refused_unless_the_target_names_its_authority(
    stage: Stage, answering: Answering, stage_folder: Path
) -> None:
    key, certificate = stage_folder / "key.pem", stage_folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key,
         "-out", certificate, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    certificate.chmod(0o644)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        url = f"https://localhost:{server.server_address[1]}"
        state, _, text = await outcome(stage, await run(stage, f"GET {url}/"))
        assert (state, "certificate is not accepted" in text) == ("failed", True)
        at = (
            f"  web: {{title: Web, kind: http, url: '{url}', "
            f"environment: {{SSL_CERT_FILE: {certificate}}}}}\n"
        )
        state, _, text = await outcome(stage, await run(stage, "GET /", "on=web", at))
        assert (state, text.split(" ·")[0]) == ("succeeded", "HTTP/1.0 204 No Content")
        elsewhere = at.replace("localhost:", "127.0.0.1:")
        state, _, text = await outcome(stage, await run(stage, "GET /", "on=web", elsewhere))
        assert (state, "certificate is not accepted" in text) == ("failed", True)
    finally:
        server.shutdown()
        server.server_close()
