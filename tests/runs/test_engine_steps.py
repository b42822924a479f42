"""What a bash step gets, what it may do to the server, and what is kept of it."""

import asyncio
import os
import shlex
from datetime import timedelta
from pathlib import Path

import pytest

from opsbook import runs
from opsbook.book import load
from opsbook.runs import store
from opsbook.runs.known import Known
from tests.support.runs import BOOK, VOCABULARY, Stage

NASTY = [
    "; rm -rf /",
    "$(touch /tmp/opsbook-was-here) `id` ${HOME} $1",
    'it\'s "quoted" \\ and \\n',
    "한국어 ✓ 🙂 -n --help",
    "  spaces  ",
    "",
]


@pytest.mark.parametrize("value", NASTY)
async def test_a_parameter_reaches_the_script_as_it_was_given(stage: Stage, value: str) -> None:
    await stage.load(
        '```bash {#say}\nprintf "<%s>" "$what"\n```\n', "params:\n  what: {required: false}"
    )
    run = await stage.run(what=value)
    assert await stage.text(run, "say") == f"<{value}>"


async def test_a_saved_value_reaches_later_steps_with_its_lines_and_quotes(stage: Stage) -> None:
    value = "one\n  'two' \"$three\"\n;four"
    await stage.load(
        f"```bash {{#give save=told}}\nprintf '%s\\n' {shlex.quote(value)}; echo warning >&2\n```\n"
        '```bash {#take}\nprintf "<%s>" "$told"\n```\n'
    )
    run = await stage.run()
    assert await stage.text(run, "take") == f"<{value}>"
    assert (await stage.row(run))["saved"] == {"told": value}
    assert "warning" in await stage.text(run, "give")


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("true", "empty"),
        ("head -c 70000 /dev/zero | tr '\\0' x", "64 KiB"),
        ("printf 'a\\0b'", "NUL"),
        ("printf 'a\\377b'", "UTF-8"),
        ('$WRITTEN; ln -sf /etc/passwd "$HOME/stdout"', "file"),
        ('$WRITTEN; rm "$HOME/stdout"; mkfifo "$HOME/stdout"', "file"),
        ('$WRITTEN; ln "$HOME/stdout" "$HOME/again"', "file"),
    ],
)
async def test_what_cannot_be_saved_fails_the_step(stage: Stage, script: str, told: str) -> None:
    script = script.replace("$WRITTEN", 'echo x; until [ -s "$HOME/stdout" ]; do sleep 0.02; done')
    await stage.load(f"```bash {{#give save=told}}\n{script}\n```\n")
    run = await stage.run()
    given = (await stage.steps(run))["give"]
    assert given["state"] == "failed"
    assert told in given["message"]
    assert (await stage.row(run))["saved"] == {}


async def test_an_optional_value_may_be_empty_and_a_failing_step_saves_nothing(
    stage: Stage,
) -> None:
    await stage.load(
        "```bash {#maybe save=told optional}\ntrue\n```\n"
        "```bash {#not save=other}\necho x; exit 4\n```\n"
    )
    run = await stage.run()
    assert (await stage.row(run))["saved"] == {"told": ""}
    assert (await stage.steps(run))["not"]["message"] == "exit code 4"


async def test_the_environment_is_complete_and_nothing_is_inherited(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPSBOOK_DATABASE", "postgresql://user:geheim@host/db")
    await stage.load("```bash {#env}\nenv; id -u; pwd\n```\n", "params:\n  what: {default: this}")
    run = await stage.run()
    lines = (await stage.text(run, "env")).splitlines()
    found = dict(line.split("=", 1) for line in lines[:-2])
    for name in ("SHLVL", "_", "OPSBOOK_ATTEMPT", "OPSBOOK_SCRATCH"):
        found.pop(name, None)
    home, folder = found.pop("HOME"), found.pop("PWD")
    assert found.pop("TMPDIR") == home
    assert found == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "TZ": "Asia/Seoul",
        "OPSBOOK_RUN": str(run),
        "OPSBOOK_STEP": "env",
        "OPSBOOK_BOOK": "shop",
        "OPSBOOK_WORK": str(stage.work),
        "what": "this",
    }
    assert folder == home == lines[-1]
    user = stage.places.user
    assert int(lines[-2]) == (user[0] if user else os.geteuid())


async def test_a_script_stops_at_the_first_failure_on_the_left_of_a_pipe_too(stage: Stage) -> None:
    await stage.load("```bash {#one}\nfalse | cat; echo on\n```\n")
    run = await stage.run()
    assert await stage.text(run, "one") == ""
    assert (await stage.row(run))["state"] == "failed"


async def test_a_step_that_floods_is_cut_in_the_middle_and_the_next_one_runs(stage: Stage) -> None:
    await stage.load(
        "```bash {#flood}\necho first; head -c 9000000 /dev/zero | tr '\\0' '\\n'; echo last\n```\n"
        "```bash {#after}\necho fine\n```\n"
    )
    run = await stage.run()
    steps = await stage.steps(run)
    tried = steps["flood"]["attempts"][0]
    text = await stage.text(run, "flood")
    assert text.startswith("first\n")
    assert text.endswith("\nlast\n")
    assert "bytes left out here" in text
    assert len(text) < 2_000_000
    assert tried["bytes_seen"] > 9_000_000
    assert tried["bytes_dropped"] > 6_000_000
    assert await stage.text(run, "after") == "fine\n"


async def test_a_step_ends_when_its_script_does_whatever_it_left_behind(stage: Stage) -> None:
    await stage.load(
        '```bash {#fork}\nsleep 300 & setsid sleep 300 & echo $! > "$OPSBOOK_WORK/pid"; echo on\n'
        '```\n```bash {#after}\n! kill -0 "$(cat "$OPSBOOK_WORK/pid")"\n```\n'
    )
    run = await stage.run()
    assert await stage.states(run) == {"fork": "succeeded", "after": "succeeded"}


async def test_a_step_that_takes_too_long_is_ended(stage: Stage) -> None:
    await stage.load("```bash {#slow timeout=1s}\necho on; sleep 300\n```\n")
    run = await stage.run()
    slow = (await stage.steps(run))["slow"]
    assert (slow["state"], slow["attempts"][0]["state"]) == ("failed", "timeout")
    assert slow["message"] == "it ran longer than 1 s"
    assert await stage.text(run, "slow") == "on\n"


async def test_a_step_that_cannot_be_started_fails_and_says_why(stage: Stage) -> None:
    stage.work.write_text("in the way")
    await stage.load("```bash {#one}\ntrue\n```\n")
    run = await stage.run()
    one = (await stage.steps(run))["one"]
    assert (one["state"], one["attempts"][0]["state"]) == ("failed", "failed")
    assert "could not be prepared" in one["message"]


async def test_a_secret_shows_in_no_output(stage: Stage) -> None:
    stage.secrets = ("hunter2hunter2",)
    await stage.load(
        "```bash {#leak}\nprintf 'a hunter2'; sleep 0.4; printf 'hunter2 b '\n"
        "printf hunter2hunter2 | base64\n```\n"
    )
    run = await stage.run()
    assert await stage.text(run, "leak") == "a •••• b ••••=\n"


async def test_the_server_knows_its_own_secrets_and_those_of_its_books(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAT_URL", "slack://token-of-the-chat")
    contacts = "contacts: [{secret: env:CHAT_URL}, {secret: env:NOT_SET}], "
    text = BOOK.format(file="/nowhere").replace("{name: Operator, ", "{name: Operator, " + contacts)
    await stage.publish(load({"book.yaml": text}, VOCABULARY))
    stage.places.token.write_text("opb_local\n")
    known = Known(stage.library, stage.places, "postgresql://me:p%40ss@host/db")
    assert {"opb_local", "p@ss", "p%40ss", "slack://token-of-the-chat"} < set(known())
    assert stage.places.seal_key.read_text().strip() in known()


async def test_output_is_there_while_the_step_still_runs(stage: Stage) -> None:
    await stage.load(
        "```bash {#talk}\necho one; echo two\n"
        'while [ ! -e "$OPSBOOK_WORK/go" ]; do sleep 0.02; done; echo three\n```\n'
        "```bash {#more}\necho four\n```\n"
    )
    run = await stage.begin(by="operator")
    heard: list[tuple[int, int, str]] = []
    async for piece in stage.engine.feed(run):
        heard.append(piece)
        (stage.work / "go").touch()
    assert "".join(text for _, _, text in heard) == "one\ntwo\nthree\nfour\n"
    ends: dict[int, int] = {}
    for attempt, start, text in heard:
        assert start == ends.get(attempt, 0)
        ends[attempt] = start + len(text.encode())
    assert [piece async for piece in stage.engine.feed(run)] == heard


async def test_one_step_at_a_time_where_there_is_room_for_one(stage_folder: Path) -> None:
    async with Stage(stage_folder, steps_at_once=1) as stage:
        await stage.load(
            '```bash {#one}\necho in >> "$OPSBOOK_WORK/ran"; sleep 0.1\n'
            'echo out >> "$OPSBOOK_WORK/ran"\n```\n- [ ] Look at it. {#look}\n'
        )
        started = [await stage.begin(by="operator") for _ in range(3)]
        await stage.settle()
        assert stage.ran() == ["in", "out"] * 3
        assert [(await stage.row(run))["state"] for run in started] == ["waiting"] * 3


async def test_a_waiting_run_holds_no_task(stage: Stage) -> None:
    shop = await stage.load("- [ ] Look at it. {#look}\n")
    await stage.settle()  # until every loop waits, each in a task of its own
    before = len(asyncio.all_tasks())
    started = [await stage.begin(by="operator") for _ in range(20)]
    await stage.settle()
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) <= before
    assert len(await stage.write(lambda tx: store.waiting(tx, "shop"))) == 20
    operator = await stage.person("operator")
    for run in started:
        await stage.act(runs.confirm, run, "look", operator, shop)
    assert await stage.write(store.waiting) == []
    await stage.wind(timedelta(hours=1))
