"""Running the real git: never asking, never running what a repository brings, always in time.

Every call is a program of its own in a process group of its own, which is killed when its time is
over. Hooks are off, transports that run programs are off, and nothing waits for a password: what
git is to know it finds where its user put it (credential helper, ssh agent, GIT_ASKPASS).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from opsbook.base.errors import OpsbookError
from opsbook.revisions.address import masked

SETTINGS: Final = (
    "core.hooksPath=/dev/null",
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "protocol.file.allow=always",
    "protocol.ext.allow=never",
    "core.fsmonitor=false",
    "core.quotePath=false",
    "commit.gpgSign=false",
    "gc.autoDetach=false",
    "maintenance.autoDetach=false",
    "submodule.recurse=false",
    "advice.detachedHead=false",
)
OURS: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY",
               "GIT_NAMESPACE", "GIT_CEILING_DIRECTORIES", "GIT_CONFIG_PARAMETERS")  # fmt: skip
LOCAL: Final = 30.0
NETWORK: Final = 60.0
LONGEST: Final = 500


class GitFailed(OpsbookError):
    """A git command failed; ``said`` is what git wrote, without passwords."""

    def __init__(self, words: tuple[str, ...], said: str, status: int | None) -> None:
        self.said = masked(said).strip()[-LONGEST:]
        self.status_code = status
        what = next((word for word in words if not word.startswith("-")), "git")
        how = "took too long" if status is None else "failed"
        super().__init__(f"git {what} {how}: {self.said or 'it said nothing'}")


def run(
    folder: Path, *words: str, given: bytes = b"", timeout: float = LOCAL,
    more: Mapping[str, str] | None = None,
) -> bytes:  # fmt: skip
    """Run git in ``folder`` and return what it wrote.

    Raises:
        GitFailed: it failed, took longer than ``timeout`` seconds, or is not installed.
    """
    settings = [word for one in SETTINGS for word in ("-c", one)]
    try:
        process = subprocess.Popen(
            ["git", *settings, "-C", str(folder), *words], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(more or {}),
            start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError:
        raise GitFailed(words, "git is not installed on this server", 127) from None
    with process:
        try:
            out, err = process.communicate(given, timeout=timeout)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                told = f"no end within {timeout:g} s"
                raise GitFailed(words, told, None) from None
            raise
    if process.returncode:
        raise GitFailed(words, err.decode(errors="replace"), process.returncode)
    return out


def text(folder: Path, *words: str, **more: float) -> str:
    """Run git and return its answer as a text without the line's end."""
    return run(folder, *words, **more).decode("utf-8", "surrogateescape").rstrip("\n")  # type: ignore[arg-type]


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return what git gets to know: nothing of a repository around us, and nobody to ask."""
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    kept.setdefault("GIT_ASKPASS", "true")
    kept.setdefault("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oConnectTimeout=15")
    return {**kept, "GIT_TERMINAL_PROMPT": "0", "GCM_INTERACTIVE": "never", "LC_ALL": "C",
            "GIT_OPTIONAL_LOCKS": "0", **more}  # fmt: skip


def committer(author: str, login: str) -> dict[str, str]:
    """Return who commits: the editor as author, Opsbook as the one that did it."""
    return {
        "GIT_AUTHOR_NAME": author,
        "GIT_AUTHOR_EMAIL": email(login),
        "GIT_COMMITTER_NAME": "Opsbook",
        "GIT_COMMITTER_EMAIL": "opsbook@opsbook.invalid",
    }


DOMAIN: Final = "opsbook.invalid"


def email(login: str) -> str:
    """Return the address that a login commits under: its own if it is one."""
    return login if "@" in login else f"{login}@{DOMAIN}"
