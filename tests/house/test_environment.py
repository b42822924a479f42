"""`make up` on a machine that lacks something says what, and what to do about it."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = ("make", "sh", "cat", "dirname", "rm", "touch")

OLD = """#!/bin/sh
case "$1" in
    --version) echo Python 3.9.2 ;;
    *) exit 1 ;;
esac
"""
WITHOUT_ENSUREPIP = """#!/bin/sh
case "$2" in
    *ensurepip*) exit 1 ;;
    *print*) echo 3.12 ;;
esac
"""


@pytest.fixture
def clone(tmp_path):
    """A clone as far as the environment is concerned, on a machine with few commands."""
    machine = tmp_path / "bin"
    machine.mkdir()
    for command in COMMANDS:
        (machine / command).symlink_to(shutil.which(command))
    clone = tmp_path / "clone"
    (clone / "tools").mkdir(parents=True)
    (clone / "requirements").mkdir()
    shutil.copy(ROOT / "tools" / "environment", clone / "tools")
    for name in ("Makefile", "pyproject.toml", "requirements/run.lock"):
        shutil.copy(ROOT / name, clone / name)
    return clone


def make_up(clone, **pythons):
    machine = clone.parent / "bin"
    for name, script in pythons.items():
        (machine / name).write_text(script)
        (machine / name).chmod(0o755)
    run = subprocess.run(
        ["make", "up"],
        cwd=clone,
        env={"PATH": str(machine)},
        executable=machine / "make",
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    assert not (clone / ".venv").exists()
    return run.stderr


def test_without_python_it_says_which_python_to_install(clone):
    said = make_up(clone)
    assert "Opsbook needs Python 3.11 or newer, and this machine has no python3." in said
    assert "apt install python3 python3-venv" in said


def test_with_an_old_python_it_names_the_version_it_found(clone):
    said = make_up(clone, python3=OLD)
    assert "this machine has Python 3.9.2." in said


def test_without_ensurepip_it_names_the_package_to_install(clone):
    said = make_up(clone, python3=WITHOUT_ENSUREPIP)
    assert "its venv or ensurepip module is missing" in said
    assert "apt install python3-venv   (or python3.12-venv)" in said
