"""Scripts: the fence's text as it stands, run by ``bash``, ``sh`` or ``python3``.

``bash`` has the options ``-e -o pipefail``: a procedure that goes on after a command has failed
does harm, and a failure on the left of a pipe is one. Not ``-u``: guides are full of
``${VAR:-}``-less tests of variables that may be missing. A script that wants it says ``set -u``,
and one that wants to go on says ``set +e``. No start-up file is read. ``sh`` has ``-e``, which is
all that POSIX has of these.

``python`` is the ``python3`` that the step's PATH finds, with ``-I``: what such a step does depends
on its text and on the machine it works on, never on the interpreter that happens to run this server
(a virtual environment with other packages after each upgrade, often in a home that the step's user
cannot enter), nor on a module that lies about in a folder. A step that uses modules of the book
says so: ``sys.path.insert(0, os.environ["OPSBOOK_FILES"])``. With ``-u``, so that what it prints is
seen while it runs.

Nothing is substituted into the text. Parameters and saved outputs are environment variables.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

from opsbook.base.places import Places
from opsbook.runs import sealed, targets
from opsbook.runs.judging import asks_for_value
from opsbook.runs.kinds.captured import wrapped
from opsbook.runs.kinds.environment import environment, limits
from opsbook.runs.kinds.kind import Place
from opsbook.runs.supervisor import StepRequest

INTERPRETERS: Final = {
    "bash": ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail"),
    "sh": ("sh", "-e"),
    "python": ("python3", "-I", "-u"),
}


class Script:
    """Runs its body with one interpreter."""

    def __init__(self, kind: str) -> None:
        self.argv = INTERPRETERS[kind]

    def request(
        self, place: Place, places: Places, scratch: Path, allowed: timedelta
    ) -> StepRequest:
        """The script, its environment and its limits.

        Raises:
            targets.NotReady: its target lacks a secret, or is none that is known.
        """
        step = place.step
        at = targets.resolve(place.book, step)
        of_target = {**at.environment, **targets.write_files(at, scratch, places.user)}
        argv = self.argv
        if asks_for_value(step):
            argv = wrapped(argv, scratch, hidden=sealed.hidden(step))
        uid, gid = places.user or (None, None)
        return StepRequest(
            attempt_id=scratch.name,
            scratch=scratch,
            argv=argv,
            script=step.body,
            env=environment(place, places, scratch, of_target, at.programs),
            user=uid,
            group=gid,
            **limits(place, allowed),
        )
