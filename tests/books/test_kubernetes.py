"""The Kubernetes platform's book, run: against a kubectl that keeps one small cluster in files."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.books import shelf
from tests.books.running import START, Around, Running, running

ROUTINES = sorted(shelf.book("kubernetes").routines)
READING = ("get ", "top ", "describe ", "logs ", "rollout history ", "rollout status ", "exec ")


@pytest.fixture
async def replaced(around: Around) -> AsyncIterator[dict[str, str]]:
    """This machine's addresses and folders for the book's."""
    for service, model in (("tabby", "/models/present"), ("vllm", "/models/talker")):
        around.keeps(f"model.{service}", model)
    data = around.writable("backup/tuning/current")
    (data / "MANIFEST").write_text("")
    (data / "train.jsonl").write_text("x" * 2_000_000)
    for name in ("gateway.log", "keycloak.log"):
        (around.folder / name).write_text("")
    async with around.open() as (plain, tls):
        yield {
            "127.0.0.1:8080": f"127.0.0.1:{plain}",
            "127.0.0.1:8180": f"127.0.0.1:{plain}",
            "127.0.0.1:8181": f"127.0.0.1:{plain}",
            "127.0.0.1:8182": f"127.0.0.1:{plain}",
            "port: 6443": f"port: {tls}",
            "/var/log/platform": str(around.folder),
            "/data/tuning": f"{around.folder}/backup/tuning",
            "/backup/platform/etcd": str(around.writable("backup/etcd")),
        }


@pytest.fixture
async def platform(
    around: Around, replaced: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    async with running("kubernetes", around, monkeypatch, replaced=replaced) as one:
        yield one


def asked_of_kubectl(around: Around) -> list[str]:
    """The calls without their time limit and namespace: what was asked."""
    return [
        call.removeprefix("--request-timeout=20s ").split("-n ", 1)[-1] for call in around.told()
    ]


@pytest.mark.parametrize("routine", ROUTINES)
async def test_a_routine_fires_at_its_time_and_reads_by_itself(
    around: Around, replaced: dict[str, str], monkeypatch: pytest.MonkeyPatch, routine: str
) -> None:
    before = shelf.book("kubernetes").schedule(routine).next_after(START) - timedelta(seconds=40)
    async with running("kubernetes", around, monkeypatch, at=before, replaced=replaced) as one:
        await one.app.wind(timedelta(seconds=60))
        (run,) = await one.of_trigger(f"routine:ai-platform/{routine}")
        await one.reads_by_itself(run["id"])
        assert around.told()
        for call in around.told():
            assert any(verb in f"{call} " for verb in READING), call


async def test_a_model_is_updated_once_security_has_allowed_it(
    platform: Running, around: Around
) -> None:
    run = await platform.begin(
        "update-model", "ml-engineer", service="tabby", model_path="/models/next"
    )
    assert (await platform.states(run))["allow"] == "waiting"
    ended = await platform.to_the_end(run)
    assert ended["state"] == "succeeded", (ended["reason"], await platform.said(run))
    assert ended["saved"]["previous"] == "/models/present"
    assert (around.state / "model.tabby").read_text() == "/models/next"


async def test_a_model_that_is_never_ready_is_taken_back(platform: Running, around: Around) -> None:
    run = await platform.begin(
        "update-model", "ml-engineer", service="tabby", model_path="/models/broken"
    )
    assert (await platform.to_the_end(run))["state"] == "failed"
    states = await platform.states(run)
    assert (states["switch"], states["loaded"]) == ("failed", "skipped")
    assert (states["back"], states["now"]) == ("succeeded", "succeeded")
    assert (around.state / "model.tabby").read_text() == "/models/present"


async def test_a_model_that_became_slow_is_taken_back(platform: Running, around: Around) -> None:
    run = await platform.begin(
        "update-model", "ml-engineer", service="tabby", model_path="/models/next"
    )
    await platform.answer(run)
    around.answers["/v1/health"] = 503
    assert (await platform.to_the_end(run))["state"] == "failed"
    states = await platform.states(run)
    assert (states["switch"], states["fast-enough"], states["back"]) == (
        "succeeded", "failed", "succeeded",
    )  # fmt: skip
    assert (around.state / "model.tabby").read_text() == "/models/present"


async def test_an_account_comes_with_its_quota_before_anything_else(
    platform: Running, around: Around
) -> None:
    run = await platform.begin("create-account", "helpdesk-agent", user_id="newcomer")
    ended = await platform.to_the_end(run)
    assert ended["state"] == "succeeded", (ended["reason"], await platform.said(run))
    assert (around.state / "namespace.ide-newcomer").exists()
    applied = around.told("applied")
    assert applied[0] == "ide-newcomer kind: ResourceQuota"
    assert "ide-newcomer kind: NetworkPolicy" in applied


async def test_an_account_that_cannot_be_provisioned_leaves_no_namespace(
    platform: Running, around: Around
) -> None:
    around.keeps("refuse-elevated")
    run = await platform.begin(
        "create-account", "helpdesk-agent", user_id="newcomer", quota="elevated"
    )
    assert (await platform.to_the_end(run))["state"] == "failed"
    states = await platform.states(run)
    assert (states["namespace"], states["provision"], states["remove"]) == (
        "succeeded", "failed", "succeeded",
    )  # fmt: skip
    assert not (around.state / "namespace.ide-newcomer").exists()


async def test_a_model_that_stops_answering_is_looked_at_and_left_alone(
    platform: Running, around: Around
) -> None:
    around.answers["/v1/health"] = 503
    await platform.app.wind(timedelta(minutes=5))
    (run,) = await platform.of_trigger("incident:1")
    assert (run["runbook"], run["params"]["service"]) == ("restart-model", "tabby")
    await platform.reads_by_itself(run["id"])
    assert not [call for call in asked_of_kubectl(around) if "rollout restart" in call]
