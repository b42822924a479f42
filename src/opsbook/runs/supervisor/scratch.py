"""The folder of one attempt: made, claimed, and filled with what the step needs to start.

    scratch/            0711: the step's user may pass through it and may not list it
      keeper.sock       0600: where a server finds the keeper again; its existence is the claim
      pid.json          who runs here: written before anything runs
      output.bin        the output, bounded
      outcome.json      how it ended: written last
      script            the step's text, when it has one; readable by the step, not writable
      home/             0700, the step's own: its HOME and, when none is asked for, its cwd

One folder serves one attempt, once. `bind` fails where the name exists, so of two keepers (or of a
keeper and a server that no longer waits for one) exactly one has the folder, without a lock file
that could be left behind.
"""

# The helper process does without pathlib.
# ruff: noqa: PTH101, PTH103, PTH112, PTH123

from __future__ import annotations

import os
import socket

from . import protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MODE = 0o711


class Refusal(Exception):
    """Nothing was run; the sentence says why and what to do."""


def prepare(order: dict[str, Any]) -> tuple[int, socket.socket]:
    """The open folder and the socket that listens in it. Completes the order on the way."""
    path, user, group = order["scratch"], order["user"], order["group"]
    if user is not None and os.geteuid() != 0 and (user, group) != (os.geteuid(), os.getegid()):
        raise Refusal(
            f"The step is to run as user {user}, group {group}, and this server is user "
            f"{os.geteuid()}: only root can change the user. Start the server as root, or let the "
            "step run as the server's own user."
        )
    doing = f"make the scratch folder {path}"
    try:
        folder = _open(path)
        doing = f"listen in {path}"
        listener = _claim(folder, path)
        doing = f"make a home for the step in {path}"
        _make_home(folder, user, group)
        doing = f"write the script into {path}"
        _write_script(folder, order)
    except OSError as error:
        raise Refusal(
            f"Cannot {doing}: {error.strerror}. Give the data folder's owner the right to write "
            "there, or choose another data folder."
        ) from error
    _complete(order)
    return folder, listener


def _open(path: str) -> int:
    try:
        os.makedirs(path)
        os.chmod(path, MODE)
    except FileExistsError:
        pass
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY)


def _make_home(folder: int, user: int | None, group: int | None) -> None:
    try:
        os.mkdir(protocol.HOME_FOLDER, 0o700, dir_fd=folder)
    except FileExistsError:
        return
    if user is not None and group is not None:
        os.chown(protocol.HOME_FOLDER, user, group, dir_fd=folder)


def _write_script(folder: int, order: dict[str, Any]) -> None:
    if order["script"] is None:
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    descriptor = os.open(protocol.SCRIPT_FILE, flags, 0o400, dir_fd=folder)
    with open(descriptor, "wb") as file:
        file.write(order["script"].encode("utf-8", "surrogateescape"))
        if order["group"] is not None:
            # Owned by the server, read through the group: a step cannot rewrite what it ran.
            os.fchown(descriptor, -1, order["group"])
            os.fchmod(descriptor, 0o440)


def _claim(folder: int, path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.setblocking(False)
    before = os.umask(0o177)
    try:
        listener.bind(protocol.socket_address(folder))
    except OSError as error:
        if os.path.lexists(f"{path}/{protocol.SOCKET_FILE}"):
            raise Refusal(
                f"The scratch folder {path} has served an attempt before. Give every attempt a "
                "folder of its own."
            ) from error
        raise
    finally:
        os.umask(before)
    listener.listen()
    return listener


def _complete(order: dict[str, Any]) -> None:
    home = f"{order['scratch']}/{protocol.HOME_FOLDER}"
    if order["cwd"] is None:
        order["cwd"] = home
    elif not os.path.isdir(order["cwd"]):
        raise Refusal(
            f"The working folder {order['cwd']} of the step does not exist. Create it, or correct "
            "the step's cwd."
        )
    order["env"][protocol.ATTEMPT] = order["attempt_id"]
    order["env"][protocol.SCRATCH] = order["scratch"]
    if order["user"] is not None:
        order["env"].setdefault("HOME", home)
    script = [] if order["script"] is None else [f"{order['scratch']}/{protocol.SCRIPT_FILE}"]
    order["argv"] = [*order["argv"], *script, *order["arguments"]]
