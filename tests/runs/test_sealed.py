"""Secret parameters and saved secrets: sealed while the run goes, and gone when it has ended."""

import re
import stat

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from opsbook import runs
from opsbook.base.errors import Bug, StartError
from opsbook.base.sealing import OtherKey, Sealer
from opsbook.runs import sealed
from opsbook.runs.errors import KeyReused
from opsbook.runs.tables import run, secret
from tests.support.runs import Stage, book, open_folder, runbook

VALUE = "k-5f1e'9c \"2b\\&ö"
OTHER = "k-another-0a0a0a0a"
PARAM = "params:\n  api_key: {secret: true}\n  note: {required: false}"


# ---- the key ----


def test_the_key_is_made_at_the_first_start_for_the_server_s_user_alone(tmp_path):
    file = tmp_path / "seal.key"
    first = Sealer.of_file(file, {})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Sealer.of_file(file, {}).open(first.seal(VALUE)) == VALUE
    assert first.seal(VALUE) != first.seal(VALUE)
    assert VALUE not in first.seal(VALUE)


def test_a_key_put_above_the_old_one_seals_and_both_open(tmp_path):
    file = tmp_path / "seal.key"
    before = Sealer.of_file(file, {}).seal(VALUE)
    new = Fernet.generate_key().decode()
    file.write_text(f"# the new one\n{new}\n{file.read_text()}")
    both = Sealer.of_file(file, {})
    assert both.open(before) == VALUE
    assert Sealer([new]).open(both.seal(VALUE)) == VALUE
    with pytest.raises(OtherKey):
        Sealer([new]).open(before)


def test_another_key_or_an_altered_text_is_told_as_such(tmp_path):
    text = Sealer.of_file(tmp_path / "one", {}).seal(VALUE)
    other = Sealer.of_file(tmp_path / "other", {})
    for wrong in (text, f"{text[:-6]}AAAAAA", "no sealed text"):
        with pytest.raises(OtherKey) as told:
            other.open(wrong)
        assert "another key" in told.value.message
        assert "seal.key" in told.value.remedy
        assert "OPSBOOK_SEAL_KEY" in told.value.remedy
        assert VALUE not in f"{told.value.message} {told.value.remedy}"


def test_servers_have_the_same_key_from_where_the_setting_points(tmp_path, monkeypatch):
    key = Fernet.generate_key().decode()
    monkeypatch.setenv("SHARED_KEY", key)
    first = Sealer.of_file(tmp_path / "a", {"OPSBOOK_SEAL_KEY": "env:SHARED_KEY"})
    kept = tmp_path / "kept"
    kept.write_text(key)
    second = Sealer.of_file(tmp_path / "b", {"OPSBOOK_SEAL_KEY": f"file:{kept}"})
    assert second.open(first.seal(VALUE)) == VALUE
    assert not (tmp_path / "a").exists()
    with pytest.raises(StartError, match="OPSBOOK_SEAL_KEY: The secret env:NONE_SUCH is not set"):
        Sealer.of_file(tmp_path / "a", {"OPSBOOK_SEAL_KEY": "env:NONE_SUCH"})


def test_a_key_that_others_can_read_or_that_is_none_keeps_the_server_from_starting(tmp_path):
    file = tmp_path / "seal.key"
    Sealer.of_file(file, {})
    file.chmod(0o640)
    with pytest.raises(StartError, match=r"can be read by others \(mode 0640\)"):
        Sealer.of_file(file, {})
    file.chmod(0o600)
    file.write_text(f"{Fernet.generate_key().decode()}\nnearly-a-key\n")
    with pytest.raises(StartError, match="line 2 is no key") as told:
        Sealer.of_file(file, {})
    assert "nearly" not in f"{told.value.message} {told.value.remedy}"
    file.write_text("\n")
    with pytest.raises(StartError, match="there is no key"):
        Sealer.of_file(file, {})


def test_a_digest_is_of_the_key_and_of_each_text_apart():
    one, other = (Sealer([Fernet.generate_key().decode()]) for _ in range(2))
    assert one.digest("a", "bc") == one.digest("a", "bc")
    assert len({one.digest("a", "bc"), one.digest("ab", "c"), other.digest("a", "bc")}) == 3


# ---- parameters ----


async def rows(stage: Stage) -> list[dict]:
    return await stage.database.read(lambda tx: tx.rows(sa.select(secret)))


async def test_a_secret_parameter_reaches_the_steps_and_is_nowhere_else(any_stage):
    stage = any_stage
    body = """
```bash {#use}
printf %s "$api_key" > "$OPSBOOK_WORK/got"
env | grep -c sealed || true
echo "it is $api_key"
```
```approval {#ask}
Go on?
```
```bash {#again}
[ "$api_key" = "$(cat "$OPSBOOK_WORK/got")" ] && echo the same
```
"""
    await stage.load(body, PARAM)
    started = await stage.begin(by="operator", api_key=VALUE)
    row = await stage.row(started)
    assert set(row["params"]) == {"sealed:api_key", "note"}
    assert VALUE not in str(row)
    kept = await rows(stage)
    assert [(one["run_id"], one["name"]) for one in kept] == [(started, "api_key")]
    assert VALUE not in kept[0]["sealed"]
    await stage.settle()
    assert (stage.work / "got").read_text() == VALUE
    assert await stage.text(started, "use") == "0\nit is ••••\n"
    assert len(await rows(stage)) == 1
    await stage.answer(started, "officer", "approve")
    assert (await stage.row(started))["state"] == "succeeded"
    assert await stage.text(started, "again") == "the same\n"
    assert await rows(stage) == []
    assert sealed.shown((await stage.row(started))["params"]) == {"api_key": "••••", "note": ""}


@pytest.mark.parametrize("body", ["```bash {#a}\nexit 3\n```", "```approval {#a}\nGo on?\n```"])
async def test_it_is_forgotten_when_the_run_fails_or_is_cancelled(stage, body):
    await stage.load(body, PARAM)
    started = await stage.run(api_key=VALUE)
    if (await stage.row(started))["state"] == "waiting":
        assert len(await rows(stage)) == 1
        who, shop = await stage.person("operator"), stage.library.current("shop")
        await stage.act(runs.cancel, started, who, shop, "enough")
    assert (await stage.row(started))["state"] in {"failed", "cancelled"}
    assert await rows(stage) == []


async def test_two_runs_can_be_told_to_have_had_the_same_secret_and_no_more(stage):
    await stage.load("```approval {#a}\nGo on?\n```", PARAM)
    started = [await stage.run(api_key=value) for value in (VALUE, VALUE, OTHER)]
    marks = [(await stage.row(one))["params"]["sealed:api_key"] for one in started]
    assert marks[0] == marks[1] != marks[2]


async def test_a_given_approval_does_not_hold_for_a_secret_that_was_exchanged(stage):
    await stage.load("```approval {#a}\nGo on?\n```\n```bash {#b}\necho never\n```", PARAM)
    started = await stage.run(api_key=VALUE)
    shop = stage.library.current("shop")
    params, _ = sealed.apart(
        shop.runbooks["fix"], {"api_key": OTHER, "note": ""}, stage.engine.sealer
    )
    change = sa.update(run).where(run.c.id == started).values(params=params)
    await stage.write(lambda tx: tx.execute(change))
    await stage.answer(started, "officer", "approve")
    assert (await stage.states(started))["b"] == "skipped"
    assert "changed" in (await stage.steps(started))["a"]["message"]


async def test_the_same_idempotency_key_with_another_secret_is_a_conflict(stage):
    shop = await stage.load("```approval {#a}\nGo on?\n```", PARAM)

    async def begin(value: str) -> int:
        return await stage.write(
            lambda tx: runs.start(
                tx, stage.clock.now(), book=shop, runbook="fix", params={"api_key": value},
                started_by="opsbook", attended=True, idempotency_key="once",
                sealer=stage.engine.sealer,
            )
        )  # fmt: skip

    first = await begin(VALUE)
    assert await begin(VALUE) == first
    with pytest.raises(KeyReused) as told:
        await begin(OTHER)
    assert OTHER not in str(told.value)
    assert len(await rows(stage)) == 1


async def test_a_value_that_does_not_fit_is_refused_without_being_told(stage):
    await stage.load(
        "```approval {#a}\nGo on?\n```", 'params:\n  api_key: {secret: true, pattern: "[0-9]+"}'
    )
    with pytest.raises(runs.WrongParameters) as told:
        await stage.begin(by="operator", api_key=VALUE)
    assert VALUE not in f"{told.value.message} {told.value.remedy} {told.value.details}"
    assert await rows(stage) == []


def test_an_empty_one_is_no_secret_and_one_without_a_sealer_is_our_mistake():
    fix = book(runbook("```approval\nGo on?\n```", "params:\n  a: {secret: true, required: false}"))
    assert sealed.apart(fix.runbooks["fix"], {"a": ""}, None) == ({"a": ""}, {})
    with pytest.raises(Bug):
        sealed.apart(fix.runbooks["fix"], {"a": VALUE}, None)


def test_no_parameter_can_be_taken_for_a_sealed_one():
    marked = {"sealed:api_key": "0d", "note": "sealed:0d"}
    assert sealed.given(marked) == {"note": "sealed:0d"}
    assert sealed.shown(marked) == {"api_key": "••••", "note": "sealed:0d"}


async def test_a_server_with_another_key_fails_the_step_and_says_so():
    body = "```approval {#a}\nGo on?\n```\n```bash {#b}\necho never\n```"
    with open_folder() as folder:
        async with Stage(folder) as stage:
            await stage.load(body, PARAM)
            started = await stage.run(api_key=VALUE)
        (folder / "seal.key").unlink()
        async with Stage(folder) as stage:
            await stage.load(body, PARAM)
            await stage.answer(started, "officer", "approve")
            steps = await stage.steps(started)
            assert steps["b"]["state"] == "failed"
            assert "sealed with another key" in steps["b"]["message"]
            assert await rows(stage) == []


# ---- saved secrets ----

KINDS = {
    "bash": ("bash", 'printf "%s\\n" "$note"; echo made >&2'),
    "sh": ("sh", 'printf "%s\\n" "$note"; echo made >&2'),
    "python": (
        "python",
        'import os, sys\nprint(os.environ["note"])\nprint("made", file=sys.stderr)',
    ),
}


@pytest.mark.parametrize(("kind", "script"), KINDS.values(), ids=KINDS)
async def test_what_a_step_saves_as_a_secret_is_not_shown_and_reaches_later_steps(
    stage, kind, script
):
    made = OTHER
    body = f"""
```{kind} {{#make save=fresh secret}}
{script}
```
```bash {{#use}}
echo "<$fresh>"; printf %s "$fresh" | base64; [ "$fresh" = "$note" ] && echo the same
```
```bash {{#fail on-fail=stop}}
exit 1
```
## Always {{.finally}}
```bash {{#end}}
[ "$fresh" = "$note" ] && echo still there
```
"""
    # The value is given as a parameter that is no secret, so that the test knows it; of what is
    # shown only what comes after it was saved is masked.
    await stage.load(body, "params:\n  note: {}")
    started = await stage.run(note=made)
    assert await stage.text(started, "make") == "made\n"
    shown = await stage.text(started, "use")
    assert re.fullmatch("<••••>\n••••={0,2}\nthe same\n", shown)
    assert await stage.text(started, "end") == "still there\n"
    row = await stage.row(started)
    assert row["saved"] == {}
    assert await rows(stage) == []


async def test_a_step_that_saves_a_secret_and_fails_says_so_and_shows_nothing(stage):
    body = f"```bash {{#make save=fresh secret}}\necho {OTHER}; exit 7\n```"
    await stage.load(body)
    started = await stage.run()
    steps = await stage.steps(started)
    assert "exit code 7" in steps["make"]["message"]
    assert await stage.text(started, "make") == ""


async def test_a_part_of_json_can_be_saved_as_a_secret(stage):
    body = """
```bash {#make save=fresh json=$.key secret}
echo '{"key": "from-json-4711", "more": 1}'
```
```bash {#use}
echo "$fresh"; echo "${#fresh}"
```
"""
    await stage.load(body)
    started = await stage.run()
    assert await stage.text(started, "make") == ""
    assert await stage.text(started, "use") == "••••\n14\n"


async def test_what_is_saved_without_secret_and_holds_one_is_refused(stage):
    body = """
```bash {#make save=address}
echo "postgres://app:$api_key@db/shop"
```
```bash {#use}
echo never
```
"""
    await stage.load(body, PARAM)
    started = await stage.run(api_key="k-8861-aa90cc")
    steps = await stage.steps(started)
    assert steps["make"]["state"] == "failed"
    assert "contains a secret" in steps["make"]["message"]
    assert "`secret`" in steps["make"]["message"]
    assert (await stage.row(started))["saved"] == {}
