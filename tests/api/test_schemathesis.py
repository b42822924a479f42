"""The description of the interface is true: requests made from it are answered as it says."""

import os
import time

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from opsbook.web.api.router import OPEN, describe
from tests.api.asking import Caller
from tests.support.front_door import start
from tests.support.shopbook import write_shop

PREFIX = "/api/v1"
FEW, MANY = 4, 200
SEED = int(os.environ.get("OPSBOOK_SEED", "20261121"))
DESCRIBED = describe()
SCHEMA = schemathesis.openapi.from_dict(DESCRIBED)
OPERATIONS = {
    f"{one.ok().method.upper()} {one.ok().path.removeprefix(PREFIX)}": one.ok()
    for one in SCHEMA.get_all_operations()
}
STREAMS = {name for name in OPERATIONS if name.endswith("/stream")}
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
HOOKS = """\
webhooks:
  bot:
    title: Bot
    url: http://127.0.0.1:9/
    loopback: true
    events: [run.finished, run.waiting]
"""
WORDS = {
    "book": ["shop"], "check": ["queue"], "hook": ["bot"], "runbook": ["look", "deploy", "greet"],
    "step": ["allow", "apply", "tell"], "path": ["book.yaml", "runbooks/look.md"],
    "thread": ["run:1", "incident:1"],
}  # fmt: skip
"""Names of what is there: made-up ones are nearly never, and would be refused at the first door."""


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """A server in which there is one of everything, which the requests may change."""
    folder = tmp_path_factory.mktemp("described")
    folder.chmod(0o755)
    book = write_shop(folder)
    (book / "webhooks.yaml").write_text(HOOKS)
    (folder / "queue").write_text("x" * 5000)
    server = start(book, data=folder / "data")
    try:
        server.until('"incident.paged"')
        lead = Caller(server, server.make_token("lead", "read", "run", "approve"))
        for runbook in ("look", "fail", "deploy", "deploy"):
            run = lead.start(runbook)["id"]
        lead.until(run, "waiting")
        lead.post(f"/runs/{run}/approve", json={}).raise_for_status()
        lead.post("/books/shop/drafts").raise_for_status()
        lead.post("/webhooks/shop/bot/test").raise_for_status()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def callers(seeded):
    """Who asks: somebody who may do everything, somebody who may only read, and nobody."""
    return {
        "administrator": seeded.make_token("lead", "read", "run", "approve"),
        "reader": seeded.make_token("viewer", "read"),
        "nobody": "",
    }


def ask(seeded, token, operation, mode, examples):
    """Send requests made from an operation's description, and compare the answers with it."""
    own = {"Authorization": f"Bearer {token}"} if token else {}

    session = requests.Session()

    @seed(SEED)
    @settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans(), data=st.data())
    def asked(case, known, data):
        if known:
            name_what_is_there(case, data)
        if "wait" in (case.query or {}):
            case.query["wait"] = 0
        case.headers = {
            name: value
            for name, value in (case.headers or {}).items()
            if name.lower() not in {"authorization", "cookie"}
        }
        answer = case.call(base_url=seeded.url, headers=own, session=session, timeout=30)
        assert token or answer.status_code in {401, 422} or operation.path == f"{PREFIX}/version"
        case.validate_response(answer, checks=CHECKS)

    with session:
        asked()


def name_what_is_there(case, data):
    """Put names of things that exist where the request names any."""
    for part in (case.path_parameters, case.query, case.body):
        if not isinstance(part, dict):
            continue
        for name in list(part):
            if name.endswith("_id"):
                part[name] = data.draw(st.integers(1, 4))
            elif name in WORDS:
                part[name] = data.draw(st.sampled_from(WORDS[name]))


MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - STREAMS))
def test_an_operation_is_answered_as_it_is_described(name, seeded, callers):
    operation = OPERATIONS[name]
    for mode in MODES:
        if mode == GenerationMode.POSITIVE or can_be_wrong(operation):
            ask(seeded, callers["administrator"], operation, mode, FEW)
    ask(seeded, callers["reader"], operation, GenerationMode.POSITIVE, 2)
    ask(seeded, callers["nobody"], operation, GenerationMode.POSITIVE, 1)


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - STREAMS))
@pytest.mark.parametrize("who", ["administrator", "reader", "nobody"])
def test_an_operation_is_answered_as_it_is_described_at_length(who, name, seeded, callers):
    operation = OPERATIONS[name]
    for mode in MODES:
        if mode == GenerationMode.POSITIVE or can_be_wrong(operation):
            ask(seeded, callers[who], operation, mode, MANY)


def can_be_wrong(operation):
    """Whether a request can be of the wrong form at all."""
    described = DESCRIBED["paths"][operation.path][operation.method]
    return bool(described.get("parameters") or described.get("requestBody"))


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_a_stream_begins_as_it_is_described(name, seeded, callers):
    operation = OPERATIONS[name]
    path = operation.path.replace("{run_id}", "1")
    for token, status in ((callers["administrator"], 200), (callers["nobody"], 401)):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with requests.get(seeded.url + path, headers=headers, stream=True, timeout=10) as answer:
            assert answer.status_code == status
            told = DESCRIBED["paths"][operation.path]["get"]["responses"][str(status)]["content"]
            assert answer.headers["content-type"].partition(";")[0] in told


def test_the_server_is_well_after_all_that(seeded, callers):
    lead = Caller(seeded, callers["administrator"])
    for _ in range(50):
        verdict = lead.get("/audit/verify").json()
        if verdict["waiting"] == 0:
            break
        time.sleep(0.1)
    assert verdict["holds"] is True
    assert lead.start("look")["state"] == "queued"


# ---- the description itself ---------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_an_operation_says_what_it_does_and_how_it_is_refused(name):
    method, _, path = name.partition(" ")
    told = DESCRIBED["paths"][PREFIX + path][method.lower()]
    assert len(told["summary"].split()) >= 2, told["summary"]
    assert not told["summary"].endswith(".")
    assert told["description"].startswith(told["summary"])
    assert told["tags"]
    answers = told["responses"]
    assert any(status.startswith("2") for status in answers)
    for status, answer in answers.items():
        assert answer["description"], status
        if not status.startswith("2"):
            (media,) = answer["content"].items()
            assert media[0] == "application/problem+json"
            assert media[1]["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert "5XX" in answers
    if path in OPEN:
        assert told["security"] == []
    else:
        assert told["security"] == [{"token": []}]
        assert {"401", "403"} <= answers.keys()
    if method != "GET":
        assert {"404", "409", "413", "422"} <= answers.keys()
    if "{" in path:
        assert {"404", "422"} <= answers.keys()


def test_every_parameter_and_field_has_a_type():
    for path, operations in DESCRIBED["paths"].items():
        for operation in operations.values():
            for one in operation.get("parameters", []):
                assert {"type", "anyOf", "$ref", "enum", "const"} & one["schema"].keys(), (
                    path,
                    one,
                )
    for name, shape in DESCRIBED["components"]["schemas"].items():
        for key, field in shape.get("properties", {}).items():
            assert field.keys() - {"title", "description", "default"}, (name, key)


def test_tokens_are_what_the_description_asks_for():
    assert DESCRIBED["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert DESCRIBED["openapi"].startswith("3.1")
