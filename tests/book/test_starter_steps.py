"""The starter's steps really run, with nothing but what a step is given, and do what they say."""

import os
import subprocess
import time

import pytest

from opsbook.book import load
from tests.book.kinds import VOCABULARY, starter

RUNBOOKS = load(starter(), VOCABULARY).runbooks
SCRIPTS = [
    (id, step.key)
    for id, runbook in RUNBOOKS.items()
    for step in runbook.steps
    if step.kind == "bash"
]


@pytest.fixture
def run(tmp_path):
    def run(id, key):
        scratch, work = tmp_path / "scratch", tmp_path / "work"
        scratch.mkdir(exist_ok=True)
        work.mkdir(exist_ok=True)
        given = {
            "PATH": "/usr/bin:/bin", "HOME": str(scratch), "LANG": "C.UTF-8",
            "OPSBOOK_WORK": str(work), "OPSBOOK_RUN": "run-1", "check": "disk", "keep_days": "7",
        }  # fmt: skip
        body = RUNBOOKS[id].step(key).body
        done = subprocess.run(
            ["bash", "-c", body], env=given, cwd=scratch, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout, work

    return run


@pytest.mark.parametrize(("id", "key"), SCRIPTS)
def test_every_script_of_the_starter_succeeds_on_this_machine(run, id, key):
    output, _ = run(id, key)
    assert output.strip()


def test_steps_that_only_read_leave_the_work_folder_as_it_was(run):
    for id, key in SCRIPTS:
        if RUNBOOKS[id].step(key).effect == "read":
            _, work = run(id, key)
            assert list(work.iterdir()) == []


def test_the_repair_removes_old_reports_and_keeps_the_rest(run, tmp_path):
    reports = tmp_path / "work" / "reports"
    reports.mkdir(parents=True)
    for name, days in (("old.txt", 9), ("young.txt", 2), ("old.log", 9)):
        (reports / name).write_text("x")
        then = time.time() - days * 86400
        os.utime(reports / name, (then, then))
    assert "old.txt" in run("first-response", "reports")[0]
    output, _ = run("first-response", "repair")
    assert "old.txt" in output
    assert sorted(file.name for file in reports.iterdir()) == ["old.log", "run-1.txt", "young.txt"]
    assert "check: disk" in (reports / "run-1.txt").read_text()


def test_the_repair_may_be_repeated(run):
    for _ in range(2):
        assert "run-1.txt" in run("first-response", "repair")[0]
