"""What a server and a keeper say to each other, and the names of the files they share.

A frame is one byte of kind, four bytes of length, and that many bytes: JSON for a message, the
step's own bytes for output. Output is not wrapped in JSON because it need not be text and because
a flood would be paid for twice. Nothing carries a version: the two ends of a conversation may be
of different releases (a keeper outlives an upgrade of its server), so a message may gain fields
and may never change the meaning of one; what is not understood is skipped.

    server → keeper    {"do": "run", ...the request}         on the socket that was handed over
                       {"do": "hello", "offset": n}          on keeper.sock: output from byte n on
                       {"do": "terminate"}                   TERM, the grace time, KILL
                       {"do": "acknowledge"}                 the outcome is in the journal
    keeper → server    {"say": "refused", "problem": "..."}  nothing was run
                       {"say": "started", "child": pid}
                       output
                       {"say": "dropped", "bytes": n}        n bytes of output are missing here
                       {"say": "outcome", ..., "again": b}   the last word; b: once it is
                                                             acknowledged, another "run" may follow
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct

TYPE_CHECKING = False  # `typing` would add its weight to every fork of the helper process
if TYPE_CHECKING:
    from typing import Any

PID_FILE = "pid.json"
OUTCOME_FILE = "outcome.json"
OUTPUT_FILE = "output.bin"
SCRIPT_FILE = "script"
SOCKET_FILE = "keeper.sock"
LOG_FILE = "keeper.log"
HOME_FOLDER = "home"
ATTEMPT = "OPSBOOK_ATTEMPT"
SCRATCH = "OPSBOOK_SCRATCH"
WORK = "OPSBOOK_WORK"

MESSAGE = b"j"
OUTPUT = b"o"
PIECE = 64 * 1024
MOST_FROM_SERVER = 64 * 1024 * 1024
MOST_FROM_VISITOR = 64 * 1024

_HEAD = struct.Struct("!cI")


class BadFrame(Exception):
    """The other end does not speak this protocol."""


def message(**fields: Any) -> bytes:
    """One message, ready to send."""
    body = json.dumps(fields).encode()
    return _HEAD.pack(MESSAGE, len(body)) + body


def output(data: bytes) -> bytes:
    """One piece of output, ready to send."""
    return _HEAD.pack(OUTPUT, len(data)) + data


class Frames:
    """Puts frames back together from whatever pieces the socket delivers."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """The frames that are whole now, as (kind, body)."""
        self._buffer += data
        whole = []
        while len(self._buffer) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._buffer)
            if kind not in (MESSAGE, OUTPUT) or length > self._most:
                raise BadFrame(f"kind {kind!r}, {length} bytes")
            end = _HEAD.size + length
            if len(self._buffer) < end:
                break
            whole.append((kind, bytes(self._buffer[_HEAD.size : end])))
            del self._buffer[:end]
        return whole


def read_message(body: bytes) -> dict[str, Any]:
    """The fields of a message; anything but a JSON object is a broken peer."""
    try:
        fields = json.loads(body)
    except ValueError as error:
        raise BadFrame(str(error)) from error
    if not isinstance(fields, dict):
        raise BadFrame("not an object")
    return fields


def socket_address(folder: int) -> str:
    """Where a keeper listens, given an open descriptor of its scratch folder.

    Through /proc, because the address of a Unix socket ends at 107 bytes and a data folder may lie
    deeper than that. Nothing depends on the working folder this way.
    """
    return f"/proc/self/fd/{folder}/{SOCKET_FILE}"


def reach(scratch: str, within: float = 1.0) -> socket.socket | None:
    """A connection to the keeper that is at this step now, or None when there is none.

    This is the proof of life, rather than a process id: a socket answers for exactly as long as its
    keeper is at this very step, in this boot and in no other, whatever process has its number.
    """
    try:
        folder = os.open(scratch, os.O_PATH | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(within)
    try:
        sock.connect(socket_address(folder))
    except (ConnectionRefusedError, FileNotFoundError, TimeoutError):
        sock.close()
        return None
    except OSError:
        sock.close()
        raise
    finally:
        os.close(folder)
    return sock


def left_out(count: int) -> bytes:
    """The line that stands in output where `count` bytes are missing."""
    return f"\n[opsbook: {count} bytes left out here]\n".encode()


def hung_up(sock: socket.socket) -> bool:
    """Whether the other end is closed, whatever may still be in the pipe."""
    poll = select.poll()
    poll.register(sock, 0)
    return bool(poll.poll(0))
