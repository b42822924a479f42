"""What a step finds around it: its variables, its folders, and what its target adds.

The environment is complete: what is not put together here is not there. Who wins where two give the
same name: Opsbook's own variables over those of the target, and these over parameters and saved
values, since a parameter may come from an alert's label and must not choose which cluster a step
reaches.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from opsbook.base.places import Places
from opsbook.runs import files
from opsbook.runs.kinds.kind import Place

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LANG: Final = "C.UTF-8"
OUTPUT_LIMIT: Final = 2 * 1024 * 1024
SHORTEST: Final = timedelta(seconds=1)


def environment(
    place: Place,
    places: Places,
    scratch: Path,
    of_target: Mapping[str, str] | None = None,
    programs: Sequence[str] = (),
) -> dict[str, str]:
    """All that a step finds in its environment; `programs` are folders that PATH begins with."""
    of_book = files.of_book(place.book, places)
    return {
        **place.variables,
        **(of_target or {}),
        "PATH": ":".join((*programs, PATH)),
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "home"),
        "LANG": LANG,
        "TZ": place.book.timezone,
        "OPSBOOK_RUN": str(place.run["id"]),
        "OPSBOOK_STEP": place.step.key,
        "OPSBOOK_BOOK": place.book.id,
        "OPSBOOK_WORK": str(work_folder(place.book.id, places)),
        **({"OPSBOOK_FILES": str(of_book)} if of_book is not None else {}),
    }


def work_folder(book: str, places: Places) -> Path:
    """The folder that the steps of a book share from run to run: theirs alone."""
    folder = places.work / book
    if not folder.is_dir():
        folder.mkdir(mode=0o700)
        if places.user is not None:
            os.chown(folder, *places.user)
    return folder


def limits(place: Place, allowed: timedelta) -> dict[str, Any]:
    """What every process of a step is held to, as fields of its request."""
    return {
        "timeout_s": max(allowed, SHORTEST).total_seconds(),
        "output_limit": OUTPUT_LIMIT,
        "die_with_server": place.step.interrupted == "retry",
    }
