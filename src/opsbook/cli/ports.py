"""Who holds a port, as far as this machine's user may know (Linux; elsewhere nobody is named)."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")
LISTEN = "0A"


def holder(port: int) -> str | None:
    """Return ``nginx (process 812)`` for the program that listens on ``port``; None if unknown.

    A process of another user shows its sockets to root alone. Only its name is told, never its
    arguments: they may hold a password.
    """
    inodes = _listening(port)
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in PROC.iterdir():
        if process.name.isdigit() and _holds(process, wanted):
            return f"{_name(process)} (process {process.name})"
    return None


def _listening(port: int) -> set[str]:
    """Return the inodes of the sockets that listen on a port, of IPv4 and IPv6."""
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (PROC / "net" / table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def _holds(process: Path, wanted: set[str]) -> bool:
    try:
        return any(str(handle.readlink()) in wanted for handle in (process / "fd").iterdir())
    except OSError:  # gone by now, or somebody else's
        return False


def _name(process: Path) -> str:
    try:
        arguments = (process / "cmdline").read_bytes().split(b"\0")
        if any(Path(part.decode(errors="replace")).name == "opsbook" for part in arguments[:4]):
            return "another Opsbook"
        return (process / "comm").read_text("utf-8", errors="replace").strip()
    except OSError:
        return "a program"
