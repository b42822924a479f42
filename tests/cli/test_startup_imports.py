"""The command line answers at once because it loads nothing heavy until a command needs it."""

import subprocess
import sys

import pytest

HEAVY = {"sqlalchemy", "fastapi", "starlette", "aiohttp", "pydantic", "apprise", "uvicorn"}


@pytest.mark.parametrize("arguments", [["version"], ["--help"]], ids=" ".join)
def test_the_start_of_the_command_line_loads_no_heavy_library(arguments):
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "opsbook", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "opsbook.cli" in _loaded(run.stderr)
    assert {name.partition(".")[0] for name in _loaded(run.stderr)} & HEAVY == set()


def _loaded(importtime):
    """The modules that `-X importtime` names: one a line, after the second bar."""
    lines = [line for line in importtime.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}
