"""Steps that are errands of ours: how an order reaches the process that carries it out.

The request names no user, since an errand becomes the steps' user by itself once it has loaded what
it needs (`opsbook.runs.errands` says why). Its environment is fixed; what the target sets is part
of the order and counts only after that.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from opsbook.base.places import Places
from opsbook.runs import sealed
from opsbook.runs.judging import asks_for_value
from opsbook.runs.kinds.environment import LANG, PATH, limits
from opsbook.runs.kinds.kind import Place
from opsbook.runs.supervisor import StepRequest

MAIN: Final = Path(__file__).resolve().parents[1] / "errands" / "__main__.py"
PATIENCE_S: Final = 5.0
"""Longer than the supervisor's, so that it is the supervisor who ends what takes too long."""
WITH_LIBRARIES: Final = frozenset({"postgresql"})


def errand(
    word: str, place: Place, places: Places, scratch: Path, allowed: timedelta,
    order: Mapping[str, Any], environment: Mapping[str, str],
) -> StepRequest:  # fmt: skip
    """The process that carries out `order`; `environment` is what the target sets."""
    whole = {
        "allowed": allowed.total_seconds() + PATIENCE_S,
        "captures": asks_for_value(place.step),
        "effect": place.step.effect,
        "hidden": sealed.hidden(place.step),
        "environment": dict(environment),
        "home": str(scratch / "home"),
        "user": list(places.user) if places.user is not None else None,
        **order,
    }
    plain = () if word in WITH_LIBRARIES else ("-S",)
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return StepRequest(
        attempt_id=scratch.name,
        scratch=scratch,
        argv=(sys.executable, "-I", *plain, str(MAIN), word),
        env={"PATH": PATH, "LANG": LANG, "TZ": place.book.timezone, **kept},
        stdin=json.dumps(whole),
        **limits(place, allowed),
    )
