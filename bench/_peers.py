"""Ansible and Prefect in an environment of their own, made when a benchmark first asks for them.

They are peers to be measured against, and no part of Opsbook: nothing of it depends on them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv" / "peers"
PACKAGES = ("ansible-core==2.19.14", "prefect==3.1.15", "fastapi==0.115.14")


def python() -> Path | None:
    """The peers' Python; None where they cannot be installed, which is told on stderr."""
    found = FOLDER / "bin" / "python"
    complete = FOLDER / "complete"
    if complete.exists() and complete.read_text() == " ".join(PACKAGES):
        return found
    sys.stderr.write(f"Installing {', '.join(PACKAGES)} into {FOLDER} …\n")
    shutil.rmtree(FOLDER, ignore_errors=True)
    commands = (
        [sys.executable, "-m", "venv", str(FOLDER)],
        [str(found), "-m", "pip", "install", "-q", *PACKAGES],
    )
    if uv := shutil.which("uv"):
        commands = (
            [uv, "venv", "-q", "--python", sys.executable, str(FOLDER)],
            [uv, "pip", "install", "-q", "--python", str(found), *PACKAGES],
        )
    try:
        for command in commands:
            subprocess.run(command, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"They cannot be installed ({error}): measured without them.\n")
        return None
    complete.write_text(" ".join(PACKAGES))
    return found
