"""Secrets are planted wherever there can be any, and a runbook tells them in every way there is.

A whole server is started as people start it, with its environment, its log and its pages. What a
step cannot read by itself it is handed in a file, since the question is not how it got there. Then
everything is read that the run has left: each row of each table, each file of the data folder, each
answer and page, each message that somebody was sent.
"""

import asyncio
import json
import re
import shutil
import sqlite3
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.support.front_door import start
from tests.support.leaks import shows
from tests.support.visitor import Visitor

PLANTED = {
    "contact": "c0ntact/p&ss-81ab",
    "hook": "hook-signed-71fe0c",
    "hook_address": "Zq81kkP0xxY72mmQ",
    "hook_header": "Bearer hh-550fa1c2d3",
    "target_change": "chg-'4f\"90<b>-token",
    "target_file": "fileline-9911ab77cd-of-a-key",
    "environment": "env-s3cret-0d0d",
    "database": "db%pass+4711 x",
    "parameter": 'par "am\\eter-é-2210',
    "saved": "saved/fresh-66e1&7",
    "number": "884422113377",
}
"""By where it is: none of them occurs in another, and most have signs that are written in ways."""

OWN = frozenset({"seal.key", "local.token", "signing.key"})
"""Files whose content is a secret."""

BOOK = """\
id: shop
title: Shop
timezone: Asia/Seoul
self_approval: record
people:
  lead:
    name: Lead
    roles: [lead]
    contacts: [{{secret: env:LEAD_CONTACT}}]
roles: {{lead: ["*:admin"]}}
targets:
  shop:
    title: The shop
    change:
      environment: {{SHOP_TOKEN: env:SHOP_CHANGE, PIN: env:SHOP_PIN}}
      files: {{SHOP_KEY: "file:{folder}/shop.pem"}}
webhooks:
  sink:
    title: A sink
    url: {{secret: env:HOOK_ADDRESS}}
    loopback: true
    secret: env:HOOK_SECRET
    headers: {{X-Key: env:HOOK_HEADER}}
    events: [run.started, run.waiting, run.finished, run.failed, step.failed]
"""

TELL = """
import base64, html, json, os, shlex, sys, time
from urllib.parse import quote, quote_plus
planted = json.load(open(os.environ["file"])) | {
    "target_change": os.environ["SHOP_TOKEN"], "target_file": open(os.environ["SHOP_KEY"]).read(),
    "parameter": os.environ["api_key"], "saved": os.environ["fresh"],
}
for name, value in planted.items():
    raw = value.encode()
    for form in (
        value, repr(value), json.dumps(value), json.dumps({"in": json.dumps(value)}),
        quote(value), quote(value, safe=""), quote_plus(value), html.escape(value),
        shlex.quote(value), raw.hex(), raw.hex().upper(), base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(), base64.encodebytes(b"u:" * 30 + raw).decode(),
        *(base64.b64encode(b"x" * n + b":" + raw + b" and more").decode() for n in range(3)),
    ):
        print("form:", form, flush=True)
    for stream in (sys.stdout, sys.stderr):
        stream.write("\\n" + value[:5]); stream.flush(); time.sleep(0.12)
        stream.write(value[5:] + "\\n"); stream.flush()
    os.write(1, b"\\xff\\xc3" + raw + b"\\xff\\x00" + raw[:3] + b"\\n")
sys.exit("the end: " + planted["target_change"] + planted["parameter"])
"""

LEAK = f"""\
---
id: leak
title: Tell everything
risk: change
params:
  api_key: {{secret: true}}
  file: {{type: path}}
---
```bash {{#make save=fresh secret}}
python3 -c 'import json, os; print(json.load(open(os.environ["file"]))["saved"])'
grep -o "env-[^\\"]*" "$file" >&2
```
```bash {{#number on=shop assert="value < 5" on-fail=continue}}
echo "$PIN"
```
```bash {{#keep save=kept on-fail=continue}}
echo "a value with $api_key in it"
```
```bash {{#encoded save=coded on-fail=continue on=shop}}
printf "user:%s" "$SHOP_TOKEN" | base64 -w0
```
```notify {{#call to=lead on-fail=continue}}
It is done with $api_key and $fresh for $file.
```
```approval {{#ask}}
Go on?
```
```python {{#tell on=shop on-fail=continue}}
{TELL}
```
```bash {{#flood on=shop on-fail=continue}}
for n in $(seq 30000); do echo "$n $SHOP_TOKEN $api_key $fresh"; done
```
```bash {{#die on=shop}}
echo "$api_key" >&2; exit 9
```
## Always {{.finally}}
```bash {{#last}}
echo "at the end $fresh"; set -x; : "$api_key"
```
"""


class Sink(BaseHTTPRequestHandler):
    """Takes whatever it is sent, and remembers the bodies."""

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        self.server.bodies.append(self.rfile.read(size).decode())  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def sink():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    server.bodies = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder():
    made = Path(tempfile.mkdtemp(prefix="opsbook-leaks-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def plant(folder: Path, port: int) -> dict[str, str]:
    """Write the book and the files; return the server's environment."""
    (folder / "book" / "runbooks").mkdir(parents=True)
    (folder / "book" / "book.yaml").write_text(BOOK.format(folder=folder))
    (folder / "book" / "runbooks" / "leak.md").write_text(LEAK)
    (folder / "shop.pem").write_text(
        f"-----BEGIN KEY-----\n{PLANTED['target_file']}\n-----END KEY-----\n"
    )
    contact = PLANTED["contact"].replace("/", "%2F").replace("&", "%26")
    database = PLANTED["database"].replace("%", "%25").replace("+", "%2B").replace(" ", "%20")
    return {
        "LEAD_CONTACT": f"json://relay:{contact}@127.0.0.1:{port}/pages",
        "SHOP_CHANGE": PLANTED["target_change"],
        "SHOP_PIN": PLANTED["number"],
        "HOOK_ADDRESS": f"http://127.0.0.1:{port}/hooks/{PLANTED['hook_address']}",
        "HOOK_SECRET": PLANTED["hook"],
        "HOOK_HEADER": PLANTED["hook_header"],
        "SERVER_PASSWORD": PLANTED["environment"],
        "OTHER_DATABASE": f"postgresql://app:{database}@db/shop",
    }


def found(where: str, text: str, planted: dict[str, str]) -> list[str]:
    return [f"{name} in {where}" for name, value in planted.items() if shows(text, value)]


def rows(database: Path) -> dict[str, str]:
    """Everything in the database, a text for each table."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        tables = [one for (one,) in connection.execute("SELECT name FROM sqlite_master "
                                                       "WHERE type = 'table'")]  # fmt: skip
        return {
            table: "\n".join(
                one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one)
                for row in connection.execute(f'SELECT * FROM "{table}"')
                for one in row
            )
            for table in tables
        }


def files(data: Path) -> dict[str, str]:
    """Everything in the data folder."""
    return {
        str(one.relative_to(data)): one.read_bytes().decode("utf-8", "replace")
        for one in data.rglob("*")
        if one.is_file() and one.name not in OWN
    }


def emptied(data: Path) -> bool:
    """Whether nothing is left of what steps wrote; their own folders last a little longer."""
    left = [one for one in (data / "steps").rglob("*") if one.is_file()]
    return all(one.name != "output.bin" or not one.stat().st_size for one in left)


async def test_no_secret_is_in_any_row_file_answer_page_or_message(folder, sink):
    data = folder / "data"
    environment = plant(folder, sink.server_port)
    up = start(folder / "book", data=data, **environment)
    texts: dict[str, str] = {}
    try:
        planted = {**PLANTED, "token": (data / "local.token").read_text().strip(),
                   "seal": (data / "seal.key").read_text().strip()}  # fmt: skip
        (folder / "planted.json").write_text(json.dumps(planted))
        token = up.make_token("lead", "read", "run", "approve")
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(
            base_url=f"{up.url}/api/v1", headers=headers, timeout=60
        ) as api:
            texts |= await told(api, folder, "refused")
            params = {"api_key": PLANTED["parameter"], "file": str(folder / "planted.json")}
            begun = await begin(api, params)
            assert begun.status_code == 201, begun.text
            again = await begin(api, {**params, "api_key": "another-8812"})
            assert again.status_code == 409, again.text
            run = begun.json()["id"]
            await until(api, run, "waiting")
            texts["while it waits"] = "\n".join(rows(data / "opsbook.db").values())
            texts |= {
                f"{name}, while it waits": text
                for name, text in files(data).items()
                if not name.startswith("steps/")
            }
            approved = await api.post(f"/runs/{run}/approve", json={})
            assert approved.status_code == 200, approved.text
            ended = await until(api, run, "failed")
            texts["start"], texts["conflict"] = begun.text, again.text
            texts |= await answers(api, ended)
        texts |= await pages(up, run)
        for _ in range(100):
            if any("run.finished" in body for body in sink.bodies) and emptied(data):
                break
            await asyncio.sleep(0.1)
        told_by_cli = up.call("runs", "logs", str(run)), up.call("runs", "show", str(run))
        texts["command line"] = "\n".join(one.out + one.err for one in told_by_cli)
    finally:
        up.stop()
    texts |= {f"table {name}": text for name, text in rows(data / "opsbook.db").items()}
    texts |= {f"file {name}": text for name, text in files(data).items()}
    texts |= {f"message {number}": body for number, body in enumerate(sink.bodies)}
    texts["console"] = "".join(up.lines)

    assert [one for where, text in texts.items() for one in found(where, text, planted)] == []
    # That nothing was found must not be because nothing was there.
    states = steps_of(ended)
    assert states["make"][0] == "succeeded"
    assert states["number"] == ("failed", "value is ••••, and must be < 5")
    for step in ("keep", "encoded"):
        assert states[step][0] == "failed"
        assert "contains a secret" in states[step][1]
    assert states["tell"][0] == "failed"
    output = texts[f"output tell of {run}"]
    assert output.count("form:") == 17 * len(planted)
    assert output.count("••••") > 17 * len(planted)
    assert "bytes left out here" in texts[f"output flood of {run}"]
    assert texts[f"output last of {run}"].count("••••") == 2
    assert texts["file opsbook.log"]
    assert len(sink.bodies) >= 4, sink.bodies
    assert texts["table run_secret"] == ""
    assert ended["params"]["api_key"] == "••••"


async def begin(api: httpx.AsyncClient, params: dict[str, str]) -> httpx.Response:
    key = {"Idempotency-Key": "once"}
    return await api.post("/runs", json={"runbook": "leak", "params": params}, headers=key)


async def told(api: httpx.AsyncClient, folder: Path, name: str) -> dict[str, str]:
    """What is answered to a start with secrets in places where none belong."""
    secret = PLANTED["parameter"]
    asked = {
        "too long": {"api_key": secret * 400, "file": str(folder)},
        "of another type": {"api_key": {"a": secret}, "file": str(folder)},
        "with a line break": {"api_key": f"{secret}\n", "file": str(folder)},
        "missing another": {"api_key": secret},
    }
    texts = {}
    for how, params in asked.items():
        answer = await api.post("/runs", json={"runbook": "leak", "params": params})
        assert answer.status_code == 422, answer.text
        texts[f"{name} {how}"] = answer.text
    return texts


async def until(api: httpx.AsyncClient, run: int, state: str) -> dict:
    for _ in range(600):
        found = (await api.get(f"/runs/{run}")).json()
        if found["state"] == state:
            return found
        assert found["state"] in {"queued", "running", "waiting"}, steps_of(found)
        await asyncio.sleep(0.1)
    raise AssertionError(f"never {state}: {found}")


def steps_of(run: dict) -> dict[str, tuple[str, str]]:
    return {one["key"]: (one["state"], one["message"]) for one in run["steps"]}


async def answers(api: httpx.AsyncClient, ended: dict) -> dict[str, str]:
    """Everything the interface tells of a run."""
    run = ended["id"]
    texts = {}
    for path in ("/runs", f"/runs/{run}", "/audit?limit=200", "/events", "/books",
                 f"/runs/{run}/evidence", "/webhooks"):  # fmt: skip
        texts[f"answer {path}"] = (await api.get(path)).text
    for step in ended["steps"]:
        query = {"step": step["key"]}
        plain = {"Accept": "text/plain"}
        output = await api.get(f"/runs/{run}/output", params=query, headers=plain)
        texts[f"output {step['key']} of {run}"] = output.text
    async with api.stream("GET", f"/runs/{run}/stream") as stream:
        texts["stream"] = (await stream.aread()).decode()
    return texts


async def pages(up, run: int) -> dict[str, str]:
    """Everything the pages tell of a run, and what a form says that is filled in wrong."""
    visitor = Visitor(up.url)
    try:
        await visitor.sign_in(up.started["sign_in_link"])
        texts = {}
        pending = ["/", "/runs", f"/runs/{run}", "/inbox", "/audit", "/book/shop/runbooks/leak",
                   "/book/shop/runbooks/leak/start", "/more"]  # fmt: skip
        seen: set[str] = set()
        while pending:
            path = pending.pop()
            if path in seen:
                continue
            seen.add(path)
            answer = await visitor.client.get(path)
            assert answer.status_code == 200, (path, answer.text[:2000])
            texts[f"page {path}"] = answer.text
            links = re.findall(r'href="(/(?:runs|audit|inbox)[^"#]*)"', answer.text)
            pending += [one.replace("&amp;", "&") for one in links if str(run) in one]
        form = {"param-api_key": PLANTED["parameter"], "param-file": "../not/a/path"}
        page = await visitor.client.get("/book/shop/runbooks/leak/start")
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        wrong = await visitor.client.post("/book/shop/runbooks/leak/start", data={**hidden, **form})
        assert wrong.status_code == 422, wrong.text[:2000]
        assert 'type="password"' in wrong.text
        texts["a form that was wrong"] = wrong.text
        return texts
    finally:
        await visitor.close()
