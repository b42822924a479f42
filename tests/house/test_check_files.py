"""A long file either says why it is long or stops `make lint`."""

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "check_files.py"


def check(folder):
    return subprocess.run(
        [sys.executable, TOOL, folder], capture_output=True, text=True, check=False
    )


def test_a_file_of_600_lines_passes(tmp_path):
    (tmp_path / "short.py").write_text("x = 1\n" * 600)
    assert check(tmp_path).returncode == 0


def test_a_longer_file_is_named_with_its_length_and_the_remedy(tmp_path):
    (tmp_path / "long.py").write_text("x = 1\n" * 601)
    run = check(tmp_path)
    assert run.returncode == 1
    assert "long.py:601: 601 lines, more than 600" in run.stderr
    assert "split it by idea" in run.stderr


def test_a_longer_file_that_says_why_passes(tmp_path):
    reason = '"""Long because: one grammar is read best in one piece."""\n'
    (tmp_path / "long.py").write_text(reason + "x = 1\n" * 700)
    assert check(tmp_path).returncode == 0
