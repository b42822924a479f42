"""What this machine says of itself, for a book that starts on it: time zone and language."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import available_timezones

from opsbook.book.fields import Language

_BY_COUNTRY: Mapping[str, Language] = {"ko": "ko"}


def timezone(environment: Mapping[str, str], root: Path = Path("/")) -> str | None:
    """The zone's name from TZ, from where /etc/localtime points, or from /etc/timezone."""
    known = available_timezones()
    if (named := environment.get("TZ", "").removeprefix(":")) in known:
        return named
    with contextlib.suppress(OSError, RuntimeError):
        _, found, name = str((root / "etc/localtime").resolve(strict=True)).partition("/zoneinfo/")
        name = name.removeprefix("posix/").removeprefix("right/")
        if found and name in known:
            return name
    with contextlib.suppress(OSError, UnicodeDecodeError):
        name = (root / "etc/timezone").read_text("utf-8").strip()
        if name in known:
            return name
    return None


def language(environment: Mapping[str, str]) -> Language:
    """Korean where LC_ALL, LC_MESSAGES or LANG (the first that is set) says so, else English."""
    names = (environment.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    said = next((name for name in names if name), "")
    return _BY_COUNTRY.get(said.partition("_")[0].lower(), "en")
