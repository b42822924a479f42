"""Targets: what a step gets of one, what it does not get, and who else can see it."""

import asyncio
import base64
import os
import re
import time
from pathlib import Path
from typing import get_args

import pytest

from opsbook import runs
from opsbook.book import BookError, load
from opsbook.book.sections.targets import Executor
from opsbook.runs import targets
from opsbook.runs.executors import EXECUTORS, executor_of
from opsbook.runs.supervisor import Running, StepRequest
from tests.support.answering import Answering
from tests.support.runs import VOCABULARY, Stage
from tests.support.servers import needs
from tests.support.targets import ShopDatabase, files, outcome, published

KUBECONFIG = """\
apiVersion: v1
clusters:
- cluster: {certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t}
    server: https://kubernetes.example.org:6443
users:
- name: reader
  user:
    token: "tokentokentoken-%s"
"""
CLUSTER = """\
  cluster:
    title: The cluster
    environment: {{KUBECONTEXT: shop, region: seoul}}
    programs: [{programs}]
    read:
      environment: {{VAULT_TOKEN: env:VAULT_READ}}
      files: {{KUBECONFIG: "file:{folder}/read"}}
    change:
      environment: {{VAULT_TOKEN: env:VAULT_CHANGE}}
      files: {{KUBECONFIG: "file:{folder}/change"}}
"""


@pytest.fixture
def cluster(stage_folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A target whose `kubectl` says what it was given."""
    secrets = stage_folder / "secrets"
    secrets.mkdir(mode=0o700)
    for name in ("read", "change"):
        (secrets / name).write_text(KUBECONFIG % name)
        (secrets / name).chmod(0o600)
        monkeypatch.setenv(f"VAULT_{name.upper()}", f"vault-{name}-0123456789")
    programs = stage_folder / "programs"
    programs.mkdir()
    programs.chmod(0o755)
    kubectl = programs / "kubectl"
    kubectl.write_text('#!/bin/sh\ngrep -o "tokentokentoken-.*[a-z]" "$KUBECONFIG"\n')
    kubectl.chmod(0o755)
    return CLUSTER.format(folder=secrets, programs=programs)


def errands_of(stage: Stage) -> list[Path]:
    """The errands of this engine, in /proc: other tests have theirs at the same time."""
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            ours = str(stage.places.steps).encode() in (proc / "environ").read_bytes()
            if ours and b"errands/__main__.py" in (proc / "cmdline").read_bytes():
                found.append(proc)
        except OSError:
            continue
    return found


def fence(script: str, about: str = "") -> str:
    return f"```bash {{#s on=cluster {about}}}\n{script}\n```\n"


@pytest.mark.parametrize("effect", ["read", "change"])
async def test_a_script_gets_the_programs_variables_and_files_of_its_effect(
    stage: Stage, cluster: str, effect: str
) -> None:
    script = (
        'kubectl | rev; echo "$KUBECONTEXT $region $VAULT_TOKEN" | rev; echo "${PATH%%:*}"\n'
        'stat -c "%a %u" "$KUBECONFIG" "${KUBECONFIG%/*}"; stat -c %a "$HOME/.."\n'
        'tail -c1 "$KUBECONFIG" | wc -l'
    )
    await published(stage, fence(script, f"effect={effect}"), targets=cluster)
    state, message, text = await outcome(stage, await stage.run())
    lines = text.splitlines()
    assert (state, lines[0][::-1], lines[1][::-1]) == (  # backwards, as it would be masked
        "succeeded", f"tokentokentoken-{effect}", f"shop seoul vault-{effect}-0123456789",
    ), message  # fmt: skip
    assert lines[2].endswith("/programs")
    me = stage.places.user[0] if stage.places.user else os.geteuid()
    assert lines[3:] == [f"400 {me}", f"700 {me}", "711", "1"]


async def test_a_parameter_does_not_take_the_place_of_what_the_target_sets(
    stage: Stage, cluster: str
) -> None:
    body = "```bash {#give effect=read save=VAULT_TOKEN}\necho mine\n```\n"
    await published(
        stage, body + fence('echo "$VAULT_TOKEN" | rev', "effect=read"), targets=cluster
    )
    found = (await outcome(stage, await stage.run()))[2].strip()
    assert found[::-1] == "vault-read-0123456789"


async def test_the_files_of_a_credential_go_with_the_attempt(stage: Stage, cluster: str) -> None:
    await published(stage, fence('echo "$KUBECONFIG"; sleep 0.2', "effect=read"), targets=cluster)
    run = await stage.run()
    path = Path((await outcome(stage, run))[2].strip())
    assert path.is_relative_to(stage.places.steps)
    assert len(path.parent.name) >= len(targets.FOLDER) + 32
    for _ in range(100):
        if not path.exists():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{path} is still there")


@pytest.mark.parametrize("missing", ["variable", "file"])
async def test_a_secret_that_is_missing_fails_the_step_before_anything_has_run(
    stage: Stage, cluster: str, stage_folder: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing == "variable":
        monkeypatch.delenv("VAULT_READ")
    else:
        (stage_folder / "secrets" / "read").unlink()
    await published(stage, fence('echo ran >> "$OPSBOOK_WORK/ran"', "effect=read"), targets=cluster)
    run = await stage.run()
    step = (await stage.steps(run))["s"]
    assert step["state"] == "failed"
    assert "The credential read of the target 'cluster'" in step["message"]
    assert "vault" not in step["message"].lower().replace("vault_read", "")
    assert stage.ran() == []
    assert list(stage.places.steps.glob(f"*/{targets.FOLDER}*")) == []


def test_files_of_an_attempt_that_never_ran_can_be_removed(tmp_path: Path) -> None:
    reached = targets.Reached(files={"KUBECONFIG": "one\ntwo", "TOKEN": "t"})
    written = targets.write_files(reached, tmp_path / "a", None)
    assert Path(written["KUBECONFIG"]).read_text() == "one\ntwo\n"
    assert Path(written["TOKEN"]).read_text() == "t"
    targets.discard_files(tmp_path / "a")
    assert list((tmp_path / "a").iterdir()) == []
    assert targets.write_files(targets.Reached(), tmp_path / "b", None) == {}
    assert not (tmp_path / "b").exists()


async def test_every_credential_and_the_telling_parts_of_it_are_known_for_masking(
    stage: Stage, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = "  web: {title: W, kind: http, url: 'http://w', read: {headers: {X: env:WEB}}}\n"
    monkeypatch.setenv("WEB", "Bearer of-the-web")
    book = await published(stage, fence("true", "effect=read"), targets=cluster + more)
    references = set(targets.secret_references(book))
    assert {"env:VAULT_READ", "env:VAULT_CHANGE", "env:WEB"} < references
    assert len(references) == 5
    known = targets.known(book)
    assert known >= {
        "vault-read-0123456789", "vault-change-0123456789", "Bearer of-the-web", "of-the-web",
        "tokentokentoken-read", "tokentokentoken-change",
    }  # fmt: skip
    assert not any("example.org" in one for one in known if "\n" not in one)
    monkeypatch.delenv("WEB")
    assert "of-the-web" not in targets.known(book)


async def test_nobody_sees_the_credential_of_an_errand(
    stage: Stage, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the process list, not the environments, and not another step of the same user."""
    token = "secret-of-the-web-0123456789"
    monkeypatch.setenv("WEB_READ", token)
    seen: dict[str, list[str]] = {"cmdline": [], "environ": []}
    errands: list[Path] = []

    def reply(asked: object) -> tuple[int, dict[str, str], bytes]:
        for proc in Path("/proc").glob("[0-9]*"):
            for name, found in seen.items():
                try:
                    data = (proc / name).read_bytes()
                except OSError:
                    continue
                if token.encode() in data and int(proc.name) != os.getpid():
                    found.append(proc.name)
        errands.extend(errands_of(stage))
        (stage.work / "go").touch()
        until = time.monotonic() + 20
        while not (stage.work / "done").exists() and time.monotonic() < until:
            time.sleep(0.02)
        return 200, {}, b"fine"

    answering.reply = reply
    stage.work.mkdir(mode=0o700, exist_ok=True)
    if stage.places.user:
        os.chown(stage.work, *stage.places.user)
    spy = (
        'while [ ! -e "$OPSBOOK_WORK/go" ]; do sleep 0.02; done\n'
        "for one in $(pgrep -f errands/__main__); do\n"
        '  cat "/proc/$one/environ" "/proc/$one/fd/0" "/proc/$one/mem" 2>&1 | head -c 200\n'
        'done; touch "$OPSBOOK_WORK/done"'
    )
    at = (
        f"  web: {{title: W, kind: http, url: '{answering.url}', "
        "read: {headers: {Authorization: env:WEB_READ}}}\n"
    )
    body = f"```http {{#s on=web}}\nGET /\n```\n```bash {{#spy}}\n{spy}\n```\n"
    first, second = body.split("```bash")
    spying_page = f"---\nid: spy\ntitle: Spy\n---\n```bash{second}"
    pages = {**files(first, targets=at), "runbooks/spy.md": spying_page}
    await stage.publish(load(pages, VOCABULARY))
    asking = await stage.begin(by="operator")
    starter = (await stage.person("operator")).actor
    spying = await stage.write(
        lambda tx: runs.start(
            tx, stage.clock.now(), book=stage.library.current("shop"), runbook="spy", params={},
            started_by=starter, attended=True,
        )
    )  # fmt: skip
    await stage.settle()
    state, _, text = await outcome(stage, asking)
    assert state == "succeeded", text
    assert answering.last.headers["Authorization"] == token
    assert seen == {"cmdline": [], "environ": []}
    assert token not in text
    looked = await stage.text(spying, "spy")
    assert token not in looked
    if stage.places.user is not None:
        assert "Permission denied" in looked
        assert errands, "the errand was not seen at all"


async def test_an_errand_is_the_steps_user_before_it_speaks_to_anybody(
    stage: Stage, answering: Answering
) -> None:
    seen: list[dict[str, str]] = []

    def reply(asked: object) -> tuple[int, dict[str, str], bytes]:
        for proc in errands_of(stage):
            lines = (proc / "status").read_text().splitlines()
            seen.append(dict(line.split(":\t", 1) for line in lines if ":\t" in line))
        return 200, {}, b"fine"

    answering.reply = reply
    await published(stage, f"```http {{#s}}\nGET {answering.url}/\n```\n")
    await stage.run()
    uid, gid = stage.places.user or (os.geteuid(), os.getegid())
    (status,) = seen
    assert status["Uid"].split() == [str(uid)] * 4
    assert status["Gid"].split() == [str(gid)] * 4
    if stage.places.user is not None:
        assert status["Groups"].strip() == ""
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0


async def test_what_a_target_sets_does_not_reach_an_errand_before_it_is_another_user(
    stage: Stage, answering: Answering, stage_folder: Path
) -> None:
    """Else LD_PRELOAD would let whoever edits the book run code as the server."""
    at = (
        f"  web: {{title: W, kind: http, url: '{answering.url}', environment: {{"
        f"LD_PRELOAD: {stage_folder}/nowhere.so, PYTHONPATH: {stage_folder}}}}}\n"
    )
    environments: list[bytes] = []

    def reply(asked: object) -> tuple[int, dict[str, str], bytes]:
        environments.extend((proc / "environ").read_bytes() for proc in errands_of(stage))
        return 200, {}, b"fine"

    answering.reply = reply
    await published(stage, "```http {#s on=web}\nGET /\n```\n", targets=at)
    state, _, text = await outcome(stage, await stage.run())
    assert (state, "LD_PRELOAD" in text) == ("succeeded", False)
    names = {entry.split(b"=")[0].decode() for entry in environments[0].split(b"\0") if entry}
    assert names <= {"PATH", "LANG", "TZ", "LD_LIBRARY_PATH", "OPSBOOK_ATTEMPT", "OPSBOOK_SCRATCH"}


async def test_psql_in_a_script_finds_the_database_of_its_target(
    stage: Stage, shop_database: ShopDatabase
) -> None:
    needs("psql")
    script = "psql -Atc \"SELECT current_user || ' of ' || count(*) FROM orders\""
    for effect in ("read", "change"):
        body = f"```bash {{#s on=orders effect={effect}}}\n{script}\n```\n"
        await published(stage, body, targets=shop_database.target)
        _, _, text = await outcome(stage, await stage.run())
        assert text == f"shop_{'reader' if effect == 'read' else 'writer'} of 2\n"


async def test_what_a_step_prints_of_its_credential_is_hidden(stage: Stage, cluster: str) -> None:
    stage.secrets = ("vault-read-0123456789", "tokentokentoken-read")
    script = 'echo "$VAULT_TOKEN"; cat "$KUBECONFIG"; printf %s "$VAULT_TOKEN" | base64'
    await published(stage, fence(script, "effect=read"), targets=cluster)
    _, _, text = await outcome(stage, await stage.run())
    assert "••••" in text
    for secret in stage.secrets:
        assert secret not in text
        assert base64.b64encode(secret.encode()).decode() not in text


async def test_each_executor_that_a_book_may_name_is_there(stage: Stage, cluster: str) -> None:
    assert set(EXECUTORS) == set(get_args(Executor))
    book = await published(stage, fence("true", "effect=read"), targets=cluster)
    assert executor_of(book, book.runbooks["fix"].steps[0]) == "local"
    local = EXECUTORS["local"](stage.spawner)
    scratch = stage.places.steps / "by-hand"
    step = await local.spawn(
        StepRequest(attempt_id="by-hand", scratch=scratch, argv=("sleep", "60"))
    )
    assert await local.tree("by-hand", scratch)
    await local.kill_tree("by-hand", scratch)
    assert await local.tree("by-hand", scratch) == []
    assert (await step.outcome()).outcome != "succeeded"
    assert not isinstance(await local.find(scratch), Running)
    step.close()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("```sql {#s effect=read}\nSELECT 1\n```", "nothing says on which postgresql or sqlite"),
        ("```sql {#s on=ordres effect=read}\nSELECT 1\n```", "did you mean 'orders'?"),
        ("```sql {#s on=web effect=read}\nSELECT 1\n```", "cannot be done on web"),
        ("```promql {#s}\nup\n```", "nothing says on which prometheus target. add a target"),
        ("```sql {#s on=orders}\nDELETE FROM x\n```", "has a credential for reading only"),
        ("```http {#s}\nGET /x\n```", "nothing says on which target"),
        ("```http {#s on=web}\nGET http://other/x\n```", "says with whom it speaks, and so does"),
        ("```http {#s}\nGET http://$x/\n```", "could be anybody"),
        ("```sql {#s on=orders effect=read}\nSELECT :y\n```", "no parameter or saved value 'y'"),
        ("```http {#s on=web}\nGET /x?$x=1\n```", "stands where nothing is filled in"),
    ],
)
def test_what_a_step_lacks_is_told_when_the_book_is_loaded(body: str, told: str) -> None:
    at = (
        "  orders: {title: O, kind: sqlite, path: /x.db, read: {environment: {A: env:A}}}\n"
        "  web: {title: W, kind: http, url: 'http://w'}\n"
    )
    with pytest.raises(BookError) as refused:
        load(files(body, "params:\n  x: {}", at), VOCABULARY)
    (problem,) = refused.value.problems
    assert told in str(problem)
    assert problem.remedy


def test_the_examples_of_the_reference_are_a_book() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "targets.md"
    blocks = re.findall(
        r"^(`{3,})(?:yaml|markdown) file=(\S+)\n(.*?)^\1$",
        page.read_text(),
        re.MULTILINE | re.DOTALL,
    )
    examples = {name: text for _, name, text in blocks}
    head = "id: shop\ntitle: Shop\ntimezone: Asia/Seoul\nroles: {admin: ['*:admin']}\n"
    people = "people:\n  one: {name: One, roles: [admin]}\n  two: {name: Two, roles: [admin]}\n"
    book = load({"book.yaml": head + people, **examples}, VOCABULARY)
    assert len(book.targets) == 5
    assert len(book.runbooks) == 3
