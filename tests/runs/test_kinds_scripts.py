"""Scripts in three languages: one way of running them, one environment."""

import pytest

from tests.support.runs import Stage
from tests.support.targets import outcome, published

NASTY = ["; rm -rf /", "$(touch /tmp/opsbook-was-here)", "'\"`\\", "한국어", "  x ", "-n"]
SAY = {
    "bash": 'printf "<%s>" "$what"',
    "sh": 'printf "<%s>" "$what"',
    "python": 'import os\nprint("<%s>" % os.environ["what"], end="")',
}


@pytest.mark.parametrize("kind", SAY)
@pytest.mark.parametrize("value", NASTY)
async def test_a_parameter_is_a_variable(stage: Stage, kind: str, value: str) -> None:
    await published(stage, f"```{kind} {{#s}}\n{SAY[kind]}\n```\n", "params:\n  what: {}")
    assert await outcome(stage, await stage.run(what=value)) == ("succeeded", "", f"<{value}>")


@pytest.mark.parametrize(
    ("kind", "script"),
    [
        ("bash", "echo 42; echo warning >&2; {}"),
        ("sh", "echo 42; echo warning >&2; {}"),
        ("python", "import sys\nprint(42)\nprint('warning', file=sys.stderr)\n{}"),
    ],
)
async def test_stdout_is_saved_and_a_failure_is_a_failure(
    stage: Stage, kind: str, script: str
) -> None:
    end = {"python": ("pass", "sys.exit(7)")}.get(kind, ("true", "exit 7"))
    about = '#s save=n assert="value == 42"'
    await published(stage, f"```{kind} {{{about}}}\n{script.format(end[0])}\n```\n")
    run = await stage.run()
    state, _, text = await outcome(stage, run)
    assert (state, "warning" in text) == ("succeeded", True)
    assert (await stage.row(run))["saved"] == {"n": "42"}
    await published(stage, f"```{kind} {{{about}}}\n{script.format(end[1])}\n```\n")
    run = await stage.run()
    assert (await outcome(stage, run))[:2] == ("failed", "exit code 7")
    assert (await stage.row(run))["saved"] == {}


async def test_sh_ends_at_the_first_failure_and_is_no_bash(stage: Stage) -> None:
    await published(stage, "```sh {#s}\nfalse\necho on\n```\n")
    assert await outcome(stage, await stage.run()) == ("failed", "exit code 1", "")
    await published(stage, '```sh {#s}\necho "${BASH_VERSION:-none}"\n```\n')
    assert (await outcome(stage, await stage.run()))[2] == "none\n"


async def test_python_is_the_machines_own_and_isolated(stage: Stage) -> None:
    script = (
        "import sys, os\nprint(sys.flags.isolated, sys.executable)\n"
        "print(sorted(name for name in os.environ if name.startswith('PYTHON')))"
    )
    await published(stage, f"```python {{#s}}\n{script}\n```\n")
    lines = (await outcome(stage, await stage.run()))[2].splitlines()
    assert lines[0].startswith("1 /usr/")
    assert lines[1] == "[]"


async def test_what_a_saving_script_left_in_the_background_is_waited_for(stage: Stage) -> None:
    await published(stage, "```sh {#s save=n}\n(sleep 0.3; echo late) & echo early\n```\n")
    run = await stage.run()
    assert (await stage.row(run))["saved"] == {"n": "early\nlate"}


async def test_a_saving_script_that_is_ended_ends(stage: Stage) -> None:
    await published(stage, "```sh {#s save=n timeout=1s}\necho on; sleep 300\n```\n")
    assert (await outcome(stage, await stage.run()))[:2] == ("failed", "it ran longer than 1 s")
